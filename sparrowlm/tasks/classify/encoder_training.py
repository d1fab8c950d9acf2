"""The network: reads the texts without labels first, then learns the labels.

Shape letters: B texts, L labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from sparrowlm.foundation.array_types import Float32, Int64
from sparrowlm.foundation.randomness import torch_generator
from sparrowlm.models.heads import ClassifierModel
from sparrowlm.tasks.classify.examples import LabelledTexts
from sparrowlm.tasks.classify.self_training import LABELLED_IMPORTANCE, Guesses
from sparrowlm.tasks.classify.settings import ClassifierTrainingSettings
from sparrowlm.tasks.trained_weights import rounded
from sparrowlm.text.tokenizers import TokenCodec
from sparrowlm.text.tokenizers.sequences import sequences_of, whole
from sparrowlm.training.encoder_stage import StagePlace, StageSettings, pretrain
from sparrowlm.training.labelling import LabellingSettings, LabelObjective, label_logits
from sparrowlm.training.loop import LoopResult
from sparrowlm.training.transfer import (
    begin_with,
    going_on,
    has_read,
    rates_for_labels,
    run_over_everything,
    run_transfer,
)

_PRETRAINING_TOKENS = 12_000_000
_LABELLING_TEXTS = 250_000
_LEAST_EPOCHS, _MOST_EPOCHS = 3.0, 40.0
# What goes on from an encoder needs fewer passes where labels say little, but several: this many
# texts in all, within these passes.
_FEWER_PASSES, _FURTHER_TEXTS, _FURTHER_EPOCHS = 3, 80_000, (5.0, 8.0)

Matrix = np.ndarray[Any, np.dtype[np.float32]]


class EncoderTraining:
    """Trains classifiers on parts of some texts, all from one pretrained encoder.

    Args:
        data: all labelled texts.
        codec: the tokenizer.
        settings: see ClassifierTrainingSettings.
        precision: of the products.
    """

    def __init__(
        self,
        data: LabelledTexts,
        codec: TokenCodec,
        settings: ClassifierTrainingSettings,
        precision: torch.dtype,
    ) -> None:
        self._data = data
        self._codec = codec
        self._settings = settings
        self._precision = precision
        self._shape = settings.size.shape(codec.vocab_size)
        context = settings.size.context_tokens
        self._sequences = sequences_of(codec, data.texts, context)
        self._start: Mapping[str, Any] | None = settings.start

    def pretrain(self, seconds: float | None, place: StagePlace) -> LoopResult:
        """Read all texts without labels.

        Args:
            seconds: wall time; None for all epochs.
            place: see StagePlace.

        Raises:
            StoppedBySignal: after saving.
        """
        settings = self._settings
        texts = list(dict.fromkeys([*self._data.texts, *settings.unlabelled]))
        ids = self._codec.encode_batch([whole(text) for text in texts])
        num_tokens = sum(map(len, ids))
        epochs = settings.pretraining_epochs
        if epochs is None:
            epochs = _PRETRAINING_TOKENS / max(num_tokens, 1)
            epochs = min(max(epochs, _LEAST_EPOCHS), _MOST_EPOCHS)
        model = self._started_model()
        stage = StageSettings(
            most_epochs=epochs, most_steps=settings.steps, seconds=seconds, seed=settings.seed,
            precision=self._precision,
        )  # fmt: skip
        if has_read(settings.start):
            stage = going_on(stage)
        result = pretrain(model, ids, stage, place)
        self._start = {name: tensor.detach().clone() for name, tensor in model.tensors().items()}
        return result

    def learn(
        self,
        rows: Int64[np.ndarray, " some"],
        held_out: Int64[np.ndarray, " others"] | None,
        seconds: float | None,
        place: StagePlace,
        guesses: Guesses | None = None,
    ) -> tuple[ClassifierModel, LoopResult]:
        """Learn the labels of some of the texts.

        Args:
            rows: the texts.
            held_out: texts that say which weights are best; None takes the last.
            seconds: wall time; None for all epochs.
            place: see StagePlace.
            guesses: further texts, whose labels were guessed and count for less.

        Raises:
            StoppedBySignal: after saving.
        """
        settings = self._settings
        goes_on = has_read(settings.start)
        rates = rates_for_labels(len(self._data.labels)) if goes_on else 1.0
        model = self._started_model()
        objective = self._objective(rows, held_out, guesses)
        epochs = settings.labelling_epochs
        if epochs is None:
            num_texts, least = _LABELLING_TEXTS * rates**_FEWER_PASSES, _LEAST_EPOCHS
            if goes_on:
                least = float(np.clip(_FURTHER_TEXTS / len(rows), *_FURTHER_EPOCHS))
            epochs = min(max(num_texts / len(rows), least), _MOST_EPOCHS)
        stage = self._labels_stage(epochs, seconds)
        result = run_transfer(model, objective, stage, place, settings.transfer, rates=rates)
        return rounded(model), result

    def learn_the_rest(
        self,
        model: ClassifierModel,
        rows: Int64[np.ndarray, " all_of_them"],
        seconds: float | None,
        place: StagePlace,
        guesses: Guesses | None = None,
    ) -> LoopResult:
        """Let a model that has been measured learn what was kept from it, and all else again.

        Args:
            model: changed in place.
            rows: all texts, also those that it was measured on.
            seconds: wall time; None for all epochs.
            place: see StagePlace.
            guesses: see learn.

        Raises:
            StoppedBySignal: after saving.
        """
        objective = self._objective(rows, None, guesses)
        stage = self._labels_stage(_LEAST_EPOCHS, seconds)
        result = run_over_everything(model, objective, stage, place, self._settings.transfer)
        rounded(model)
        return result

    def _labels_stage(self, epochs: float, seconds: float | None) -> StageSettings:
        settings = self._settings
        return StageSettings(
            most_epochs=epochs, most_steps=settings.steps, seconds=seconds, other_rate=0.003,
            dropout=0.2, feature_dropout=0.5, seed=settings.seed, precision=self._precision,
        )  # fmt: skip

    def _objective(
        self,
        rows: Int64[np.ndarray, " some"],
        held_out: Int64[np.ndarray, " others"] | None,
        guesses: Guesses | None,
    ) -> LabelObjective:
        data = self._data
        targets_BL = data.targets_BL[rows]
        if guesses is not None:
            rows = np.concatenate([rows, guesses.rows_U])
            # Targets that add up to less than one make the loss of a text as much smaller.
            shares_UL = guesses.targets_UL(len(data.labels)) / np.float32(LABELLED_IMPORTANCE)
            targets_BL = np.concatenate([targets_BL, shares_UL])
        others = None
        if held_out is not None:
            others = (self._some(held_out), data.judged().targets_BL[held_out])
        settings = LabellingSettings(is_multi_label=data.is_multi_label, seed=self._settings.seed)
        return LabelObjective(self._some(rows), targets_BL, others, settings)

    def scores(
        self, model: ClassifierModel, rows: Int64[np.ndarray, " some"]
    ) -> Float32[np.ndarray, "some labels"]:
        """Return the scores of all labels for some of the texts."""
        return label_logits(model, self._some(rows))

    def _some(self, rows: Int64[np.ndarray, " some"]) -> Sequence[Any]:
        return [self._sequences[row] for row in rows.tolist()]

    def _started_model(self) -> ClassifierModel:
        """Return a new model, with the weights of what it goes on from where there are any."""
        generator = torch_generator(self._settings.seed, "weights of the encoder")
        tables = self._settings.size.tables
        model = ClassifierModel(self._shape, tables, len(self._data.labels), generator)
        if self._start is not None:
            # A head comes along where a classifier for some of the same labels was gone on from.
            has_head = "head.weight" in self._start
            begin_with(model, self._start, ("head.",) if has_head else ())
        return model
