"""Fitting the floor.

Scheme, features and units follow from the examples; held-out text chooses the cost of weights, the
number of passes and what "outside" costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sparrowlm.corpora.labelled.examples import Span, TaggedText
from sparrowlm.foundation.array_types import Float32, Int32
from sparrowlm.foundation.errors import DataError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress, SilentProgress
from sparrowlm.models.crf.compression import fitted, packed_bytes
from sparrowlm.models.crf.lattice import best_labels
from sparrowlm.models.crf.problem import CrfProblem, Examples
from sparrowlm.models.crf.rows import RowIndex
from sparrowlm.models.crf.templates import Hashes
from sparrowlm.models.crf.training import CrfSettings, train_crf
from sparrowlm.models.crf.weights import CrfWeights
from sparrowlm.tasks.tag.blending import with_outside_cost
from sparrowlm.tasks.tag.features import Features, numbers_of_units
from sparrowlm.tasks.tag.floor import TagFloor
from sparrowlm.tasks.tag.gazetteer import Gazetteer
from sparrowlm.tasks.tag.metric import SpanScore
from sparrowlm.tasks.tag.profiles import Profile
from sparrowlm.tasks.tag.schemes import LabelSet, SchemeName, UnitSpan
from sparrowlm.tasks.tag.units import Units, is_cjk, placed_spans, spans_to_units, units_of

_MOST_TYPES = 255
_MANY_TYPES = 30
_MANY_UNITS = 1_000_000
_CHINESE_SHARE = 0.3
_WHOLE_SHARE = 0.999
_SPLIT_SHARE = 0.5
_MISFIT_SHARE = 0.005
_AVERAGED_PASSES = 5
_FEW_BIASES = (0.0, 0.5, 1.0)
_FINE_STEPS = (-0.25, -0.125, 0.0, 0.125, 0.25, 0.5)


@dataclass(frozen=True)
class FloorSettings:
    """What is tried.

    Args:
        costs: candidates for c2; held-out text chooses.
        num_passes: of AdaGrad over the examples; held-out text chooses the best.
        rate: size of the steps.
        least_count: features seen less often in training are not kept; None: 2 in long texts,
            where the rest would not fit into memory, else 1.
        max_bytes: of the saved file; None: as long as int8 makes it.
        scheme: None: see choose_scheme.
        profile: None: follows from the script and the scheme.
        has_gazetteer: the training spans become a feature.
        joins_runs: runs of letters and digits are one unit; None: see choose_joins_runs.
        seed: order of the examples, and what is left out.
    """

    costs: tuple[float, ...] = (0.1, 0.5, 2.0)
    num_passes: int = 6
    rate: float = 0.1
    least_count: int | None = None
    max_bytes: int | None = None
    scheme: SchemeName | None = None
    profile: Profile | None = None
    has_gazetteer: bool = True
    joins_runs: bool | None = None
    seed: int = 0


@dataclass(frozen=True)
class FloorFit:
    """A fitted floor and what was measured on held-out text.

    Args:
        floor: quantized and cut to size.
        cost: the chosen c2.
        num_passes: the chosen number of passes.
        bias: what "outside" costs, so that more spans are found.
        f1_float32: micro F1 before weights were made small.
        f1: micro F1 of the floor as it is saved.
        size_bytes: of the saved file.
        num_features: features seen in training.
        was_stopped: Ctrl-C ended the search early.
    """

    floor: TagFloor
    cost: float
    num_passes: int
    bias: float
    f1_float32: float
    f1: float
    size_bytes: int
    num_features: int
    was_stopped: bool


@dataclass
class _Best:
    """The best weights so far."""

    f1: float = 0.0
    cost: float = 0.0
    number: int = 0
    bias: float = 0.0
    weights: CrfWeights | None = None


@dataclass(frozen=True)
class _HeldOut:
    """The held-out examples as numbers."""

    units: Units
    hashes_NF: Hashes
    features_NF: Int32[np.ndarray, "units templates"]
    gold: list[Span]


def fit_floor(
    train: Sequence[TaggedText],
    held_out: Sequence[TaggedText],
    settings: FloorSettings | None = None,
    progress: Progress | None = None,
) -> FloorFit:
    """Learn a floor.

    Args:
        train: examples to learn from.
        held_out: examples that choose cost and number of passes; nothing is learnt from them.
        settings: None means the defaults.
        progress: counts passes.

    Raises:
        DataError: no examples, or none of them marks anything.
        ModelError: max_bytes is too few.
    """
    settings = settings or FloorSettings()
    if not train or not any(example.spans for example in train):
        raise DataError("tasks.tag-no-examples")
    return _Fit(train, held_out or train, settings, progress or SilentProgress()).result()


def refitted_floor(
    examples: Sequence[TaggedText],
    fit: FloorFit,
    settings: FloorSettings | None = None,
    progress: Progress | None = None,
) -> TagFloor | None:
    """Learn the same floor from more examples: everything as it was chosen, nothing is measured.

    Args:
        examples: those that the first one learnt from, and those that chose.
        fit: what was chosen; labels that it does not know are left out.
        settings: of the first one.
        progress: counts passes.

    Returns:
        The floor; None where Ctrl-C ended the search.
    """
    floor, known = fit.floor, set(fit.floor.labels.types)
    same = replace(
        settings or FloorSettings(), costs=(fit.cost,), num_passes=fit.num_passes,
        scheme=floor.labels.scheme, profile=floor.features.profile, joins_runs=floor.joins_runs,
    )  # fmt: skip
    kept = [
        replace(one, spans=tuple(span for span in one.spans if span.label in known))
        for one in examples
    ]
    return _Fit(kept, (), same, progress or SilentProgress()).again(fit)


def choose_joins_runs(examples: Sequence[TaggedText]) -> bool:
    """Say whether runs of letters and digits should be one unit.

    Not where the data's own tokens split them, nor where spans often end inside one.
    """
    texts = [example.text for example in examples]
    units = units_of(texts)
    is_border = np.zeros(len(units.text) + 1, dtype=np.bool_)
    is_border[units.begins], is_border[units.ends] = True, True
    borders = [
        int(start) + edge
        for start, example in zip(units.text_starts, examples, strict=True)
        for span in example.spans
        for edge in (span.start, span.end)
    ]
    if borders and 1.0 - is_border[borders].mean() > _MISFIT_SHARE:
        return False
    runs = units.ends - units.begins > 1
    num_runs, num_split = int(runs.sum()), 0
    starts = {
        int(start) + begin
        for start, example in zip(units.text_starts, examples, strict=True)
        for begin, end in example.tokens
        if end == begin + 1
    }
    for begin, end in zip(units.begins[runs].tolist(), units.ends[runs].tolist(), strict=True):
        num_split += all(place in starts for place in range(begin, end))
    return num_split <= _SPLIT_SHARE * num_runs


def choose_scheme(units: Units, spans: Sequence[UnitSpan]) -> SchemeName:
    """BMES where the spans leave nothing outside; BIO where types are many; else BIOES.

    Work grows with the square of the labels, of which BIOES has twice as many as BIO.
    """
    covered = sum(end - start for start, end, _ in spans)
    if covered >= _WHOLE_SHARE * len(units):
        return "BMES"
    return "BIOES" if len({kind for _, _, kind in spans}) <= _MANY_TYPES else "BIO"


def choose_profile(units: Units, scheme: SchemeName) -> Profile:
    """The features that fit the script and the scheme."""
    share = float(is_cjk(units.kinds[units.begins]).mean()) if len(units) else 0.0
    if share < _CHINESE_SHARE:
        return "words"
    return "segmentation" if scheme == "BMES" else "characters"


class _Fit:
    def __init__(
        self,
        train: Sequence[TaggedText],
        held_out: Sequence[TaggedText],
        settings: FloorSettings,
        progress: Progress,
    ) -> None:
        self._settings, self._progress = settings, progress
        joins_runs = settings.joins_runs
        self._joins_runs = choose_joins_runs(train) if joins_runs is None else joins_runs
        units, spans = self._units(train)
        scheme = settings.scheme or choose_scheme(units, spans)
        self._labels = LabelSet(scheme, tuple(sorted({kind for _, _, kind in spans})))
        profile = settings.profile or choose_profile(units, scheme)
        numbers = {kind: number for number, kind in enumerate(self._labels.types)}
        numbered = [(start, end, numbers[kind]) for start, end, kind in spans]
        gazetteer = None
        if settings.has_gazetteer and scheme != "BMES" and len(numbers) < _MOST_TYPES:
            least = 1 if profile == "words" else 2
            gazetteer = Gazetteer.of(numbers_of_units(units), numbered, least)
        self._features = Features(profile, gazetteer)
        self._templates = self._features.templates()
        hashes = self._templates.hashes(self._features.columns(units, numbered), units.chains)
        least_count = settings.least_count or (1 if len(units) < _MANY_UNITS else 2)
        self._rows = RowIndex.of(hashes, least_count)
        self._problem = self._problem_of(units, spans, self._rows.find(hashes))
        self._choosing = held_out

    @cached_property
    def _eval(self) -> _HeldOut:
        return self._prepared(self._choosing)

    def again(self, fit: FloorFit) -> TagFloor | None:
        """Return the floor with the cost, the passes and the bias of an earlier one."""
        learnt = train_crf(self._problem, self._crf(fit.cost), progress=self._progress)
        if learnt.was_stopped:
            return None
        return self._packed(self._biased(learnt.weights, fit.bias))

    def result(self) -> FloorFit:
        best = _Best()
        was_stopped = False
        for cost in self._settings.costs:

            def watch(number: int, weights: CrfWeights, cost: float = cost) -> bool:
                f1, bias = self._best_bias(weights, _FEW_BIASES)
                if best.weights is None or f1 > best.f1:
                    best.f1, best.weights = f1, weights
                    best.cost, best.number, best.bias = cost, number, bias
                return False

            learnt = train_crf(self._problem, self._crf(cost), progress=self._progress, watch=watch)
            was_stopped = learnt.was_stopped
            if was_stopped:
                break
        return self._finished(best, was_stopped)

    def _finished(self, best: _Best, was_stopped: bool) -> FloorFit:
        weights = best.weights
        if weights is None:
            raise DataError("tasks.tag-no-examples")
        around = tuple(max(best.bias + step, 0.0) for step in _FINE_STEPS)
        f1, bias = self._best_bias(weights, around)
        weights = self._biased(weights, bias)
        floor = self._packed(weights)
        small = floor.weights
        f1_small = self._f1(small, small.scores(floor.rows.find(self._eval.hashes_NF)))
        size = floor.size_bytes()
        self._progress.note(
            say(
                "tasks.tag-floor-fitted",
                f1=100 * f1_small,
                whole=100 * f1,
                bytes=size,
                cost=best.cost,
            )
        )
        num_features = len(self._rows)
        return FloorFit(
            floor, best.cost, best.number, bias, f1, f1_small, size, num_features, was_stopped
        )

    def _packed(self, weights: CrfWeights) -> TagFloor:
        """Return a floor with small weights, cut to the bytes that were asked for."""
        whole = TagFloor(self._labels, self._features, self._rows, weights, self._joins_runs)
        other = whole.size_bytes() - packed_bytes(self._rows, weights)
        rows, small = fitted(self._rows, weights, self._settings.max_bytes, other)
        return replace(whole, rows=rows, weights=small)

    def _best_bias(self, weights: CrfWeights, biases: Sequence[float]) -> tuple[float, float]:
        """Return the best F1 on held-out text, and the cost of "outside" that gives it.

        Likelihood is content with too few spans where most units lie outside.
        """
        scores_NL = weights.scores(self._eval.features_NF)
        if self._labels.scheme == "BMES":
            return self._f1(weights, scores_NL), 0.0
        tried = [(self._f1(self._biased(weights, bias), scores_NL), -bias) for bias in biases]
        f1, negative = max(tried)
        return f1, -negative

    def _biased(self, weights: CrfWeights, bias: float) -> CrfWeights:
        return replace(weights, edges=with_outside_cost(weights.edges, self._labels, bias))

    def _crf(self, cost: float) -> CrfSettings:
        one = self._settings
        return CrfSettings(
            method="adagrad",
            c2=cost,
            max_iterations=one.num_passes,
            rate=one.rate,
            num_averaged=_AVERAGED_PASSES,
            seed=one.seed,
        )

    def _units(self, examples: Sequence[TaggedText]) -> tuple[Units, list[UnitSpan]]:
        texts, tokens = [one.text for one in examples], [one.tokens for one in examples]
        units = units_of(texts, tokens, joins_runs=self._joins_runs)
        return units, spans_to_units(units, [one.spans for one in examples])

    def _prepared(self, examples: Sequence[TaggedText]) -> _HeldOut:
        units, _ = self._units(examples)
        hashes = self._templates.hashes(self._features.columns(units), units.chains)
        gold = placed_spans(units, [one.spans for one in examples])
        return _HeldOut(units, hashes, self._rows.find(hashes), gold)

    def _problem_of(
        self,
        units: Units,
        spans: list[UnitSpan],
        features_NF: Int32[np.ndarray, "units templates"],
    ) -> CrfProblem:
        labels = self._labels.encode(spans, len(units), units.chains.tolist())
        examples = Examples(features_NF, units.chains, labels)
        return CrfProblem.of(examples, len(self._rows), len(self._labels))

    def _f1(self, weights: CrfWeights, scores_NL: Float32[np.ndarray, "units labels"]) -> float:
        units = self._eval.units
        edges = weights.edges + self._labels.constraints().penalties()
        labels_N = best_labels(scores_NL, units.chains, edges)
        found = [
            Span(int(units.begins[first]), int(units.ends[stop - 1]), kind)
            for first, stop, kind in self._labels.decode(labels_N)
        ]
        score = SpanScore()
        score.add(self._eval.gold, found)
        return score.micro.f1
