"""What the card and the report are told about a training."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from sparrowlm import __version__
from sparrowlm.export.run_record import RunRecord
from sparrowlm.planner.plan import BYTES_PER_STORED_WEIGHT

if TYPE_CHECKING:
    from sparrowlm.api.assembly import FinishedModel


def record_of(finished: FinishedModel, facts: dict[str, Any], name: str) -> RunRecord:
    """Gather one record.

    Args:
        finished: everything the training made.
        facts: the same as sparrow.json says it.
        name: what the model is called.
    """
    has_network = finished.kind not in ("ngram", "vectors")
    plan = (facts.get("plan") or {}) if has_network else {}
    held_out = finished.corpus.held_out
    characters_per_token = held_out.num_characters / max(len(held_out.ids) - 1, 1)
    return RunRecord(
        kind=finished.kind,
        tokenizer=finished.corpus.codec.kind,
        vocab_size=finished.corpus.codec.vocab_size,
        name=name,
        version=__version__,
        neural=plan.get("kind"),
        shape=plan.get("shape") or {},
        num_parameters=plan.get("num_parameters"),
        num_bytes=model_bytes(finished),
        data=facts.get("data") or {},
        plan=plan,
        measured={**facts["measured"], "ram_mib": peak_ram_mib()},
        curve=facts.get("curve") or [],
        floor_nats=finished.floor_nats,
        characters_per_token=characters_per_token or 1.0,
        samples=facts.get("samples") or [],
        machine=facts.get("machine") or {},
        settings=facts.get("recipe") or {},
    )


def model_bytes(finished: FinishedModel) -> int:
    """Count the bytes of what ships, tokenizer and settings left out."""
    total = 0
    if finished.ngram is not None and finished.kind in ("ngram", "mixture"):
        total += finished.ngram.size_bytes()
    if finished.network is not None and finished.kind not in ("ngram", "vectors"):
        weights = sum(weight.numel() for weight in finished.network.parameters())
        total += weights * BYTES_PER_STORED_WEIGHT
    if finished.vectors is not None:
        total += finished.vectors.vectors_VD.nbytes + finished.vectors.output_VD.nbytes
    return total


def peak_ram_mib() -> int | None:
    """Return the largest memory this process has used, None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1 << 20 if sys.platform == "darwin" else 1 << 10)
