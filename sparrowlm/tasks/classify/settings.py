"""What can be said about the training of a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from sparrowlm.tasks.classify.known import KnownLinear
from sparrowlm.text.ngram_features import NgramFeatureSettings
from sparrowlm.text.tokenizers import TokenCodec
from sparrowlm.training.encoder_stage import EncoderSize
from sparrowlm.training.transfer import Transfer

# Configurations, card and report, which tell about every label; more with a network's curves.
_SMALL_FILES_BYTES, _OF_NETWORK_BYTES, _BYTES_PER_LABEL = 42_000, 16_000, 1_400
# With less room a linear model says nothing.
LEAST_LINEAR_BYTES = 50_000

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Parts = Literal["auto", "linear", "encoder", "both"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierTrainingSettings:
    """All dials, each with its default.

    Attributes:
        seconds: wall time for everything; None runs every stage to its end.
        most_bytes: of the whole model directory; None for no limit.
        parts: which models are trained; "auto" ships what held-out texts say is best.
        size: of the encoder.
        features: n-grams of the linear model.
        pretraining_epochs: how often, at most, texts are read without labels; None derives it.
        steps: optimisation steps of each run of the network instead; None for epochs.
        labelling_epochs: how often, at most, labelled texts are seen; None derives it.
        unlabelled: further texts of the kind the model will meet.
        start: weights of an encoder by name to go on from; it must be of the given size.
        known: a linear model to go on from; its n-grams count where a label is known to it.
        least_trust: least share of what is known that is kept; 0 where held-out texts may say that
            it is of no use, more where it must not be forgotten.
        transfer: what learns labels: "full" everything; "frozen" the head alone; "adapters" the
            head and low-rank additions; "gradual" the head first, then everything.
        words: of the user's dictionary, never cut.
        shown_bytes: what the texts of the worst errors take in the report and beside it.
        seed: same seed, same data, same machine, no clock: same model.
    """

    seconds: float | None = None
    most_bytes: int | None = None
    parts: Parts = "auto"
    size: EncoderSize = field(default_factory=EncoderSize)
    features: NgramFeatureSettings = field(default_factory=NgramFeatureSettings)
    pretraining_epochs: float | None = None
    steps: int | None = None
    labelling_epochs: float | None = None
    unlabelled: Sequence[str] = ()
    transfer: Transfer = "full"
    start: Mapping[str, Matrix] | None = None
    known: KnownLinear | None = None
    least_trust: float = 0.0
    words: tuple[str, ...] = ()
    shown_bytes: int = 0
    seed: int = 0

    def linear_bytes(self, codec: TokenCodec | None, num_labels: int) -> int | None:
        """Return the room that is left for the linear model; None where there is no limit.

        Args:
            codec: of the network beside it; None without one.
            num_labels: of the data.
        """
        if self.most_bytes is None:
            return None
        small = _SMALL_FILES_BYTES + self.shown_bytes + _BYTES_PER_LABEL * num_labels
        room = self.most_bytes - small
        if codec is not None:
            room -= (
                _OF_NETWORK_BYTES
                + self.size.directory_bytes(codec)
                + 4 * num_labels * self.size.width
            )
        return room
