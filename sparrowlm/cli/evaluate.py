"""`sparrow evaluate`: each part of a model beside the n-gram floor, on texts it never saw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, ModelPath, write_fields, write_json, write_line
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from sparrowlm.api.model import Model


def evaluate_command(
    model: ModelPath,
    *files: Annotated[Path, Parameter(name="FILE", help=say("cli.evaluate-files"))],
    on: Annotated[
        tuple[Path, ...], Parameter(consume_multiple=True, help=say("cli.evaluate-on"))
    ] = (),
    report: Annotated[Path | None, Parameter(help=say("cli.evaluate-report"))] = None,
    json: JsonFlag = False,
) -> None:
    """Print the scores of every part of the model on the files."""
    chosen = [*files, *on]
    if not chosen:
        raise SettingError("cli.no-data")
    from sparrowlm import api

    opened = api.load(model)
    table = opened.evaluate(chosen)
    if report is not None:
        _write_report(opened, table, report, model.name)
    if json:
        write_json(table)
    elif "per_label" in table:
        _write_classifier(table)
    else:
        write_fields(table)


def _write_report(opened: Model, table: dict[str, Any], path: Path, name: str) -> None:
    if "per_label" not in table:
        raise SettingError("cli.evaluate-no-report", kind=opened.kind)
    from sparrowlm.export.task_pages import evaluation_report
    from sparrowlm.foundation import atomic

    figures = {"model": table}
    figures |= {part: table[part] for part in ("floor", "encoder") if part in table}
    atomic.write_text(path, evaluation_report(figures, name))


def _write_classifier(table: dict[str, Any]) -> None:
    """Write the summary, and a line for every label."""
    from sparrowlm.api.predictors import shortened

    write_fields(shortened(table))
    write_line(say("cli.evaluate-labels"))
    for score in sorted(table["per_label"], key=lambda one: one["f1"]):
        figures = "  ".join(f"{100 * score[key]:5.1f}" for key in ("precision", "recall", "f1"))
        write_line(f"  {figures}  {score['support']:6d}  {score['label']}")
