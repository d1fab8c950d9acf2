"""What can be said about the training of a tagger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from sparrowlm.models.encoder import NgramTableShape
from sparrowlm.tasks.tag.floor_training import FloorSettings
from sparrowlm.tasks.tag.inputs import CONTEXT_TOKENS
from sparrowlm.training.encoder_stage import EncoderSize
from sparrowlm.training.transfer import Transfer

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Parts = Literal["auto", "floor", "network", "both"]


def _size() -> EncoderSize:
    tables = NgramTableShape(num_buckets=1 << 13)
    return EncoderSize(tables=tables, context_tokens=CONTEXT_TOKENS)


@dataclass(frozen=True, kw_only=True, slots=True)
class TaggerTrainingSettings:
    """All dials, each with its default.

    Attributes:
        seconds: wall time for everything; None runs every stage to its end.
        most_bytes: of the whole model directory; None for no limit.
        parts: which models are trained; "auto" ships what held-out texts say is best.
        floor: of the conditional random field.
        size: of the encoder.
        column_rows: of the table of columns.
        pretraining_epochs: how often, at most, texts are read without labels; None derives it,
            0 leaves it out.
        tagging_epochs: how often, at most, labelled texts are seen; None derives it.
        hidden_spans: share of the spans hidden whole while labels are learnt, so that names nobody
            has seen are found by what stands around them.
        steps: optimisation steps of each run of the network instead; None for epochs.
        unlabelled: further texts of the kind the model will meet.
        start: weights by name of an encoder, or of another tagger, with the same tokenizer and the
            given sizes; what they do not hold begins anew.
        transfer: what learns labels: "full" everything; "frozen" only what the start does not
            bring; "adapters" that and low-rank additions; "gradual" that first, then everything.
        entries: of the user's dictionary, word -> label; they outrank the models always.
        seed: same seed, same data, same machine, no clock: same model.
    """

    seconds: float | None = None
    most_bytes: int | None = 5_000_000
    parts: Parts = "auto"
    floor: FloorSettings = field(default_factory=FloorSettings)
    size: EncoderSize = field(default_factory=_size)
    column_rows: int = 1 << 13
    pretraining_epochs: float | None = None
    tagging_epochs: float | None = None
    hidden_spans: float = 0.15
    steps: int | None = None
    unlabelled: Sequence[str] = ()
    start: Mapping[str, Matrix] | None = None
    transfer: Transfer = "full"
    entries: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
