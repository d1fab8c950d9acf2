"""From tagged texts to the best tagger that fits: floor, network, blend, choice.

    floor      a conditional random field, its cost and passes chosen on held-out text
    network    goes on from another or begins anew, reads without labels, learns label chains;
               held-out text says when it was best
    blend      weights for the two, learnt there; cost of "outside"; confidence of spans
    choice     both, unless one alone has a clearly better F1 there; within the bytes asked for

Shape letters: N units, L labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sparrowlm.corpora.labelled.examples import TaggedText
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.interrupts import StoppedBySignal
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.quantities import format_size
from sparrowlm.models.tagger import TaggerShape
from sparrowlm.tasks.tag.blend_training import (
    HeldOutChains,
    fitted_intent_weight,
    learnt_blend,
    with_confidence,
)
from sparrowlm.tasks.tag.blending import FLOOR, NETWORK, ChainScores, TagBlend
from sparrowlm.tasks.tag.dictionary import UserDictionary
from sparrowlm.tasks.tag.dividing import divided
from sparrowlm.tasks.tag.floor import TagFloor
from sparrowlm.tasks.tag.floor_training import (
    FloorFit,
    FloorSettings,
    fit_floor,
    refitted_floor,
)
from sparrowlm.tasks.tag.inputs import InputMaker
from sparrowlm.tasks.tag.metric import Counts
from sparrowlm.tasks.tag.model import Tagger, TaggerSettings, of_texts
from sparrowlm.tasks.tag.network import NetworkPart
from sparrowlm.tasks.tag.network_training import (
    Names,
    NetworkTraining,
    TaggedUnits,
)
from sparrowlm.tasks.tag.settings import TaggerTrainingSettings
from sparrowlm.tasks.tag.units import placed_spans, spans_to_units, units_of
from sparrowlm.tasks.trained_weights import arrays_of, as_loaded
from sparrowlm.text.tokenizers import TokenCodec
from sparrowlm.training.encoder_stage import Clock, StagePlace
from sparrowlm.training.loop import LoopResult
from sparrowlm.training.tagging import tagger_scores
from sparrowlm.training.transfer import SHARE_BEFORE_EVERYTHING, reading_share

# Of the time left for the network; an encoder that has read before only meets new kinds of text.
_PRETRAINING_SHARE, _FURTHER_PRETRAINING_SHARE = 0.3, 0.15
_SMALL_FILES_BYTES = 40_000  # configurations, card, report
_LEAST_FLOOR_BYTES = 30_000
# Of the time left for labels, however long the floor takes to learn everything in the end.
_LEAST_SHARE_OF_LABELS = 0.5
_NOT_CLEARLY_BETTER = 0.003  # of F1
_MANY_CHARACTERS = 600_000  # beyond, the floor tries one cost only
_MANY_COST = (0.5,)


@dataclass(frozen=True)
class TrainedTagger:
    """What came of a training.

    Attributes:
        tagger: ready to answer.
        model_arrays: weights of the network by name; empty where there is none.
        orders: of the encoder's n-grams.
        blends: of everything measured: "floor", "network", "both", and "model", which ships.
        whole_floor: the floor before it had to leave room for the network.
        held_out: the examples that chose.
        stages: curve and figures of every run of the network.
        facts: further figures.
    """

    tagger: Tagger
    model_arrays: dict[str, Any]
    orders: tuple[int, ...]
    blends: dict[str, TagBlend]
    whole_floor: TagFloor
    held_out: Sequence[TaggedText]
    stages: dict[str, LoopResult] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Candidates:
    """What may ship: name -> blend and its figures on held-out text."""

    blends: dict[str, TagBlend] = field(default_factory=dict)
    figures: dict[str, Counts] = field(default_factory=dict)

    def add(self, name: str, blend: TagBlend, counts: Counts) -> None:
        self.blends[name], self.figures[name] = blend, counts


def chosen_part(f1: Mapping[str, float]) -> str:
    """Return what ships: both together unless one alone is clearly better.

    Args:
        f1: of "floor", "network" and "both" on held-out text, 0 to 1, as far as they are there.
    """
    best = max(f1, key=lambda name: f1[name])
    # So little is chance, and two that err differently are the safer ones.
    return "both" if f1.get("both", 0.0) >= f1[best] - _NOT_CLEARLY_BETTER else best


class TaggerTraining:
    """One training.

    Args:
        data: examples to learn from.
        held_out: examples that choose; None or none takes some away from data.
        codec: tokenizer of the network; None trains the floor alone.
        settings: all dials.
        place: where checkpoints are kept and who is told; directory and fingerprint are extended
            for every stage.

    Raises:
        SettingError: settings ask for what was not given.
    """

    def __init__(
        self,
        data: Sequence[TaggedText],
        held_out: Sequence[TaggedText] | None,
        codec: TokenCodec | None,
        settings: TaggerTrainingSettings,
        place: StagePlace,
    ) -> None:
        self._clock = Clock(settings.seconds)
        self._data = data
        if codec is None and settings.parts in (NETWORK, "both"):
            raise SettingError("tasks.tag-needs", received=settings.parts, needed="codec")
        self._train, self._held_out = data, held_out or ()
        self._is_drawn = not held_out
        if not held_out:
            self._train, self._held_out = divided(data, settings.seed)
        self._codec = codec if settings.parts != FLOOR else None
        self._settings, self._place = settings, place
        self._stages: dict[str, LoopResult] = {}
        self._fit: FloorFit | None = None
        self._fit_seconds = 0.0
        self._network: NetworkTraining | None = None

    def run(self) -> TrainedTagger:
        """Train everything and choose.

        Raises:
            StoppedBySignal: after saving what can be continued.
        """
        fit = self._fitted_floor()
        whole, floor = fit.floor, fit.floor
        if self._codec is not None:
            floor = self._beside_network(whole)
        # A network that tells intents stays, whoever finds the spans.
        is_joint = self._codec is not None and bool(self._intents())
        alone = floor if is_joint else self._fitting(whole, self._room(with_network=False))
        text = self._held_out_chains(whole)
        parts = {FLOOR: ChainScores(alone.scores(text.units), alone.weights.edges)}
        found = _Candidates()
        found.add(FLOOR, *learnt_blend(text, parts))
        if self._codec is None:
            blend = with_confidence(found.blends[FLOOR], text, parts)
            tagger = Tagger(TaggerSettings(blend=blend), alone, None, self._dictionary())
            return self._assembled(tagger, found, fit, None)
        return self._with_network(fit, (alone, floor), text, found)

    def finished(self, trained: TrainedTagger) -> TrainedTagger:
        """Let a tagger that has been measured learn the examples too that were drawn for choosing.

        What a person gave for choosing is never learnt. How much floor and network count, what
        "outside" costs and how sure spans are stays as those examples chose it.

        Args:
            trained: what run returned.

        Raises:
            StoppedBySignal: after saving what can be continued.
        """
        if not self._is_drawn or self._fit is None:
            return trained
        progress, tagger, arrays = self._place.progress, trained.tagger, trained.model_arrays
        progress.start(say("tasks.tag-rest-stage"), None, "")
        whole = refitted_floor(self._data, self._fit, self._floor_settings(), progress)
        if whole is None:
            raise StoppedBySignal(saved_to=self._place.directory)
        has_network, has_floor = tagger.network is not None, FLOOR in tagger.settings.blend.weights
        floor, network = self._fitting(whole, self._room(with_network=False)), None
        if has_network and self._network is not None:
            floor = self._beside_network(whole)
            inputs = self._inputs(floor)
            place = self._place.of("rest", "tasks.tag-labels-point")
            self._stages["rest"] = self._network.learn_the_rest(
                self._data, inputs, self._clock.left(), place
            )
            arrays = arrays_of(self._network.model)
            network = NetworkPart(as_loaded(self._network.model), inputs)
        if not has_floor:
            floor = floor.without_features()
        tagger = Tagger(tagger.settings, floor, network, tagger.dictionary)
        facts = {**trained.facts, "floor_bytes": floor.size_bytes(),
                 "seconds": self._clock.passed()}  # fmt: skip
        return replace(
            trained, tagger=tagger, model_arrays=arrays, whole_floor=whole, facts=facts,
            stages=self._stages,
        )  # fmt: skip

    def _with_network(
        self,
        fit: FloorFit,
        floors: tuple[TagFloor, TagFloor],
        text: HeldOutChains,
        found: _Candidates,
    ) -> TrainedTagger:
        alone, small = floors
        training = self._network = self._network_training(alone)
        train = training.prepared(self._train, is_training=True)
        held_out = training.prepared(self._held_out, is_training=False)
        self._run_stages(training, train, held_out)
        scores = tagger_scores(training.model, held_out.sequences)
        edges = training.model.edges.detach().double().numpy()
        parts = {
            FLOOR: ChainScores(small.scores(text.units), small.weights.edges),
            NETWORK: ChainScores(scores.labels_NL, edges),
        }
        found.add(NETWORK, *learnt_blend(text, {NETWORK: parts[NETWORK]}))
        found.add("both", *learnt_blend(text, parts))
        chosen = self._chosen(found)
        if chosen == FLOOR:
            parts = {FLOOR: ChainScores(alone.scores(text.units), alone.weights.edges)}
        blend = with_confidence(found.blends[chosen], text, parts)
        intents = self._intents()
        if intents:
            blend = replace(blend, intent_weight=self._intent_weight(held_out, scores.intents_SK))
        network = None
        if chosen != FLOOR or intents:
            inputs = self._inputs(alone)
            network = NetworkPart(as_loaded(training.model), inputs)
        floor = {FLOOR: alone, "both": small}.get(chosen)
        settings = TaggerSettings(blend=blend, intents=intents)
        tagger = Tagger(settings, floor or small.without_features(), network, self._dictionary())
        return self._assembled(tagger, found, fit, training)

    def _chosen(self, found: _Candidates) -> str:
        parts = self._settings.parts
        if parts != "auto":
            return parts
        return chosen_part({name: counts.f1 for name, counts in found.figures.items()})

    def _fitted_floor(self) -> FloorFit:
        progress, chosen = self._place.progress, self._floor_settings()
        progress.start(say("tasks.tag-floor-stage"), None, "")
        before = self._clock.passed()
        fit = fit_floor(self._train, self._held_out, chosen, progress)
        if fit.was_stopped:
            raise StoppedBySignal(saved_to=self._place.directory)
        self._fit, self._fit_seconds = fit, (self._clock.passed() - before) / len(chosen.costs)
        return fit

    def _floor_settings(self) -> FloorSettings:
        chosen = replace(self._settings.floor, seed=self._settings.seed)
        if sum(len(one.text) for one in self._train) > _MANY_CHARACTERS:
            chosen = replace(chosen, costs=_MANY_COST)
        return chosen

    def _held_out_chains(self, floor: TagFloor) -> HeldOutChains:
        texts = [one.text for one in self._held_out]
        tokens = [one.tokens for one in self._held_out]
        units = units_of(texts, tokens, joins_runs=floor.joins_runs)
        several = [one.spans for one in self._held_out]
        known = [s for s in spans_to_units(units, several) if s[2] in floor.labels.types]
        true_N = floor.labels.encode(known, len(units), units.chains.tolist())
        return HeldOutChains(units, floor.labels, true_N, placed_spans(units, several))

    def _inputs(self, floor: TagFloor) -> InputMaker:
        assert self._codec is not None  # noqa: S101 - asked for only where there is one
        features, rows = floor.features, self._settings.column_rows
        return InputMaker(self._codec, features.profile, features.gazetteer, rows)

    def _network_training(self, floor: TagFloor) -> NetworkTraining:
        from sparrowlm.training.precision import fastest_precision

        names = Names(floor.labels, self._intents(), floor.joins_runs)
        inputs, precision = self._inputs(floor), fastest_precision()
        return NetworkTraining(inputs, names, self._settings, precision)

    def _dictionary(self) -> UserDictionary | None:
        entries = self._settings.entries
        return UserDictionary(entries) if entries else None

    def _intents(self) -> tuple[str, ...]:
        return tuple(sorted({one.intent for one in self._train if one.intent is not None}))

    def _run_stages(
        self, training: NetworkTraining, train: TaggedUnits, held_out: TaggedUnits
    ) -> None:
        settings = self._settings
        share = reading_share(settings, _PRETRAINING_SHARE, _FURTHER_PRETRAINING_SHARE)
        if settings.pretraining_epochs != 0 and share:
            seconds = self._clock.left(share)
            place = self._place.of("pretraining", "tasks.tag-pretraining-point")
            self._stages["pretraining"] = training.pretrain(self._train, seconds, place)
        place = self._place.of("labels", "tasks.tag-labels-point")
        seconds = self._clock.left()
        if seconds is not None and self._is_drawn:
            # The rest is for everything once more, see finished.
            left = SHARE_BEFORE_EVERYTHING * seconds
            seconds = max(left - self._fit_seconds, _LEAST_SHARE_OF_LABELS * seconds)
        self._stages["labels"] = training.learn(train.sequences, held_out, seconds, place)

    def _intent_weight(self, held_out: TaggedUnits, intents_SK: Any) -> float:  # noqa: ANN401
        numbers = {name: number for number, name in enumerate(self._intents())}
        true_B = np.array([numbers.get(one.intent or "", -1) for one in self._held_out])
        return fitted_intent_weight(of_texts(held_out.units, intents_SK), true_B)

    def _assembled(
        self, tagger: Tagger, found: _Candidates, fit: FloorFit, training: NetworkTraining | None
    ) -> TrainedTagger:
        has_network = tagger.network is not None and training is not None
        arrays = arrays_of(training.model) if has_network and training is not None else {}
        facts = {
            "f1": {name: counts.f1 for name, counts in found.figures.items()},
            "cost": fit.cost,
            "num_held_out": len(self._held_out),
            "floor_bytes": tagger.floor.size_bytes(),
            "seconds": self._clock.passed(),
        }
        return TrainedTagger(
            tagger, arrays, self._settings.size.tables.orders,
            {**found.blends, "model": tagger.settings.blend}, fit.floor, self._held_out,
            self._stages, facts,
        )  # fmt: skip

    def _beside_network(self, floor: TagFloor) -> TagFloor:
        """Cut the floor to what the network leaves of the room."""
        return self._fitting(floor, self._room(with_network=True, labels=len(floor.labels)))

    def _room(self, *, with_network: bool, labels: int = 0) -> int | None:
        settings, codec = self._settings, self._codec
        if settings.most_bytes is None:
            return None
        room = settings.most_bytes - _SMALL_FILES_BYTES
        room -= len(UserDictionary(settings.entries).as_bytes())
        if with_network and codec is not None:
            tagger = TaggerShape(
                num_labels=labels, num_intents=len(self._intents()),
                column_rows=settings.column_rows,
            )  # fmt: skip
            room -= settings.size.directory_bytes(codec)
            room -= tagger.file_bytes(settings.size.width)
        if room < _LEAST_FLOOR_BYTES:
            needed = settings.most_bytes - room + _LEAST_FLOOR_BYTES
            raise SettingError(
                "tasks.tag-size", received=format_size(settings.most_bytes),
                needed=format_size(needed),
            )  # fmt: skip
        return room

    def _fitting(self, floor: TagFloor, room: int | None) -> TagFloor:
        return floor if room is None or floor.size_bytes() <= room else floor.shrunk(room)
