"""`sparrow evaluate`: each part of a model beside the n-gram floor, on texts it never saw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, ModelPath, write_fields, write_json
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say


def evaluate_command(
    model: ModelPath,
    *files: Annotated[Path, Parameter(name="FILE", help=say("cli.evaluate-files"))],
    json: JsonFlag = False,
) -> None:
    """Print the scores of every part of the model on the files."""
    if not files:
        raise SettingError("cli.no-data")
    from sparrowlm import api

    table = api.load(model).evaluate(list(files))
    if json:
        write_json(table)
    else:
        write_fields(table)
