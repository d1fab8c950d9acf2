"""`sparrow bench`: how fast a model is here, and what memory it takes."""

from __future__ import annotations

from sparrowlm.cli.output import JsonFlag, ModelPath, write_fields, write_json


def bench_command(model: ModelPath, *, json: JsonFlag = False) -> None:
    """Measure a model and print its figures."""
    from sparrowlm.api.benching import bench

    facts = bench(model)
    if json:
        write_json(facts)
    else:
        write_fields(facts)
