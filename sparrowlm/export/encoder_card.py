"""README.md of an encoder: what it is, how to use it here and in transformers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sparrowlm.foundation.messages import Language, render

_LANGUAGES: tuple[Language, ...] = ("zh", "en")
_USE = """```python
import sparrowlm as sp

model = sp.load({name})
model.fill("…[MASK]…")
model.embed(["…", "…"])
```"""


def encoder_card(facts: Mapping[str, Any], name: str) -> str:
    """Write the card, Chinese first.

    Args:
        facts: what sparrow.json says.
        name: of the model.
    """
    front = [
        "---", "library_name: sparrowlm", "pipeline_tag: fill-mask", "tags:", "- sparrow",
        "- encoder", f"model_name: {json.dumps(name, ensure_ascii=False)}", "---", "",
    ]  # fmt: skip
    halves = [_half(facts, name, language) for language in _LANGUAGES]
    return "\n".join(front) + "\n" + "\n---\n\n".join(halves)


def _half(facts: Mapping[str, Any], name: str, language: Language) -> str:
    nats = facts["measured"]["held_out_nats_per_hidden_token"]
    shown = "–" if nats is None else f"{nats:.3f}"
    parts = [
        "# " + " ".join(name.split()),
        render("export.encoder-summary", {"nats": shown}, language),
        f"## {render('export.heading-use', None, language)}",
        _USE.format(name=json.dumps(name, ensure_ascii=False)),
        render("export.encoder-transformers", None, language),
    ]
    return "\n\n".join(parts) + "\n"
