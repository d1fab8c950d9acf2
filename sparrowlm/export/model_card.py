"""README.md of a model directory: a card in Chinese and English, as model hubs show it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from sparrowlm.export.facts import (
    comparison_rows,
    data_rows,
    model_rows,
    recipe_rows,
    score_rows,
)
from sparrowlm.export.run_record import RunRecord
from sparrowlm.foundation.messages import Language, render

Item = TypeVar("Item")

_CURVE_ROWS = 12
_SAMPLES_SHOWN = 3
_SAMPLE_CHARACTERS = 300
_LANGUAGES: tuple[Language, ...] = ("zh", "en")


def model_card(record: RunRecord) -> str:
    """Write the card.

    Args:
        record: one training.

    Returns:
        Markdown with YAML front matter: what the model is, use, scores, data, recipe, curve,
        samples, predicted against measured, limits; first in Chinese, then in English.
    """
    halves = [_half(record, language) for language in _LANGUAGES]
    return _front_matter(record) + "\n" + "\n---\n\n".join(halves)


def _front_matter(record: RunRecord) -> str:
    loads = record.neural == "transformer"
    lines = [
        "---",
        f"library_name: {'transformers' if loads else 'sparrowlm'}",
        "pipeline_tag: text-generation",
        "tags:",
        "- sparrow",
        f"- {record.kind}",
        f"model_name: {json.dumps(record.name, ensure_ascii=False)}",
        "---",
        "",
    ]
    return "\n".join(lines)


def _half(record: RunRecord, language: Language) -> str:
    kind = render(f"export.kind-{record.kind}", None, language)
    parts = [
        f"# {_cell(record.name)}",
        render("export.card-summary", {"kind": kind}, language),
        *_section("use", _use(record, language), language),
        *_section("model", _table(model_rows(record, language), language), language),
        *_section("scores", _scores(record, language), language),
        *_section("data", _table(data_rows(record, language), language), language),
        *_section("recipe", _table(recipe_rows(record, language), language), language),
        *_section("compared", _compared(record, language), language),
        *_section("curve", _curve(record, language), language),
        *_section("samples", _samples(record), language),
        *_section("limits", render("export.limits-text", None, language), language),
    ]
    return "\n\n".join(parts) + "\n"


def _section(name: str, body: str, language: Language) -> list[str]:
    return [f"## {render(f'export.heading-{name}', None, language)}", body] if body else []


def _use(record: RunRecord, language: Language) -> str:
    name = json.dumps(record.name, ensure_ascii=False)
    text = _fenced(
        f'import sparrowlm as sp\n\nmodel = sp.load({name})\nmodel.next("…")\nmodel.generate("…")',
        "python",
    )
    if record.neural != "transformer":
        return text
    loading = _fenced(
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        f"tokenizer = AutoTokenizer.from_pretrained({name})\n"
        f"network = AutoModelForCausalLM.from_pretrained({name})\n"
        "# 0: <|document|>\n"
        'ids = [[0, *tokenizer("…", add_special_tokens=False)["input_ids"]]]',
        "python",
    )
    return "\n\n".join([text, render("export.card-transformers", None, language), loading])


def _scores(record: RunRecord, language: Language) -> str:
    rows = score_rows(record, language)
    if not rows:
        return ""
    return f"{render('export.scores-note', None, language)}\n\n{_table(rows, language)}"


def _compared(record: RunRecord, language: Language) -> str:
    rows = comparison_rows(record, language)
    names = ("what", "predicted", "measured")
    return _grid([render(f"export.column-{n}", None, language) for n in names], rows)


def _curve(record: RunRecord, language: Language) -> str:
    if not record.curve:
        return ""
    chosen = _spread(record.curve, _CURVE_ROWS)
    rows = [
        (
            f"{row['seconds']:.0f}",
            str(row["step"]),
            _bits(record.bits(row.get("train_nats"))),
            _bits(record.bits(row.get("held_out_nats"))),
        )
        for row in chosen
    ]
    heads = ("column-seconds", "column-step", "series-train", "series-held-out")
    note = render("export.curve-note", None, language)
    return f"{note}\n\n{_grid([render(f'export.{h}', None, language) for h in heads], rows)}"


def _samples(record: RunRecord) -> str:
    chosen = _spread(record.samples, _SAMPLES_SHOWN)
    return "\n\n".join(
        f"{sample['seconds']:.0f} s\n\n{_fenced(str(sample['text'])[:_SAMPLE_CHARACTERS], 'text')}"
        for sample in chosen
    )


def _table(rows: Iterable[Sequence[str]], language: Language) -> str:
    heads = [render(f"export.column-{name}", None, language) for name in ("what", "value")]
    return _grid(heads, rows)


def _grid(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    if not lines:
        return ""
    head = "| " + " | ".join(heads) + " |"
    return "\n".join([head, "|" + " --- |" * len(heads), *lines])


def _cell(text: str) -> str:
    """Keep text from being read as Markdown or HTML, on one line."""
    escaped = re.sub(r"([\\`*_\[\]|])", r"\\\1", text.replace("&", "&amp;"))
    return " ".join(escaped.replace("<", "&lt;").replace(">", "&gt;").split())


def _fenced(text: str, language: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _bits(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    """Choose at most count items, evenly, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]
