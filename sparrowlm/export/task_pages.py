"""Card and report of a model for a task: what it was made from, how good it is, where it errs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from sparrowlm.export.page import both, note, page, per_language, section, table
from sparrowlm.foundation.messages import Language, render

LANGUAGES: tuple[Language, ...] = ("zh", "en")
_PARTS = ("model", "floor", "encoder")
_MOST_CONFUSION_LABELS = 40
_MOST_CARD_LABELS = 60
_USE = """```python
import sparrowlm as sp

model = sp.load({name})
{call}
```"""
# By task: what a reader would call, and what model hubs name such models.
_CALLS = {"match": 'model.match("…", "…")', "segment": 'model.words("…")'}
_PIPELINES = {
    "match": "sentence-similarity", "tag": "token-classification", "intent": "token-classification",
    "segment": "token-classification",
}  # fmt: skip

Figures = Mapping[str, Mapping[str, Any]]


def task_texts(facts: Mapping[str, Any], name: str) -> dict[str, str]:
    """Write the files for people: README.md, the card, and report.html.

    Args:
        facts: what sparrow.json says: task, data, recipe, measured.
        name: of the model.
    """
    return {"README.md": task_card(facts, name), "report.html": task_report(facts, name)}


def task_report(facts: Mapping[str, Any], name: str) -> str:
    """Write the report of a training: figures of every part on texts kept from it."""
    measured = facts["measured"]
    sections = [
        section("model", per_language(lambda at: table(_model_rows(facts, at)))),
        section("scores", note("task-held-out-note") + _summaries(measured["held_out"])),
    ]
    if measured.get("test"):
        sections.append(section("test", note("task-test-note") + _summaries(measured["test"])))
    if measured.get("both_ways"):
        rows = per_language(
            lambda at: table(_both_ways_rows(measured, at), _both_ways_heads(measured, at))
        )
        sections.append(section("both-ways", note("both-ways-note") + rows))
    return page("report-title", sections + detail_sections(measured["held_out"]), name=name)


def evaluation_report(figures: Figures, name: str) -> str:
    """Write the report of an evaluation on further texts.

    Args:
        figures: of every part, as JSON values.
        name: of the model and the file.
    """
    sections = [section("scores", _summaries(figures))]
    return page("evaluation-title", sections + detail_sections(figures), name=name)


def detail_sections(figures: Figures) -> list[str]:
    """Return what lies behind the summary: labels, confusions, calibration, errors."""
    model = figures["model"]
    return [
        section("per-label", _per_label(model.get("per_label") or [])),
        section("confusion", _confusion(model)),
        section("reliability", _reliability(model.get("reliability") or [])),
        section("errors", _errors(model.get("errors") or [])),
    ]


def task_card(facts: Mapping[str, Any], name: str) -> str:
    """Write README.md, Chinese first."""
    halves = [_card_half(facts, name, language) for language in LANGUAGES]
    front = [
        "---", "library_name: sparrowlm",
        f"pipeline_tag: {_PIPELINES.get(facts['recipe']['task'], 'text-classification')}", "tags:",
        "- sparrow", f"- {facts['recipe']['task']}",
        f"model_name: {json.dumps(name, ensure_ascii=False)}", "---", "",
    ]  # fmt: skip
    return "\n".join(front) + "\n" + "\n---\n\n".join(halves)


def _card_half(facts: Mapping[str, Any], name: str, language: Language) -> str:
    def head(code: str) -> str:
        return f"## {render(f'export.heading-{code}', None, language)}"

    quoted = json.dumps(name, ensure_ascii=False)
    labels = ", ".join(facts["task"].get("labels", ())[:_MOST_CARD_LABELS])
    parts = [
        f"# {_plain(name)}",
        head("use"),
        _USE.format(name=quoted, call=_call(facts)),
        head("model"),
        _markdown(_model_rows(facts, language)),
        *([head("labels"), _plain(labels)] if labels else []),
        head("scores"),
        render("export.task-held-out-note", None, language),
        _markdown_figures(facts["measured"]["held_out"], language),
    ]
    if facts["measured"].get("test"):
        parts += [
            head("test"),
            render("export.task-test-note", None, language),
            _markdown_figures(facts["measured"]["test"], language),
        ]
    if facts["measured"].get("both_ways"):
        rows = _both_ways_rows(facts["measured"], language)
        parts += [
            head("both-ways"),
            render("export.both-ways-note", None, language),
            _markdown(rows, _both_ways_heads(facts["measured"], language)),
        ]
    return "\n\n".join(parts) + "\n"


def _call(facts: Mapping[str, Any]) -> str:
    if facts["recipe"]["task"] == "match" and facts["measured"].get("search"):
        return 'model.search("…")'
    return _CALLS.get(facts["recipe"]["task"], 'model.predict(["…"])')


def _both_ways_rows(measured: Mapping[str, Any], language: Language) -> list[list[str]]:
    """Return a line for old and for new data, before and after, the floor where there is one."""
    rows, parts, column = [], _both_ways_parts(measured), _both_ways_column(measured)
    for name, figures in measured["both_ways"].items():
        for when in ("before", "after"):
            label = render(f"export.both-ways-{name}-{when}", None, language)
            shown = [_shown(figures[when].get(part, {}), column) for part in parts]
            rows.append([label, *shown, f"{figures[when]['model']['num_texts']:,}"])
    return rows


def _both_ways_heads(measured: Mapping[str, Any], language: Language) -> list[str]:
    parts = _both_ways_parts(measured)
    codes = ["column-part", *(f"part-{part}" for part in parts), "column-support"]
    heads = [render(f"export.task-{code}", None, language) for code in codes]
    name = _both_ways_column(measured).replace("_", "-")
    heads[1] += f" ({render(f'export.task-column-{name}', None, language)})"
    return heads


def _both_ways_parts(measured: Mapping[str, Any]) -> list[str]:
    tables = measured["both_ways"].values()
    return [part for part in _PARTS if any(part in one["after"] for one in tables)]


def _both_ways_column(measured: Mapping[str, Any]) -> str:
    return judged_by(next(iter(measured["both_ways"].values()))["after"]["model"])


def judged_by(figures: Mapping[str, Any]) -> str:
    """Return the name of the figure that a model is judged by."""
    return next(column for column in _COLUMNS if column in figures)


def _taught(measured: Mapping[str, Any], language: Language) -> str:
    """Return who the teacher was, and how much it said."""
    teacher = measured.get("teacher")
    if teacher is None:
        return ""
    fields = {**teacher, "size": f"{teacher['bytes'] / 1e6:.1f} MB"}
    code = "judges" if teacher.get("judges") else "answered"
    return render(f"export.teacher-{code}", fields, language)


def _model_rows(facts: Mapping[str, Any], language: Language) -> list[tuple[str, str]]:
    data, task = facts["data"], facts["task"]
    blend = task.get("blend", {}).get("weights", {})
    rows = [
        ("task", str(facts["recipe"]["task"])),
        ("evidence", str(data["evidence"])),
        ("examples", f"{data['num_examples']:,}"),
        ("measured-on", f"{data['num_held_out']:,}"),
        ("labels", f"{len(task.get('labels', ())):,}"),
        ("blend", ", ".join(f"{part} × {weight:.2f}" for part, weight in blend.items())),
        ("teacher", _taught(facts["measured"], language)),
        ("seconds", f"{facts['measured']['seconds']:.0f}"),
    ]
    shown = [(code, value) for code, value in rows if value not in ("", "0")]
    return [(render(f"export.task-row-{code}", None, language), value) for code, value in shown]


def _figure_rows(figures: Figures, language: Language) -> list[list[str]]:
    rows = []
    for part in _PARTS:
        if part in figures:
            own = figures[part]
            label = render(f"export.task-part-{part}", None, language)
            rows.append([label, *(_shown(own, code) for code in _columns(figures))])
    return rows


# In the order of their columns; a task has some of them.
_COLUMNS = (
    "span_f1", "word_f1", "f1", "accuracy", "macro_f1", "average_precision", "hit_at_1", "hit_at_5",
    "mean_reciprocal_rank", "intent_accuracy", "sentence_accuracy", "out_of_vocabulary_recall",
    "in_scope_accuracy", "out_of_scope_recall", "calibration_error",
)  # fmt: skip


def _columns(figures: Figures) -> list[str]:
    return [code for code in _COLUMNS if figures["model"].get(code) is not None]


def _shown(own: Mapping[str, Any], code: str) -> str:
    value = own.get(code)
    if value is None:
        return "–"
    if code == "calibration_error":
        chance = own.get(f"{code}_by_chance")
        return f"{value:.3f}" if chance is None else f"{value:.3f} ({chance:.3f})"
    interval = own.get(f"{code}_interval")
    shown = f"{100 * value:.2f} %"
    if interval and interval[0] != interval[1]:
        shown += f" ({100 * interval[0]:.1f}–{100 * interval[1]:.1f})"
    return shown


def _figure_heads(figures: Figures, language: Language) -> list[str]:
    codes = ("part", *(code.replace("_", "-") for code in _columns(figures)))
    return [render(f"export.task-column-{code}", None, language) for code in codes]


def _summaries(figures: Figures) -> str:
    return per_language(lambda at: table(_figure_rows(figures, at), _figure_heads(figures, at)))


def _markdown_figures(figures: Figures, language: Language) -> str:
    return _markdown(_figure_rows(figures, language), _figure_heads(figures, language))


def _markdown(rows: Sequence[Sequence[str]], heads: Sequence[str] = ()) -> str:
    if not rows:
        return ""
    heads = heads or [""] * len(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(map(_plain, row)) + " |" for row in rows])


def _plain(text: str) -> str:
    """Keep a text from being read as Markdown or HTML."""
    escaped = "".join("\\" + sign if sign in r"\`*_{}[]<>#|!" else sign for sign in text)
    return " ".join(escaped.split())


def _per_label(scores: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            str(score["label"]),
            *(f"{100 * score[key]:.1f}" for key in ("precision", "recall", "f1")),
            f"{score['support']:,}",
        ]
        for score in sorted(scores, key=lambda one: one["f1"])
    ]

    def heads(at: Language) -> list[str]:
        codes = ("label", "precision", "recall", "f1", "support")
        return [render(f"export.task-column-{code}", None, at) for code in codes]

    return per_language(lambda at: table(rows, heads(at)))


def _confusion(model: Mapping[str, Any]) -> str:
    """Draw the table of true and predicted labels, darker where more texts are."""
    counts = model.get("confusion") or []
    names = [str(score["label"]) for score in model.get("per_label") or []]
    if not counts or len(counts) > _MOST_CONFUSION_LABELS or len(counts) != len(names):
        return ""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    lines = [f"<tr><th></th>{head}</tr>"]
    for name, row in zip(names, counts, strict=True):
        total = max(sum(row), 1)
        cells = "".join(
            f'<td style="background: rgb(31 95 139 / {0.75 * count / total:.2f})">{count}</td>'
            for count in row
        )
        lines.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    return note("confusion-note") + f'<table class="confusion">{"".join(lines)}</table>'


def _reliability(rows: Sequence[Sequence[float | int]]) -> str:
    """Draw accuracy over confidence as bars; a calibrated model's follow the line."""
    if not rows:
        return ""
    bars = []
    for confidence, accuracy, count in rows:
        x, height = 40 + 300 * confidence, 160 * accuracy
        title = f"{100 * confidence:.0f} % → {100 * accuracy:.0f} % ({count:,.0f})"
        bars.append(
            f'<rect class="bar" x="{x - 8:.0f}" y="{170 - height:.0f}" width="16" '
            f'height="{height:.0f}"><title>{title}</title></rect>'
        )
    axis = '<path class="line floor" d="M40 170L340 10"/>'
    texts = (
        '<text x="40" y="186">0 %</text><text x="340" y="186" text-anchor="end">100 %</text>'
        '<text x="34" y="16" text-anchor="end">100 %</text>'
    )
    chart = f'<svg viewBox="0 0 360 192" role="img">{"".join(bars)}{axis}{texts}</svg>'
    return note("reliability-note") + chart


def _errors(errors: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            str(error["text"]),
            ", ".join(error["true"]) or "–",
            ", ".join(error["predicted"]) or "–",
            f"{100 * error['probability']:.0f} %",
        ]
        for error in errors
    ]
    if not rows:
        return f"<p>{both('no-errors')}</p>"

    def heads(at: Language) -> list[str]:
        codes = ("text", "true", "predicted", "probability")
        return [render(f"export.task-column-{code}", None, at) for code in codes]

    return per_language(lambda at: table(rows, heads(at)))
