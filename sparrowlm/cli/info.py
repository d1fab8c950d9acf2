"""`sparrow info`: what a model is and where it came from."""

from __future__ import annotations

from sparrowlm.cli.output import JsonFlag, ModelPath, write_fields, write_json


def info_command(model: ModelPath, *, json: JsonFlag = False) -> None:
    """Print what the model directory says about itself."""
    from sparrowlm import api

    facts = api.load(model).info()
    if json:
        write_json(facts)
    else:
        write_fields(facts)
