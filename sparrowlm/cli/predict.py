"""`sparrow predict`: labels for texts, one by one or a whole file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, ModelPath, visible, write_json, write_line
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from sparrowlm.api.model import Model
    from sparrowlm.corpora.labelled import LabelledSettings, TextRow
    from sparrowlm.foundation.progress import Progress
    from sparrowlm.tasks.classify.model import Prediction
    from sparrowlm.tasks.tag.model import TaggedPrediction

_REASONS_SHOWN = 5
_MOST_TEXT_SHOWN = 60


def predict_command(
    model: ModelPath,
    *texts: Annotated[
        str, Parameter(name="TEXT", help=say("cli.predict-texts"), allow_leading_hyphen=True)
    ],
    file: Annotated[
        Path | None,
        Parameter(name=("--file", "-f"), help=say("cli.predict-file"), allow_leading_hyphen=True),
    ] = None,
    output: Annotated[
        Path | None, Parameter(name=("--output", "-o"), help=say("cli.predict-output"))
    ] = None,
    text_field: Annotated[str | None, Parameter(help=say("cli.train-text-field"))] = None,
    encoding: Annotated[str | None, Parameter(help=say("cli.encoding"))] = None,
    user_dictionary: Annotated[Path | None, Parameter(help=say("cli.predict-dictionary"))] = None,
    explain: Annotated[bool, Parameter(negative="", help=say("cli.predict-explain"))] = False,
    json: JsonFlag = False,
) -> None:
    """Print what every text is about."""
    if bool(texts) == (file is not None):
        raise SettingError("cli.predict-what")
    from sparrowlm import api

    opened = api.load(model)
    if file is not None:
        from sparrowlm.corpora.labelled import LabelledSettings

        settings = LabelledSettings(text_field=text_field, encoding=encoding)
        _predict_file(opened, file, output, settings, user_dictionary)
        return
    answers = opened.predict(list(texts), user_dictionary)
    for text, prediction in zip(texts, answers, strict=True):
        if hasattr(prediction, "spans"):
            _write_spans(prediction, text, is_json=json)
            continue
        reasons = opened.explain(text)[:_REASONS_SHOWN] if explain else []
        if json:
            write_json(_fields(prediction, text, reasons))
        else:
            _write_lines(prediction, text, reasons)


def _fields(prediction: Prediction, text: str, reasons: list[Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "text": text,
        "label": prediction.label,
        "probability": prediction.probability,
        "labels": list(prediction.labels),
        "probabilities": prediction.probabilities,
    }
    if reasons:
        fields["reasons"] = [reason._asdict() for reason in reasons]
    return fields


def _write_lines(prediction: Prediction, text: str, reasons: list[Any]) -> None:
    label = ", ".join(prediction.labels) or say("cli.predict-none")
    short = visible(text if len(text) <= _MOST_TEXT_SHOWN else text[:_MOST_TEXT_SHOWN] + "…")
    write_line(f"{label}\t{100 * prediction.probability:.1f} %\t{short}")
    for reason in reasons:
        write_line(f"  {reason.weight:+.2f}  {visible(reason.text)}")


def _span_fields(prediction: TaggedPrediction) -> dict[str, Any]:
    fields: dict[str, Any] = {"spans": [span._asdict() for span in prediction.spans]}
    if prediction.intent is not None:
        fields["intent"] = prediction.intent.label
        fields["intent_probability"] = prediction.intent.probability
    return fields


def _write_spans(prediction: TaggedPrediction, text: str, *, is_json: bool) -> None:
    if is_json:
        write_json({"text": text, **_span_fields(prediction)})
        return
    if prediction.intent is not None:
        write_line(f"{prediction.intent.label}\t{100 * prediction.intent.probability:.1f} %")
    for span in prediction.spans:
        place = f"{span.start}–{span.end}"
        shown = f"{100 * span.probability:.1f} %"
        write_line(f"{span.label}\t{visible(span.text)}\t{place}\t{shown}")
    if not prediction.spans:
        write_line(say("cli.predict-none"))


def _predict_file(
    opened: Model,
    file: Path,
    output: Path | None,
    settings: LabelledSettings,
    user_dictionary: Path | None,
) -> None:
    """Write one JSON line per row, the row's own fields first, at constant memory."""
    from sparrowlm.corpora.labelled import iterate_texts
    from sparrowlm.foundation import atomic
    from sparrowlm.foundation.progress import watching_progress

    progress = watching_progress()
    progress.start(say("cli.predict-stage"), None, say("cli.predict-unit"))
    with TemporaryDirectory() as workspace:
        rows = iterate_texts(file, Path(workspace), settings)
        lines = _lines(opened, rows, progress, user_dictionary)
        if output is None:
            for line in lines:
                write_line(line)
        else:
            with atomic.opened(output) as handle:
                for line in lines:
                    handle.write(line.encode("utf-8") + b"\n")
    progress.finish()
    if output is not None:
        progress.note(say("cli.predict-written", path=output))


def _lines(
    opened: Model, rows: Iterator[TextRow], progress: Progress, user_dictionary: Path | None
) -> Iterator[str]:
    import json
    from collections import deque

    waiting: deque[TextRow] = deque()

    def texts() -> Iterator[str]:
        for row in rows:
            waiting.append(row)
            yield row.text

    for prediction in opened.predict_stream(texts(), user_dictionary):
        row = waiting.popleft()
        is_tagged = hasattr(prediction, "spans")
        fields = _span_fields(prediction) if is_tagged else _label_fields(prediction)
        progress.advance(1)
        yield json.dumps({**row.row, **fields}, ensure_ascii=False, default=str)


def _label_fields(prediction: Prediction) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "label": prediction.label,
        "probability": round(prediction.probability, 6),
    }
    if len(prediction.labels) > 1:
        fields["labels"] = list(prediction.labels)
    return fields
