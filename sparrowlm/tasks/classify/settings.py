"""What can be said about the training of a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from sparrowlm.tasks.classify.linear_prior import LinearPrior
from sparrowlm.text.ngram_features import NgramFeatureSettings
from sparrowlm.training.encoder_stage import EncoderSize

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Transfer = Literal["full", "frozen", "adapters", "gradual"]
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
        transfer: what learns labels: "full" everything; "frozen" the head alone; "adapters" the
            head and low-rank additions; "gradual" the head first, then everything.
        prior: a linear model that must not be forgotten; None for none.
        words: of the user's dictionary, never cut.
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
    prior: LinearPrior | None = None
    words: tuple[str, ...] = ()
    seed: int = 0
