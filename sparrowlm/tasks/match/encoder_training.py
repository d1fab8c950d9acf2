"""The network: reads the texts without labels first, then learns which of them mean the same.

Shape letters: B pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Int64
from sparrowlm.foundation.randomness import torch_generator
from sparrowlm.models.pair_head import PairModel
from sparrowlm.runtime.encoder_files import LoadedEncoder
from sparrowlm.tasks.match.examples import Pairs
from sparrowlm.tasks.match.settings import MatcherTrainingSettings
from sparrowlm.tasks.trained_weights import arrays_of, as_loaded, rounded
from sparrowlm.text.tokenizers import TokenCodec
from sparrowlm.text.tokenizers.sequences import sequences_of, whole
from sparrowlm.training.encoder_stage import StagePlace, StageSettings, pretrain
from sparrowlm.training.loop import LoopResult
from sparrowlm.training.pairing import PairingSettings, PairObjective, PairSequences, pair_logits
from sparrowlm.training.precision import fastest_precision
from sparrowlm.training.transfer import begin_with, run_over_everything, run_transfer

Matrix = np.ndarray[Any, np.dtype[np.float32]]


class EncoderTraining:
    """Trains a two-tower encoder on some pairs.

    Args:
        pairs: all labelled pairs.
        codec: the tokenizer.
        settings: see MatcherTrainingSettings.

    Raises:
        ModelError: the weights to begin with have another shape.
    """

    def __init__(self, pairs: Pairs, codec: TokenCodec, settings: MatcherTrainingSettings) -> None:
        self._pairs = pairs
        self._codec = codec
        self._settings = settings
        self._precision = fastest_precision()
        context = settings.size.context_tokens
        self._firsts = sequences_of(codec, pairs.firsts, context)
        self._seconds = sequences_of(codec, pairs.seconds, context)
        generator = torch_generator(settings.seed, "weights of the encoder")
        shape = settings.size.shape(codec.vocab_size)
        self.model = PairModel(shape, settings.size.tables, generator)
        if settings.start is not None:
            begin_with(self.model, settings.start)

    def pretrain(
        self, rows: Int64[np.ndarray, " some"], seconds: float | None, place: StagePlace
    ) -> LoopResult:
        """Read the texts of some pairs without labels.

        Args:
            rows: numbers of the pairs.
            seconds: wall time; None for all epochs.
            place: see StagePlace.

        Raises:
            StoppedBySignal: after saving.
        """
        settings = self._settings
        part = self._pairs.part(rows)
        texts = dict.fromkeys([*part.firsts, *part.seconds, *settings.unlabelled])
        ids = self._codec.encode_batch([whole(text) for text in texts])
        stage = StageSettings(
            most_epochs=settings.pretraining_epochs, most_steps=settings.steps, seconds=seconds,
            seed=settings.seed, precision=self._precision,
        )  # fmt: skip
        return pretrain(self.model, ids, stage, place)

    def learn(
        self,
        rows: Int64[np.ndarray, " some"],
        held_out: Int64[np.ndarray, " others"],
        seconds: float | None,
        place: StagePlace,
    ) -> LoopResult:
        """Learn the labels of some of the pairs.

        Args:
            rows: numbers of the pairs.
            held_out: pairs that say which weights are best.
            seconds: wall time; None for all epochs.
            place: see StagePlace.

        Raises:
            StoppedBySignal: after saving.
        """
        objective = PairObjective(
            self._some(rows), self._some(held_out), PairingSettings(seed=self._settings.seed)
        )
        result = run_transfer(
            self.model, objective, self._labels_stage(seconds), place, self._settings.transfer
        )
        rounded(self.model)
        return result

    def learn_the_rest(
        self, rows: Int64[np.ndarray, " all_of_them"], seconds: float | None, place: StagePlace
    ) -> LoopResult:
        """Let a model that has been measured learn what was kept from it, and all else again.

        Args:
            rows: all pairs.
            seconds: wall time; None for all epochs.
            place: see StagePlace.

        Raises:
            StoppedBySignal: after saving.
        """
        settings = self._settings
        objective = PairObjective(self._some(rows), None, PairingSettings(seed=settings.seed))
        result = run_over_everything(
            self.model, objective, self._labels_stage(seconds), place, settings.transfer
        )
        rounded(self.model)
        return result

    def _labels_stage(self, seconds: float | None) -> StageSettings:
        settings = self._settings
        return StageSettings(
            most_epochs=settings.pairing_epochs, most_steps=settings.steps, seconds=seconds,
            other_rate=0.001, dropout=0.2, feature_dropout=0.2, seed=settings.seed,
            precision=self._precision,
        )  # fmt: skip

    def scores(self, rows: Int64[np.ndarray, " some"]) -> Float32[np.ndarray, " some"]:
        """Return the scores of some of the pairs."""
        return pair_logits(self.model, self._some(rows))

    def arrays(self) -> dict[str, Matrix]:
        """Return all weights by name."""
        return arrays_of(self.model)

    def loaded(self) -> LoadedEncoder:
        """Return the encoder that the files of the model would give."""
        return as_loaded(self.model)

    def _some(self, rows: Int64[np.ndarray, " some"]) -> PairSequences:
        firsts, seconds = (_chosen(all_ids, rows) for all_ids in (self._firsts, self._seconds))
        return PairSequences(firsts, seconds, self._pairs.targets_B[rows])


def _chosen(sequences: Sequence[Any], rows: Int64[np.ndarray, " some"]) -> list[Any]:
    return [sequences[row] for row in rows.tolist()]
