"""What can be said about the training of a matcher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from sparrowlm.text.ngram_features import NgramFeatureSettings
from sparrowlm.training.encoder_stage import EncoderSize
from sparrowlm.training.transfer import Transfer

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Parts = Literal["auto", "linear", "encoder", "both"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MatcherTrainingSettings:
    """All dials, each with its default.

    Attributes:
        seconds: wall time for everything; None runs every stage to its end.
        most_bytes: of the whole model directory; None for no limit.
        parts: which models judge pairs; "auto" ships what held-out pairs say is best.
        size: of the encoder.
        index_features: n-grams by which answers are found.
        pretraining_epochs: how often, at most, texts are read without labels.
        pairing_epochs: how often, at most, labelled pairs are seen.
        unlabelled: further texts of the kind the model will meet.
        start: weights of an encoder by name to go on from; it must be of the given size.
        transfer: what learns pairs: "full" everything; "frozen" the head alone; "adapters" the
            head and low-rank additions; "gradual" the head first, then everything.
        steps: optimisation steps of each run of the network instead; None for epochs.
        words: of the user's dictionary, never cut.
        seed: same seed, same data, same machine, no clock: same model.
    """

    seconds: float | None = None
    most_bytes: int | None = None
    parts: Parts = "auto"
    size: EncoderSize = field(default_factory=lambda: EncoderSize(context_tokens=64))
    index_features: NgramFeatureSettings = field(
        default_factory=lambda: NgramFeatureSettings(most_characters=3, most_words=1)
    )
    pretraining_epochs: float = 15.0
    pairing_epochs: float = 15.0
    unlabelled: Sequence[str] = ()
    start: Mapping[str, Matrix] | None = None
    transfer: Transfer = "full"
    steps: int | None = None
    words: tuple[str, ...] = ()
    seed: int = 0
