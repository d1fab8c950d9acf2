"""Training the network of a tagger: it reads without labels first, then learns the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sparrowlm.corpora.labelled.examples import TaggedText
from sparrowlm.foundation.randomness import torch_generator
from sparrowlm.models.crf.lattice import best_labels
from sparrowlm.models.encoder import BODY_PREFIXES
from sparrowlm.models.tagger import TaggerModel, TaggerShape
from sparrowlm.runtime.encoder_files import COLUMN_TABLE
from sparrowlm.tasks.tag.blending import with_outside_cost
from sparrowlm.tasks.tag.inputs import InputMaker
from sparrowlm.tasks.tag.schemes import LabelSet
from sparrowlm.tasks.tag.settings import TaggerTrainingSettings
from sparrowlm.tasks.tag.units import Tokens, Units, spans_to_units, units_of
from sparrowlm.tasks.trained_weights import rounded
from sparrowlm.training.encoder_stage import StagePlace, StageSettings, pretrain
from sparrowlm.training.loop import LoopResult
from sparrowlm.training.tagging import (
    ErrorOf,
    TaggedSequence,
    TaggingObjective,
    TaggingSettings,
)
from sparrowlm.training.transfer import begin_with, run_over_everything, run_transfer

_PRETRAINING_UNITS = 8_000_000
_MOST_PRETRAINING_EPOCHS, _LEAST_PRETRAINING_EPOCHS = 20.0, 3.0
_TAGGING_UNITS = 2_000_000
_MOST_TAGGING_EPOCHS, _LEAST_TAGGING_EPOCHS = 40.0, 8.0
_HIDDEN_SHARE = 0.2
_COLUMN_DROPOUT, _FEATURE_DROPOUT, _DROPOUT = 0.1, 0.3, 0.1
_COLUMNS = "columns."
_UNLABELLED_BLOCK = 2000
_BIASES = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class TaggedUnits:
    """Some examples as the network sees them.

    Attributes:
        units: of their texts.
        sequences: one per chain.
    """

    units: Units
    sequences: list[TaggedSequence]


@dataclass(frozen=True)
class Names:
    """What scores are of.

    Attributes:
        labels: scheme and types of spans.
        intents: of whole texts.
        joins_runs: how texts are cut into units.
    """

    labels: LabelSet
    intents: tuple[str, ...]
    joins_runs: bool


class NetworkTraining:
    """Trains one network.

    Args:
        inputs: makes what it reads.
        names: of labels and intents.
        settings: see TaggerTrainingSettings.
        precision: of the products.

    Raises:
        ModelError: the start has another shape.
    """

    def __init__(
        self,
        inputs: InputMaker,
        names: Names,
        settings: TaggerTrainingSettings,
        precision: torch.dtype,
    ) -> None:
        self._inputs, self._names, self._settings = inputs, names, settings
        self._precision = precision
        generator = torch_generator(settings.seed, "weights of the tagger")
        shape = settings.size.shape(inputs.codec.vocab_size)
        tagger = TaggerShape(
            num_labels=len(names.labels),
            num_intents=len(names.intents),
            column_rows=settings.column_rows,
        )
        self.model = TaggerModel(shape, settings.size.tables, tagger, generator)
        # Columns come with a tagger; above another encoder they begin anew, and learn.
        start = settings.start
        self._body: tuple[str, ...] = BODY_PREFIXES
        if start is not None:
            columns = (_COLUMNS,) if COLUMN_TABLE in start else ()
            self._body = (*BODY_PREFIXES, *columns)
            begin_with(self.model, start, columns)

    def prepared(self, examples: Sequence[TaggedText], *, is_training: bool) -> TaggedUnits:
        """Turn examples into sequences.

        Args:
            examples: with spans; those of unknown types are left out.
            is_training: the gazetteer was made of these spans.
        """
        names = self._names
        texts, tokens = [one.text for one in examples], [one.tokens for one in examples]
        units = units_of(texts, tokens, joins_runs=names.joins_runs)
        numbers = {kind: number for number, kind in enumerate(names.labels.types)}
        spans = spans_to_units(units, [one.spans for one in examples])
        known = [span for span in spans if span[2] in numbers]
        own = [(a, b, numbers[kind]) for a, b, kind in known] if is_training else []
        labels_N = names.labels.encode(known, len(units), units.chains.tolist())
        inputs = self._inputs.of(units, own)
        intents = {name: number for number, name in enumerate(names.intents)}
        owners = np.searchsorted(units.unit_starts, units.chains[:-1], side="right") - 1
        sequences = []
        for chain, owner in enumerate(owners.tolist()):
            labels_T = labels_N[units.chains[chain] : units.chains[chain + 1]]
            intent = intents.get(examples[owner].intent or "", -1)
            one = TaggedSequence(inputs.ids[chain], inputs.rows(chain), labels_T, intent)
            sequences.append(one)
        return TaggedUnits(units, sequences)

    def pretrain(
        self, examples: Sequence[TaggedText], seconds: float | None, place: StagePlace
    ) -> LoopResult:
        """Read all texts without labels.

        Args:
            examples: the training texts; those of the settings are read too.
            seconds: wall time; None for all epochs.
            place: see StagePlace.

        Raises:
            StoppedBySignal: after saving.
        """
        settings = self._settings
        ids = self._unlabelled_ids(examples)
        num_units = sum(map(len, ids))
        epochs = settings.pretraining_epochs
        if epochs is None:
            epochs = _PRETRAINING_UNITS / max(num_units, 1)
            epochs = min(max(epochs, _LEAST_PRETRAINING_EPOCHS), _MOST_PRETRAINING_EPOCHS)
        stage = StageSettings(
            most_epochs=epochs, most_steps=settings.steps, seconds=seconds, seed=settings.seed,
            precision=self._precision,
        )  # fmt: skip
        return pretrain(self.model, ids, stage, place)

    def learn(
        self,
        train: Sequence[TaggedSequence],
        held_out: TaggedUnits,
        seconds: float | None,
        place: StagePlace,
    ) -> LoopResult:
        """Learn the labels; the model ends with the very weights that its files will hold.

        Args:
            train: to learn from.
            held_out: say which weights are best.
            seconds: wall time; None for all epochs.
            place: see StagePlace.

        Raises:
            StoppedBySignal: after saving.
        """
        settings = self._settings
        objective = self._objective(train, held_out)
        epochs = settings.tagging_epochs
        if epochs is None:
            epochs = _TAGGING_UNITS / max(sum(len(one.labels) for one in train), 1)
            epochs = min(max(epochs, _LEAST_TAGGING_EPOCHS), _MOST_TAGGING_EPOCHS)
        stage = self._labels_stage(epochs, seconds)
        return self._trained(run_transfer, objective, stage, place)

    def learn_the_rest(
        self,
        examples: Sequence[TaggedText],
        inputs: InputMaker,
        seconds: float | None,
        place: StagePlace,
    ) -> LoopResult:
        """Let a model that has been measured learn what was kept from it, and all else again.

        Args:
            examples: all of them.
            inputs: made of all of them.
            seconds: wall time; None for all epochs.
            place: see StagePlace.

        Raises:
            StoppedBySignal: after saving.
        """
        self._inputs = inputs
        sequences = self.prepared(examples, is_training=True).sequences
        stage = self._labels_stage(_LEAST_TAGGING_EPOCHS, seconds)
        return self._trained(run_over_everything, self._objective(sequences, None), stage, place)

    def _objective(
        self, train: Sequence[TaggedSequence], held_out: TaggedUnits | None
    ) -> TaggingObjective:
        labels = self._names.labels
        chosen = TaggingSettings(
            seed=self._settings.seed, hidden_share=_HIDDEN_SHARE,
            hidden_spans=self._settings.hidden_spans, outside=labels.numbers.get("O"),
        )  # fmt: skip
        sequences = [] if held_out is None else held_out.sequences
        error = None if held_out is None else self._error_of(held_out)
        penalties = labels.constraints().penalties()
        return TaggingObjective(train, sequences, penalties, chosen, error)

    def _labels_stage(self, epochs: float, seconds: float | None) -> StageSettings:
        settings = self._settings
        return StageSettings(
            most_epochs=epochs, most_steps=settings.steps, seconds=seconds, dropout=_DROPOUT,
            feature_dropout=_FEATURE_DROPOUT, average_decay=0.99, seed=settings.seed,
            precision=self._precision,
        )  # fmt: skip

    def _trained(
        self, run: Callable[..., LoopResult], objective: TaggingObjective, stage: StageSettings,
        place: StagePlace,
    ) -> LoopResult:  # fmt: skip
        model = self.model
        model.column_dropout = _COLUMN_DROPOUT
        result = run(model, objective, stage, place, self._settings.transfer, frozen=self._body)
        model.column_dropout = 0.0
        rounded(model)
        return result

    def _error_of(self, held_out: TaggedUnits) -> ErrorOf:
        """Return what says how far the spans of held-out texts are from the true ones: 1 - F1.

        "Outside" costs something more where that is better: the blend chooses that afterwards.
        """
        labels, chains = self._names.labels, held_out.units.chains
        true = set(labels.decode(np.concatenate([one.labels for one in held_out.sequences])))
        penalties = labels.constraints().penalties()

        def error(scores_NL: Any, edges: Any) -> float:  # noqa: ANN401
            best = 0.0
            for bias in _BIASES if "O" in labels.numbers else (0.0,):
                moved = with_outside_cost(edges + penalties, labels, bias)
                found = set(labels.decode(best_labels(scores_NL, chains, moved)))
                num_right = len(found & true)
                best = max(best, 2 * num_right / max(len(found) + len(true), 1))
            return 1.0 - best

        return error

    def _unlabelled_ids(self, examples: Sequence[TaggedText]) -> list[Any]:
        found = []
        texts = [one.text for one in examples]
        blocks: list[tuple[Sequence[str], Sequence[Tokens] | None]] = []
        if texts:
            blocks.append((texts, [one.tokens for one in examples]))
        others = self._settings.unlabelled
        firsts = range(0, len(others), _UNLABELLED_BLOCK)
        blocks += [(others[first : first + _UNLABELLED_BLOCK], None) for first in firsts]
        for some, tokens in blocks:
            units = units_of(some, tokens, joins_runs=self._names.joins_runs)
            ids_N = self._inputs.ids(units)
            found += np.split(ids_N, units.chains[1:-1])
        return [ids for ids in found if len(ids)]
