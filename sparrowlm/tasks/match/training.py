"""From pairs of texts to the best matcher that fits: floors, comparison, network, blend, index.

    labelled pairs      cosine (the floor), linear comparison, two-tower encoder where there is a
                        tokenizer: scored on held-out pairs, blended there, calibrated
    unlabelled pairs    questions and answers: learnt search beside BM25 and TF-IDF, the best kept;
                        without labelled pairs, pairs are judged by what noise on the questions
                        taught

Shape letters: B pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.corpora.labelled import TextPair, divide
from sparrowlm.foundation.array_types import Float32, Int64
from sparrowlm.foundation.errors import DataError, SettingError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.quantities import format_size
from sparrowlm.runtime.directory import ANSWERS_FILE, ENCODER_FILE, LINEAR_FILE, PAIRS_FILE
from sparrowlm.tasks.match.blending import PairBlend, learnt_blend, loss_nats
from sparrowlm.tasks.match.examples import Pairs, as_pairs, divided, label_names
from sparrowlm.tasks.match.metric import PairFigures, SearchFigures, best_threshold, pair_figures
from sparrowlm.tasks.match.model import (
    COMPARISON,
    COSINE,
    ENCODER,
    EncoderPart,
    Matcher,
    MatcherSettings,
)
from sparrowlm.tasks.match.pair_training import ComparisonTraining
from sparrowlm.tasks.match.search_training import IndexData
from sparrowlm.tasks.match.self_training import ChosenIndex, chosen_index, noise_pairs
from sparrowlm.tasks.match.settings import MatcherTrainingSettings
from sparrowlm.text.tokenizers import TokenCodec
from sparrowlm.training.encoder_stage import Clock, StagePlace
from sparrowlm.training.linear import folds
from sparrowlm.training.loop import LoopResult
from sparrowlm.training.transfer import SHARE_BEFORE_EVERYTHING, reading_share

# Fewer pairs than this are too few to give some away: each is scored by models without it.
_MOST_PAIRS_IN_FOLDS = 1500
_NUM_FOLDS = 5
_HELD_OUT_SHARE = 0.15
# Of the time left; an encoder that has read before only meets new kinds of text.
_PRETRAINING_SHARE, _FURTHER_PRETRAINING_SHARE = 0.35, 0.15
# The network must lower the loss by this share to be worth its megabytes.
_LEAST_GAIN = 0.005
_LEAST_LINEAR_BYTES, _SMALL_FILES_BYTES = 20_000, 30_000
_UNNAMED = ("0", "1")

Scores = dict[str, np.ndarray[Any, np.dtype[np.float32]]]
Rows = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class TrainedMatcher:
    """What came of a training.

    Attributes:
        matcher: ready to answer.
        model_arrays: weights of the encoder by name; empty where it has no say.
        orders: of the encoder's n-grams.
        pair_figures: of every part and of "blend", on held-out pairs.
        search_figures: of every search, on changed questions.
        search: "learnt", "bm25" or "tf-idf"; None without answers.
        stages: curve and figures of every run of the network.
        seconds: that it all took.
    """

    matcher: Matcher
    model_arrays: dict[str, Any]
    orders: tuple[int, ...]
    pair_figures: dict[str, PairFigures]
    search_figures: dict[str, SearchFigures]
    search: str | None
    stages: dict[str, LoopResult] = field(default_factory=dict)
    seconds: float = 0.0


def train_matcher(
    pairs: Sequence[TextPair],
    held_out: Sequence[TextPair] | None,
    codec: TokenCodec | None,
    settings: MatcherTrainingSettings,
    place: StagePlace,
) -> TrainedMatcher:
    """Train everything and choose.

    Args:
        pairs: labelled ones are judged; unlabelled ones are questions with their answers.
        held_out: labelled pairs to blend, calibrate and measure on; None takes some of pairs,
            and teaches them too afterwards.
        codec: tokenizer of the encoder; None trains without a network.
        settings: all dials.
        place: where checkpoints are kept and who is told.

    Raises:
        DataError: no pairs, or labels that are not two.
        SettingError: the size is too small for what was asked.
        StoppedBySignal: after saving what can be continued.
    """
    return MatcherTraining(pairs, held_out, codec, settings, place).run()


def files(trained: TrainedMatcher) -> dict[str, Callable[[Path], None]]:
    """Return what a model directory needs beside config.json and model.safetensors.

    Args:
        trained: where its model_arrays are not empty, the Transformer has to be written too (see
            runtime/encoder_files.py).

    Returns:
        Name of every file, and what writes it to a path.
    """
    matcher = trained.matcher
    found: dict[str, Callable[[Path], None]] = {
        PAIRS_FILE: matcher.comparison.features.save,
        LINEAR_FILE: matcher.comparison.model.save,
    }
    if matcher.index is not None:
        found[ANSWERS_FILE] = matcher.index.save
    if trained.model_arrays:
        found[ENCODER_FILE] = lambda path: _write_encoder(path, trained)
    return found


def _write_encoder(path: Path, trained: TrainedMatcher) -> None:
    from sparrowlm.runtime.encoder_files import write_parts

    write_parts(path, trained.orders, trained.model_arrays)


class MatcherTraining:
    """One training; see train_matcher."""

    def __init__(
        self,
        pairs: Sequence[TextPair],
        held_out: Sequence[TextPair] | None,
        codec: TokenCodec | None,
        settings: MatcherTrainingSettings,
        place: StagePlace,
    ) -> None:
        self._labelled, self._stored = divided(pairs)
        if not self._labelled and not self._stored:
            raise DataError("tasks.match-nothing")
        self._held_out = None if held_out is None else divided(held_out)[0] or None
        self._codec = codec
        self._settings = settings
        self._place = place
        self._clock = Clock(settings.seconds)
        self._stages: dict[str, LoopResult] = {}
        # Wrong labels are said before any time is spent.
        self._labels = label_names(self._labelled) if self._labelled else _UNNAMED

    def run(self) -> TrainedMatcher:
        """Train everything and choose."""
        search = self._search()
        self._place.progress.start(say("tasks.match-pairs-stage"), None, "")
        pairs, folds_B = self._pairs(search)
        is_known_B = folds_B < 0
        measured = np.flatnonzero(~is_known_B)
        fitted = np.flatnonzero(is_known_B) if is_known_B.any() else np.arange(len(pairs))
        linear = ComparisonTraining(pairs, fitted, self._settings.words, self._settings.seed)
        scores = self._linear_scores(linear, folds_B)
        targets_B = pairs.targets_B[measured]
        self._say_floor(scores, targets_B)
        encoder = self._encoder(pairs, folds_B)
        if encoder is not None:
            scores[ENCODER] = encoder.scores(measured)
        blend = self._chosen(scores, targets_B)
        with_encoder = encoder if ENCODER in blend.weights else None
        if with_encoder is not None and self._held_out is None:
            every = np.arange(len(pairs))
            place = self._place.of("rest")
            self._stages["rest"] = with_encoder.learn_the_rest(every, self._clock.left(), place)
        rows = fitted if self._held_out is not None else np.arange(len(pairs))
        room = self._linear_bytes(with_encoder is not None, search, linear)
        comparison = linear.train(rows, room)
        return self._assembled(comparison, with_encoder, search, blend, scores, targets_B)

    def _search(self) -> ChosenIndex | None:
        if not self._stored:
            return None
        self._place.progress.start(say("tasks.match-search-stage"), None, "")
        chosen = chosen_index(self._index_data())
        shown = {kind: f"{100 * one.hit_1:.1f}" for kind, one in chosen.figures.items()}
        self._place.progress.note(
            say("tasks.match-search-floor", bm25=shown["bm25"], tf_idf=shown["tf-idf"],
                learnt=shown["learnt"], kept=chosen.kind)
        )  # fmt: skip
        return chosen

    def _index_data(self) -> IndexData:
        settings = self._settings
        entries = [(pair.first, pair.second) for pair in self._stored]
        return IndexData.of(entries, settings.index_features, settings.words, settings.seed)

    def _pairs(self, search: ChosenIndex | None) -> tuple[Pairs, Rows]:
        """Return pairs, and the fold in which each is measured on; -1 where it is trained on."""
        labelled, held_out = self._labelled, self._held_out
        if not labelled:
            assert search is not None  # noqa: S101 - there are stored questions
            made = noise_pairs(search.index, self._index_data())
            return made, self._folds(made)
        positive = self._labels[1]
        if held_out is None and len(labelled) > _MOST_PAIRS_IN_FOLDS:
            train, other = divide(labelled, _HELD_OUT_SHARE, self._settings.seed)
            labelled, held_out = _only_pairs(train), _only_pairs(other)
        both = as_pairs([*labelled, *(held_out or ())], positive)
        if held_out is None:
            return both, self._folds(both)
        return both, np.where(np.arange(len(both)) < len(labelled), -1, 0)

    def _folds(self, pairs: Pairs) -> Rows:
        labels_B = (pairs.targets_B > 0.5).astype(np.int64)
        return folds(labels_B, max(min(_NUM_FOLDS, len(pairs)), 2), self._settings.seed)

    def _linear_scores(
        self, linear: ComparisonTraining, folds_B: Int64[np.ndarray, " pairs"]
    ) -> Scores:
        measured = np.flatnonzero(folds_B >= 0)
        compared_B = np.zeros(len(folds_B), dtype=np.float32)
        for fold in range(int(folds_B.max(initial=0)) + 1):
            rows, others = np.flatnonzero(folds_B == fold), np.flatnonzero(folds_B != fold)
            if len(rows) and len(others):
                compared_B[rows] = linear.scores(linear.train(others), rows)
        return {COSINE: linear.measures.cosine()[measured], COMPARISON: compared_B[measured]}

    def _encoder(self, pairs: Pairs, folds_B: Int64[np.ndarray, " pairs"]) -> Any:  # noqa: ANN401
        settings, parts = self._settings, self._settings.parts
        if self._codec is None or parts == "linear":
            return None
        if not self._labelled or not (folds_B < 0).any():
            self._place.progress.note(say("tasks.match-too-few", least=_MOST_PAIRS_IN_FOLDS))
            return None
        from sparrowlm.tasks.match.encoder_training import EncoderTraining

        rows, held_out = np.flatnonzero(folds_B < 0), np.flatnonzero(folds_B >= 0)
        training = EncoderTraining(pairs, self._codec, settings)
        share = reading_share(settings, _PRETRAINING_SHARE, _FURTHER_PRETRAINING_SHARE)
        if settings.pretraining_epochs > 0 and share:
            seconds = self._clock.left(share)
            stage = self._place.of("pretraining", "tasks.match-pretraining-point")
            self._stages["pretraining"] = training.pretrain(rows, seconds, stage)
        stage = self._place.of("pairs", "tasks.match-pairs-point")
        seconds = self._clock.left(1.0 if self._held_out is not None else SHARE_BEFORE_EVERYTHING)
        self._stages["pairs"] = training.learn(rows, held_out, seconds, stage)
        return training

    def _chosen(self, scores: Scores, targets_B: Float32[np.ndarray, " pairs"]) -> PairBlend:
        """Return the blend of all parts, without the network where it is hardly worth it."""
        parts = self._settings.parts
        if parts == "encoder" and ENCODER in scores:
            return learnt_blend({ENCODER: scores[ENCODER]}, targets_B)
        blend = learnt_blend(scores, targets_B)
        if ENCODER not in scores or parts == "both":
            return blend
        small = learnt_blend({n: s for n, s in scores.items() if n != ENCODER}, targets_B)
        losses = [loss_nats(one.logits(scores), targets_B) for one in (blend, small)]
        return blend if losses[0] < (1 - _LEAST_GAIN) * losses[1] else small

    def _linear_bytes(
        self, has_encoder: bool, search: ChosenIndex | None, linear: ComparisonTraining
    ) -> int | None:
        """Return what the other files leave of the room."""
        settings = self._settings
        if settings.most_bytes is None:
            return None
        room = settings.most_bytes - _SMALL_FILES_BYTES - linear.features.size_bytes()
        if search is not None:
            room -= search.index.size_bytes()
        if has_encoder and self._codec is not None:
            room -= settings.size.directory_bytes(self._codec) + 4 * settings.size.width
        if room < _LEAST_LINEAR_BYTES:
            needed = format_size(settings.most_bytes - room + _LEAST_LINEAR_BYTES)
            received = format_size(settings.most_bytes)
            raise SettingError("tasks.match-size", received=received, needed=needed)
        return room

    def _assembled(
        self, comparison: Any, encoder: Any, search: ChosenIndex | None, blend: PairBlend,  # noqa: ANN401
        scores: Scores, targets_B: Float32[np.ndarray, " pairs"],
    ) -> TrainedMatcher:  # fmt: skip
        is_same_B = targets_B > 0.5
        threshold = best_threshold(is_same_B, blend.probabilities(scores))
        settings = MatcherSettings(
            labels=self._labels,
            blend=blend,
            threshold=min(max(threshold, 1e-6), 1.0),
            answer_threshold=0.5 if search is None else search.threshold,
            words=self._settings.words,
        )
        part = arrays = None
        if encoder is not None and self._codec is not None:
            part, arrays = EncoderPart(encoder.loaded(), self._codec), encoder.arrays()
        index = None if search is None else search.index
        figures = {name: _figures({name: one}, targets_B) for name, one in scores.items()}
        figures["blend"] = pair_figures(is_same_B, blend.probabilities(scores), threshold)
        return TrainedMatcher(
            Matcher(settings, comparison, part, index),
            arrays or {}, self._settings.size.tables.orders, figures,
            {} if search is None else search.figures, None if search is None else search.kind,
            self._stages, self._clock.passed(),
        )  # fmt: skip

    def _say_floor(self, scores: Scores, targets_B: Float32[np.ndarray, " pairs"]) -> None:
        shown = {
            name: f"{100 * _figures({name: one}, targets_B).f1:.2f}" for name, one in scores.items()
        }
        self._place.progress.note(
            say("tasks.match-floor", floor=shown[COSINE], comparison=shown[COMPARISON])
        )


def _figures(scores: Scores, targets_B: Float32[np.ndarray, " pairs"]) -> PairFigures:
    """Return figures of one part alone, with its own probabilities and threshold."""
    probabilities_B = learnt_blend(scores, targets_B).probabilities(scores)
    is_same_B = targets_B > 0.5
    return pair_figures(is_same_B, probabilities_B, best_threshold(is_same_B, probabilities_B))


def _only_pairs(examples: Sequence[Any]) -> list[TextPair]:
    return [example for example in examples if isinstance(example, TextPair)]
