"""`sparrow evaluate`: each part of a model beside the n-gram floor, on texts it never saw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from sparrowlm.cli.figures import cell, columns_of, write_row
from sparrowlm.cli.output import JsonFlag, ModelPath, write_fields, write_json, write_line
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from sparrowlm.api.model import Model

# api.model.TASK_KINDS; named here, because importing the API takes as long as loading a model.
TASK_KINDS = ("classify", "match", "tag", "intent", "segment")


def evaluate_command(
    model: ModelPath,
    *files: Annotated[Path, Parameter(name="FILE", help=say("cli.evaluate-files"))],
    on: Annotated[
        tuple[Path, ...], Parameter(consume_multiple=True, help=say("cli.evaluate-on"))
    ] = (),
    report: Annotated[Path | None, Parameter(help=say("cli.evaluate-report"))] = None,
    encoding: Annotated[str | None, Parameter(help=say("cli.encoding"))] = None,
    json: JsonFlag = False,
) -> None:
    """Print the scores of every part of the model on the files."""
    chosen = [*files, *on]
    if not chosen:
        raise SettingError("cli.no-data")
    from sparrowlm import api

    opened = api.load(model)
    if opened.kind in TASK_KINDS and len(chosen) > 1 and report is None:
        _compare_files(opened, chosen, encoding, is_json=json)
        return
    table = opened.evaluate(chosen, encoding)
    if report is not None:
        _write_report(opened, table, report, model.name)
    if json:
        write_json(table)
    elif "per_label" in table:
        _write_classifier(table)
    else:
        write_fields(table)


def _compare_files(
    opened: Model, files: list[Path], encoding: str | None, *, is_json: bool
) -> None:
    """Measure every file apart: how well what was learnt in one domain holds in another."""
    from sparrowlm.api.predictors import shortened

    tables = {str(file): shortened(opened.evaluate([file], encoding)) for file in files}
    if is_json:
        write_json(tables)
        return
    columns = columns_of(tables.values())
    heads = [*columns, *(["floor"] if any("floor" in table for table in tables.values()) else [])]
    write_row(heads, say("cli.evaluate-file"))
    for file, table in tables.items():
        cells = [cell(table, name) for name in columns]
        if "floor" in heads:
            cells.append(cell(table.get("floor", {}), columns[0]))
        write_row(cells, file)


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
