"""The rows of figures that cards and reports show: a message name and a finished value."""

from __future__ import annotations

from collections.abc import Callable

from sparrowlm.export.run_record import RunRecord
from sparrowlm.foundation.messages import Language, render
from sparrowlm.foundation.quantities import format_count, format_duration, format_size

Row = tuple[str, str]
_SHOWN_SHAPE = (
    "width", "embedding_width", "state_width", "num_layers", "num_heads", "num_kv_heads",
    "head_width", "feed_forward_width", "context_tokens", "order",
)  # fmt: skip


def model_rows(record: RunRecord, language: Language) -> list[Row]:
    """Return what the model is."""
    rows = [
        (_label("kind", language), render(f"export.kind-{record.kind}", None, language)),
        (_label("tokenizer", language), f"{_tokenizer(record, language)}, {record.vocab_size:,}"),
    ]
    if record.num_parameters is not None:
        rows.append((_label("parameters", language), format_count(record.num_parameters)))
    if record.num_bytes is not None:
        rows.append((_label("size", language), format_size(record.num_bytes)))
    shape = [f"{name} {record.shape[name]}" for name in _SHOWN_SHAPE if name in record.shape]
    if shape:
        rows.append((_label("shape", language), ", ".join(shape)))
    return rows


def data_rows(record: RunRecord, language: Language) -> list[Row]:
    """Return what was read, kept and held out."""
    data = record.data
    rows: list[Row] = []
    reading = data.get("reading") or {}
    if reading:
        rows.append((_label("files", language), f"{reading.get('num_files', 0):,}"))
        rows.append((_label("bytes-read", language), format_size(int(reading["num_bytes"]))))
        dropped = sum((reading.get("dropped_documents") or {}).values())
        rows.append((_label("dropped", language), f"{dropped:,}"))
    for side in ("train", "held_out"):
        split = data.get(side)
        if split:
            value = render("export.side-value", _counts(split), language)
            rows.append((_label(f"side-{side.replace('_', '-')}", language), value))
    if "tokens_per_word" in data:
        rows.append((_label("tokens-per-word", language), f"{data['tokens_per_word']:.2f}"))
    if data.get("is_held_out_training_text"):
        rows.append((_label("caution", language), render("export.too-small", None, language)))
    return rows


def recipe_rows(record: RunRecord, language: Language) -> list[Row]:
    """Return how the model was made: what was asked for, the plan, the machine."""
    rows = [(name, _shown(value)) for name, value in record.settings.items() if value is not None]
    plan = record.plan
    if plan.get("num_tokens") is not None:
        value = f"{format_count(plan['num_tokens'])} ({plan.get('num_epochs', 0):.1f} ×)"
        rows.append((_label("tokens-seen", language), value))
    if record.measured.get("steps") is not None:
        rows.append((_label("steps", language), f"{record.measured['steps']:,}"))
    if plan.get("precision"):
        rows.append((_label("precision", language), str(plan["precision"])))
    machine = record.machine
    if machine:
        sets = " ".join(machine.get("instruction_sets") or ())
        value = render(
            "export.machine-value", {"cores": machine.get("num_cores", "?"), "sets": sets}, language
        )
        rows.append((_label("machine", language), value))
    if record.version:
        rows.append((_label("version", language), record.version))
    return rows


def comparison_rows(record: RunRecord, language: Language) -> list[tuple[str, str, str]]:
    """Return (what, predicted, measured)."""
    show: dict[str, Callable[[float], str]] = {
        "seconds": lambda value: format_duration(value, language),
        "ram": lambda value: format_size(int(value * 2**20)),
        "size": lambda value: format_size(int(value)),
        "bits": lambda value: f"{value:.3f}",
    }
    rows = []
    for name, predicted, measured in record.comparisons():
        values = ["–" if value is None else show[name](value) for value in (predicted, measured)]
        rows.append((_label(f"compared-{name}", language), values[0], values[1]))
    return rows


def score_rows(record: RunRecord, language: Language) -> list[Row]:
    """Return bits per character by part, the n-gram first, with the gain over it."""
    bits = record.part_bits()
    floor = bits.get("ngram")
    rows = []
    for part in ("ngram", "neural", "mixture"):
        if part not in bits:
            continue
        gain = ""
        if floor and part != "ngram":
            gain = f" ({bits[part] / floor - 1:+.1%})"
        rows.append((render(f"export.part-{part}", None, language), f"{bits[part]:.3f}{gain}"))
    return rows


def _tokenizer(record: RunRecord, language: Language) -> str:
    return render(f"export.tokenizer-{record.tokenizer}", None, language)


def _label(name: str, language: Language) -> str:
    return render(f"export.label-{name}", None, language)


def _counts(split: dict[str, int]) -> dict[str, str]:
    names = ("num_documents", "num_characters", "num_tokens")
    return {name: f"{split.get(name, 0):,}" for name in names}


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
