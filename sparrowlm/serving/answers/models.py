"""/v1/models: what there is, and everything that is known about each."""

from __future__ import annotations

from pathlib import Path

from sparrowlm.api.model import TAG_KINDS
from sparrowlm.serving.answers.service import Json, Service

_CARD = "README.md"
_LONGEST_CARD = 256 * 1024
_CAN = {
    "classify": ["classify"],
    "match": ["match"],
    **{kind: ["tag"] for kind in TAG_KINDS},
    "encoder": ["embeddings"],
}
_CAN_WRITE = ["chat", "completions", "responses", "next", "tokenize"]


def answer_models(service: Service) -> Json:
    """List the models as OpenAI does.

    Args:
        service: with the models.
    """
    loaded = {served.name for served in service.shelf.loaded}
    data = [
        {**_entry(name, service), "loaded": name in loaded}
        for name in service.shelf.paths
    ]  # fmt: skip
    return {"object": "list", "data": data}


async def answer_model(service: Service, name: str) -> Json:
    """Describe one model: what it can, its measured figures, how it learnt, its card.

    Args:
        service: with the models.
        name: of the model.

    Raises:
        Refusal: there is none of that name.
        ModelError: it cannot be loaded.
    """
    async with service.shelf.use(name) as served:
        model = served.model
        can = [*_CAN.get(model.kind, _CAN_WRITE)]
        if model.can_embed and "embeddings" not in can:
            can.append("embeddings")
        return {
            **_entry(served.name, service),
            "loaded": True,
            "kind": model.kind,
            "can": can,
            "info": model.info(),
            "curve": model.curve,
            "card": _card(model.path),
        }


def _entry(name: str, service: Service) -> Json:
    return {
        "id": name,
        "object": "model",
        "created": int(service.began_at),
        "owned_by": "sparrow",
        "max_model_len": service.limits.prompt_tokens,
    }


def _card(path: Path) -> str | None:
    """Return the model's card; a single file has none."""
    try:
        with (path / _CARD).open(encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST_CARD)
    except OSError:
        return None
