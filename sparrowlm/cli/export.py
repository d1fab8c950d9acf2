"""`sparrow export`: a model as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, ModelPath, write_fields, write_json
from sparrowlm.foundation.messages import say


def export_command(
    model: ModelPath,
    *,
    output: Annotated[Path, Parameter(name=("-o", "--output"), help=say("cli.export-output"))],
    form: Annotated[str, Parameter(help=say("cli.export-form"))] = "int8",
    json: JsonFlag = False,
) -> None:
    """Write a model as one GGUF file and say what it has become."""
    from sparrowlm.api.exporting import export_model

    facts = export_model(model, output, form)
    if json:
        write_json(facts)
    else:
        write_fields(facts)
