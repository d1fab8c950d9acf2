"""From labelled texts to the best classifier that fits: floor, network, blend, choice.

    linear model   scored on texts it did not see, in folds or on a held-out part
    encoder        reads without labels, learns labels, scored on the same texts
    blend          weights for the two, learnt on those scores; calibrated probabilities
    choice         the one with the least loss there; the linear model is trained anew on all texts

Shape letters: B texts, L labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Int64
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.quantities import format_size
from sparrowlm.foundation.randomness import derive_seed
from sparrowlm.tasks.classify.blending import Blend, learnt_blend, loss_nats
from sparrowlm.tasks.classify.encoder_training import EncoderTraining
from sparrowlm.tasks.classify.examples import LabelledTexts
from sparrowlm.tasks.classify.linear_training import LinearRecipe, LinearTraining
from sparrowlm.tasks.classify.model import (
    ENCODER,
    FLOOR,
    LINEAR,
    Classifier,
    ClassifierSettings,
    EncoderPart,
)
from sparrowlm.tasks.classify.rejecting import Detector, learnt_detector, reject_label, signs
from sparrowlm.tasks.classify.self_training import MOST_GUESSED, Guesses
from sparrowlm.tasks.classify.settings import LEAST_LINEAR_BYTES, ClassifierTrainingSettings
from sparrowlm.tasks.trained_weights import arrays_of, as_loaded
from sparrowlm.text.tokenizers import TokenCodec
from sparrowlm.training.encoder_stage import Clock, StagePlace
from sparrowlm.training.linear import folds
from sparrowlm.training.loop import LoopResult
from sparrowlm.training.transfer import SHARE_BEFORE_EVERYTHING, reading_share

# Fewer texts than this are too few to give some away for measuring: every text is scored by models
# that were trained without it.
_MOST_TEXTS_IN_FOLDS = 4000
_NUM_FOLDS = 5
# With more of them one part in ten is given away, and no more texts than measuring needs.
_HELD_OUT_FOLDS, _MOST_HELD_OUT = 10, 2500
# Of the time left for the network; an encoder that has read before only meets the new kind of text.
_PRETRAINING_SHARE, _FURTHER_PRETRAINING_SHARE = 0.4, 0.2
# A part whose absence costs less than this share of the loss is left out.
_WORTH_LEAVING_OUT = 0.005

_KNOWN = "known"
# What is known never counts for more than so many times what is learnt now.
_MOST_TRUST = 3.0
# Guessed labels are learnt from where the loss falls to this share of what it was. Texts of another
# subject are guessed wrongly, which no held-out text of this one shows: it stays as it was.
_WORTH_GUESSING = 0.97

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Scores = dict[str, Matrix]
Rows = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class TrainedClassifier:
    """What came of a training.

    Attributes:
        classifier: ready to answer.
        model_arrays: weights of the encoder by name; empty where it has no say.
        orders: of the encoder's n-grams.
        scores: of every part for the texts that were measured on.
        rows: numbers of those texts.
        alone: how each part alone becomes probabilities: "floor", and "encoder" where there is one.
        stages: curve and figures of every run of the network.
        facts: further figures: penalty, folds, seconds.
    """

    classifier: Classifier
    model_arrays: dict[str, Any]
    orders: tuple[int, ...]
    scores: Scores
    rows: Int64[np.ndarray, " measured"]
    alone: dict[str, Blend]
    stages: dict[str, LoopResult] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


class _Tried(NamedTuple):
    loss: float
    recipe: LinearRecipe
    scores_BL: Matrix


class ClassifierTraining:
    """One training.

    Args:
        data: the labelled texts; held-out ones among them.
        held_out: numbers of the texts to measure on; None derives folds or a part.
        codec: tokenizer of the encoder; None trains the linear model alone.
        settings: all dials.
        place: where checkpoints are kept and who is told; directory and fingerprint are extended
            for every stage.
    """

    def __init__(
        self,
        data: LabelledTexts,
        held_out: Int64[np.ndarray, " held_out"] | None,
        codec: TokenCodec | None,
        settings: ClassifierTrainingSettings,
        place: StagePlace,
    ) -> None:
        self._data = _with_unlabelled(data, settings)
        self._judged = self._data.judged()
        self._codec = codec
        self._settings = settings
        self._place = place
        self._clock = Clock(settings.seconds)
        self._folds_B = self._divided(held_out)
        self._measured = np.flatnonzero(self._folds_B >= 0)
        # What was drawn here to measure on is learnt in the end; what the person gave for it never.
        given = self._measured if held_out is not None else self._measured[:0]
        self._learnt_in_the_end = np.setdiff1d(self._data.learnt(), given)
        self._stages: dict[str, LoopResult] = {}

    def run(self) -> TrainedClassifier:
        """Train everything and choose.

        Raises:
            StoppedBySignal: after saving what can be continued.
        """
        progress = self._place.progress
        progress.start(say("tasks.classify-linear-stage"), None, "")
        settings = self._settings
        linear = LinearTraining(
            self._data,
            settings.features,
            settings.words,
            self._linear_bytes(has_network=True),
            settings.seed,
            settings.known,
        )
        recipe, scores_BL = self._linear_scores(linear)
        scores: Scores = {LINEAR: scores_BL[self._measured]}
        targets_BL = self._judged.targets_BL[self._measured]
        floor = self._blend({LINEAR: scores[LINEAR]}, targets_BL)
        self._say_floor(floor, scores)
        model: Any = None
        training: EncoderTraining | None = None
        guesses_of = linear.guesses if recipe.has_guesses else _no_guesses
        if self._codec is not None:
            training = self._encoder(self._codec)
            model, encoder_BL = self._encoder_scores(training, guesses_of)
            scores[ENCODER] = encoder_BL[self._measured]
        blend = self._chosen(scores, targets_BL)
        if training is not None and ENCODER in blend.weights and self._is_one_part_drawn():
            every = self._learnt_in_the_end
            self._stages["rest"] = training.learn_the_rest(
                model, every, self._clock.left(), self._place.of("rest"), guesses_of(every)
            )
        return self._assembled(linear, recipe, model, blend, scores, floor)

    def _divided(self, held_out: Int64[np.ndarray, " held_out"] | None) -> Any:  # noqa: ANN401
        """Give every text a fold; -1 is trained on always. Equal texts stay together."""
        count = len(self._data)
        if held_out is not None:
            folds_B = np.full(count, -1, dtype=np.int64)
            folds_B[held_out] = 0
            return folds_B
        is_known_B, groups_B = self._data.is_known_B(), self._data.groups_B()
        is_small = int(is_known_B.sum()) <= _MOST_TEXTS_IN_FOLDS
        folds_B = np.full(count, -1, dtype=np.int64)
        for group in np.unique(groups_B[is_known_B]):
            rows = np.flatnonzero(is_known_B & (groups_B == group))
            num_folds = _NUM_FOLDS
            if len(rows) > _MOST_TEXTS_IN_FOLDS and not is_small:
                num_folds = max(_HELD_OUT_FOLDS, len(rows) // _MOST_HELD_OUT)
            labels = self._judged.true_labels()[rows]
            folds_B[rows] = folds(labels, min(num_folds, len(rows)), self._settings.seed)
        first: dict[str, int] = {}
        folds_B = folds_B[[first.setdefault(t, i) for i, t in enumerate(self._data.texts)]]
        is_measured_B = is_known_B if is_small else is_known_B & (folds_B == 0)
        return np.where(is_measured_B, folds_B, -1)

    def _linear_scores(self, linear: LinearTraining) -> tuple[LinearRecipe, Matrix]:
        """Choose the recipe whose scores, weighed, have the least loss."""
        num_folds = int(self._folds_B.max()) + 1
        known_BL = linear.known_scores()
        recipes = [LinearRecipe(machines) for machines in linear.recipes(num_folds)]
        tried = [self._tried(linear, recipe, known_BL) for recipe in recipes]
        best = min(tried, key=lambda one: one.loss)
        if len(self._data.unlabelled()):
            guessed = self._tried(linear, best.recipe._replace(has_guesses=True), known_BL)
            is_better = guessed.loss <= _WORTH_GUESSING * best.loss
            self._say_guesses(best, guessed, is_better=is_better)
            if is_better:
                best = guessed
        return best.recipe, best.scores_BL

    def _tried(
        self, linear: LinearTraining, recipe: LinearRecipe, known_BL: Matrix | None
    ) -> _Tried:
        """Measure a recipe, and find out how far to trust what is known."""
        scores_BL = linear.held_out_scores(self._folds_B, recipe._replace(trust=0.0))
        if known_BL is not None:
            recipe = recipe._replace(trust=self._trust(scores_BL, known_BL))
            scores_BL = scores_BL + np.float32(recipe.trust) * known_BL
        measured = {LINEAR: scores_BL[self._measured]}
        targets_BL = self._judged.targets_BL[self._measured]
        loss = self._loss(self._blend(measured, targets_BL), measured, targets_BL)
        return _Tried(loss, recipe, scores_BL)

    def _trust(self, scores_BL: Matrix, known_BL: Matrix) -> float:
        """Return the share of what is known that suits texts which neither has seen."""
        parts = {LINEAR: scores_BL[self._measured], _KNOWN: known_BL[self._measured]}
        weights = self._blend(parts, self._judged.targets_BL[self._measured]).weights
        if LINEAR not in weights:
            return _MOST_TRUST
        trust = weights.get(_KNOWN, 0.0) / weights[LINEAR]
        return min(max(trust, self._settings.least_trust), _MOST_TRUST)

    def _encoder(self, codec: TokenCodec) -> EncoderTraining:
        from sparrowlm.training.precision import fastest_precision

        training = EncoderTraining(self._data, codec, self._settings, fastest_precision())
        settings = self._settings
        share = reading_share(settings, _PRETRAINING_SHARE, _FURTHER_PRETRAINING_SHARE)
        if settings.pretraining_epochs != 0 and share:
            place = self._place.of("pretraining", "tasks.classify-pretraining-point")
            self._stages["pretraining"] = training.pretrain(self._clock.left(share), place)
        return training

    def _encoder_scores(
        self, training: EncoderTraining, guesses_of: Callable[[Rows], Guesses | None]
    ) -> tuple[Any, Any]:
        scores_BL = np.zeros_like(self._data.targets_BL)
        is_taught_B, num_folds = self._data.is_taught_B(), int(self._folds_B.max()) + 1
        if num_folds == 1:
            rows, held_out = np.flatnonzero((self._folds_B < 0) & is_taught_B), self._measured
            place = self._place.of("labels", "tasks.classify-labels-point")
            share = SHARE_BEFORE_EVERYTHING if self._is_one_part_drawn() else 1.0
            model, self._stages["labels"] = training.learn(
                rows, held_out, self._clock.left(share), place, guesses_of(rows)
            )
            scores_BL[held_out] = training.scores(model, held_out)
            return model, scores_BL
        for fold in range(num_folds):
            rows = np.flatnonzero((self._folds_B != fold) & is_taught_B)
            others = np.flatnonzero(self._folds_B == fold)
            seconds = self._clock.left(1 / (num_folds + 1 - fold))
            place = self._place.of(f"fold{fold}")
            model, _result = training.learn(rows, None, seconds, place, guesses_of(rows))
            scores_BL[others] = training.scores(model, others)
        place, every = (
            self._place.of("labels", "tasks.classify-labels-point"),
            self._learnt_in_the_end,
        )
        model, self._stages["labels"] = training.learn(
            every, None, self._clock.left(), place, guesses_of(every)
        )
        return model, scores_BL

    def _is_one_part_drawn(self) -> bool:
        """Say whether the network has not seen texts that are to be learnt in the end."""
        is_one_part = int(self._folds_B.max()) == 0
        return is_one_part and bool(np.isin(self._measured, self._learnt_in_the_end).any())

    def _chosen(self, scores: Scores, targets_BL: Any) -> Blend:  # noqa: ANN401
        """Return the blend of all parts, or of one where the others add next to nothing.

        A network that does not pay for its megabytes is left at home.
        """
        parts = self._settings.parts
        if parts in (LINEAR, ENCODER):
            return self._blend({parts: scores[parts]}, targets_BL)
        best = self._blend(scores, targets_BL)
        if parts == "auto":
            allowed = (1 + _WORTH_LEAVING_OUT) * self._loss(best, scores, targets_BL)
            for name in (LINEAR, ENCODER):
                if len(best.weights) > 1 and name in scores:
                    alone = self._blend({name: scores[name]}, targets_BL)
                    if self._loss(alone, scores, targets_BL) <= allowed:
                        return alone
        return best

    def _assembled(
        self, linear: LinearTraining, recipe: LinearRecipe, model: Any, blend: Blend,  # noqa: ANN401
        scores: Scores, floor: Blend,
    ) -> TrainedClassifier:  # fmt: skip
        linear_part = encoder_part = None
        arrays: dict[str, Any] = {}
        if ENCODER in blend.weights and self._codec is not None:
            arrays = arrays_of(model)
            encoder_part = EncoderPart(as_loaded(model), self._codec)
        if LINEAR in blend.weights:
            is_alone = ENCODER not in blend.weights
            linear_part = linear.part(
                recipe, self._learnt_in_the_end, self._linear_bytes(has_network=not is_alone)
            )
        settings = ClassifierSettings(
            labels=self._data.labels,
            blend=blend,
            threshold=0.5 if self._data.is_multi_label else 0.0,
            words=self._settings.words,
            detector=self._detector(blend, scores),
        )
        alone = {FLOOR: floor}
        if ENCODER in scores:
            targets_BL = self._judged.targets_BL[self._measured]
            alone[ENCODER] = self._blend({ENCODER: scores[ENCODER]}, targets_BL)
        facts = {
            "linear": [machine._asdict() for machine in recipe.machines],
            "trust_in_known": recipe.trust,
            "learnt_from_guesses": recipe.has_guesses,
            "seconds": self._clock.passed(),
        }
        return TrainedClassifier(
            Classifier(settings, linear_part, encoder_part), arrays,
            self._settings.size.tables.orders, scores, self._measured, alone, self._stages,
            facts,
        )  # fmt: skip

    def _linear_bytes(self, *, has_network: bool) -> int | None:
        """Return the room for the linear model, with or without a network beside it."""
        settings = self._settings
        codec = self._codec if has_network and settings.parts != LINEAR else None
        room = settings.linear_bytes(codec, len(self._data.labels))
        if room is not None and room < LEAST_LINEAR_BYTES:
            assert settings.most_bytes is not None  # noqa: S101 - else there is no limit
            needed = settings.most_bytes - room + LEAST_LINEAR_BYTES
            raise SettingError(
                "tasks.classify-size", received=format_size(settings.most_bytes),
                needed=format_size(needed),
            )  # fmt: skip
        return room

    def _detector(self, blend: Blend, scores: Scores) -> Detector | None:
        """Learn to refuse, where a label holds examples of what belongs nowhere."""
        label = reject_label(self._data.labels)
        if label is None or self._data.is_multi_label or len(self._data.labels) < 3:
            return None
        kept = {name: scores[name] for name in blend.weights}
        is_outside_B = self._judged.true_labels()[self._measured] == label
        return learnt_detector(signs(kept, blend.logits(kept), label), is_outside_B, label)

    def _blend(self, scores: Scores, targets_BL: Any) -> Blend:  # noqa: ANN401
        return learnt_blend(scores, targets_BL, is_multi_label=self._data.is_multi_label)

    def _loss(self, blend: Blend, scores: Scores, targets_BL: Any) -> float:  # noqa: ANN401
        return loss_nats(blend.logits(scores), targets_BL, is_multi_label=self._data.is_multi_label)

    def _say_guesses(self, without: _Tried, guessed: _Tried, *, is_better: bool) -> None:
        targets_BL = self._judged.targets_BL[self._measured]
        shares = []
        for one in (without, guessed):
            is_right_B = one.scores_BL[self._measured].argmax(axis=1) == targets_BL.argmax(axis=1)
            shares.append(f"{100 * float(is_right_B.mean()):.2f}")
        number = f"{len(self._data.unlabelled()):,}"
        code = "tasks.classify-guesses" if is_better else "tasks.classify-guesses-left"
        self._place.progress.note(say(code, number=number, without=shares[0], guessed=shares[1]))

    def _say_floor(self, floor: Blend, scores: Scores) -> None:
        given_BL = floor.logits({LINEAR: scores[LINEAR]})
        right = given_BL.argmax(axis=1) == self._judged.true_labels()[self._measured]
        share = f"{100 * float(right.mean()):.2f}"
        self._place.progress.note(say("tasks.classify-floor", accuracy=share))


def _with_unlabelled(data: LabelledTexts, settings: ClassifierTrainingSettings) -> LabelledTexts:
    """Put texts without a label beside the others, where labels can be guessed for them."""
    if not settings.unlabelled or data.is_multi_label or settings.parts == ENCODER:
        return data
    texts = list(dict.fromkeys(settings.unlabelled))
    if len(texts) > MOST_GUESSED:
        random = np.random.default_rng(derive_seed(settings.seed, "guessed texts"))
        texts = [texts[row] for row in np.sort(random.permutation(len(texts))[:MOST_GUESSED])]
    return data.with_unlabelled(texts)


def _no_guesses(_rows: Rows) -> None:
    """Guess nothing."""
