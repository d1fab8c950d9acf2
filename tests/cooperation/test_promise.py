"""The promise holds where the truth is known, and a threshold without a proof breaks it."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.cooperation.binomial import chance_of_so_few, upper_bound
from sparrowlm.cooperation.label_promises import label_promises
from sparrowlm.cooperation.promise import (
    Promise,
    PromiseSettings,
    Refusal,
    Scored,
    naive_threshold,
    promised,
)
from sparrowlm.foundation.errors import SettingError

ALPHA, DELTA = 0.05, 0.1
SETTINGS = PromiseSettings(ALPHA, 1 - DELTA)
NUM_RUNS = 200
# Three standard deviations of a share of NUM_RUNS draws.
ALLOWED = DELTA + 3 * math.sqrt(DELTA * (1 - DELTA) / NUM_RUNS)


class World:
    """Scores from 0 to 1 drawn evenly; the chance of an error at each is known."""

    def __init__(self, error_at, num_cells=2000):
        self.middles = (np.arange(num_cells) + 0.5) / num_cells
        self.errors = error_at(self.middles)
        from_above = np.cumsum(self.errors[::-1]) / np.arange(1, num_cells + 1)
        self.true_risk = from_above[::-1]

    def draw(self, random, count):
        cells = random.integers(0, len(self.middles), count)
        return Scored(self.middles[cells], random.random(count) < self.errors[cells])

    def risk(self, threshold):
        if threshold == -math.inf:
            return self.true_risk[0]
        if threshold > self.middles[-1]:
            return 0.0
        return self.true_risk[np.searchsorted(self.middles, threshold)]


def smooth(score):
    return 0.4 * (1 - score) ** 2


def bumpy(score):
    """Errors hide among sure answers: the risk crosses the line more than once."""
    return np.where((score > 0.9) & (score < 0.93), 0.5, 0.3 * (1 - score) ** 2)


def flat(score):
    """Everywhere a little above what is allowed: any promise would be false."""
    return np.full_like(score, 0.051)


def broken_share(world, choose, count=1200):
    random = np.random.default_rng(8)
    broken = 0
    for _run in range(NUM_RUNS):
        threshold = choose(world.draw(random, count))
        broken += threshold is not None and world.risk(threshold) > ALPHA
    return broken / NUM_RUNS


def proven(rows):
    scale, proof = np.arange(200), np.arange(200, len(rows))
    found = promised(rows.part(proof), rows.part(scale), SETTINGS)
    return found.threshold if isinstance(found, Promise) else None


@pytest.mark.parametrize("error_at", [smooth, bumpy, flat])
def test_promise_is_kept_where_the_truth_is_known(error_at):
    assert broken_share(World(error_at), proven) <= ALLOWED


@pytest.mark.parametrize("error_at", [smooth, flat])
def test_threshold_without_a_proof_breaks_the_promise(error_at):
    share = broken_share(World(error_at), lambda rows: naive_threshold(rows, ALPHA))
    assert share > 2 * ALLOWED


def test_promise_would_break_if_every_threshold_were_tested_at_the_full_level():
    """The check of the check: without the sequence, the lowest threshold that passes breaks it."""

    def lowest_passing(rows):
        order = np.argsort(-rows.scores_B)
        wrong = np.cumsum(rows.is_wrong_B[order])
        passing = [
            count
            for count in range(45, len(rows) + 1, 3)
            if chance_of_so_few(int(wrong[count - 1]), count, ALPHA) <= DELTA
        ]
        return rows.scores_B[order[passing[-1] - 1]] if passing else None

    assert broken_share(World(flat), lowest_passing) > ALLOWED


def test_promise_answers_nearly_as_much_as_it_could():
    world, random = World(smooth), np.random.default_rng(3)
    ratios = []
    for _run in range(100):
        rows = world.draw(random, 3000)
        naive = naive_threshold(rows, ALPHA)
        threshold = proven(rows)
        ratios.append((1 - max(threshold, 0.0)) / (1 - max(naive, 0.0)))
    assert np.mean(ratios) > 0.9


def test_promise_states_what_was_counted():
    rows = World(smooth).draw(np.random.default_rng(0), 3000)
    scale, proof = rows.part(np.arange(500)), rows.part(np.arange(500, 3000))
    found = promised(proof, scale, SETTINGS)
    is_given = proof.scores_B >= found.threshold
    assert (found.num_rows, found.num_answered) == (2500, is_given.sum())
    assert found.num_wrong == proof.is_wrong_B[is_given].sum()
    assert found.coverage == pytest.approx(is_given.mean())
    assert found.bound == pytest.approx(upper_bound(found.num_wrong, found.num_answered, 0.9))
    assert found.bound <= ALPHA


def test_promise_of_a_model_that_is_always_right_answers_everything():
    scores = np.random.default_rng(0).random(300)
    rows = Scored(scores, np.zeros(300, dtype=bool))
    found = promised(rows.part(np.arange(50, 300)), rows.part(np.arange(50)), SETTINGS)
    assert (found.threshold, found.coverage) == (-math.inf, 1.0)


def test_refusal_says_how_many_rows_or_that_none_would_do():
    random = np.random.default_rng(1)
    half_wrong = Scored(random.random(2000), random.random(2000) < 0.5)
    found = promised(half_wrong, half_wrong.part(np.arange(200)), SETTINGS)
    assert isinstance(found, Refusal)
    assert found.rows_needed is None
    nearly = Scored(random.random(120), np.arange(120) % 30 == 0)
    found = promised(nearly, nearly, SETTINGS)
    assert isinstance(found, Refusal)
    assert found.rows_needed > 120
    # What was said to do does: as good answers, as many rows.
    more = Scored(random.random(found.rows_needed * 2), np.arange(found.rows_needed * 2) % 30 == 0)
    assert isinstance(promised(more, more.part(np.arange(200)), SETTINGS), Promise)


@given(
    scores=st.lists(st.sampled_from([0.1, 0.5, 0.5, 0.9, 1.0]), min_size=1, max_size=200),
    seed=st.integers(0, 99),
)
@settings(max_examples=60)
def test_promise_of_any_rows_is_proven_or_refused(scores, seed):
    """Ties, few rows, one value: what is promised is always within its bound."""
    random = np.random.default_rng(seed)
    rows = Scored(np.array(scores), random.random(len(scores)) < 0.1)
    half = len(scores) // 2
    found = promised(rows.part(np.arange(half, len(scores))), rows.part(np.arange(half)), SETTINGS)
    if isinstance(found, Promise):
        assert found.bound <= ALPHA
        assert chance_of_so_few(found.num_wrong, found.num_answered, ALPHA) <= DELTA


def test_promise_about_everything_counts_the_large_models_errors():
    random = np.random.default_rng(2)
    count = 4000
    scores = random.random(count)
    small_wrong, large_wrong = (
        random.random(count) < 0.4 * (1 - scores) ** 2,
        random.random(count) < 0.02,
    )
    rows = Scored(scores, small_wrong, large_wrong)
    found = promised(
        rows.part(np.arange(500, count)), rows.part(np.arange(500)), SETTINGS, "everything"
    )
    proof = rows.part(np.arange(500, count))
    is_given = proof.scores_B >= found.threshold
    final = np.where(is_given, proof.is_wrong_B, proof.large_is_wrong_B)
    assert found.num_wrong == final.sum()
    assert found.kind == "everything"
    assert upper_bound(int(final.sum()), len(proof), 0.9) <= ALPHA
    # Errors that the large model mends leave room: more may be answered than by the small alone.
    alone = promised(proof, rows.part(np.arange(500)), SETTINGS)
    assert found.coverage > alone.coverage


def test_promise_about_everything_is_kept():
    world, random = World(smooth), np.random.default_rng(5)
    large_error, broken = 0.03, 0
    for _run in range(NUM_RUNS):
        rows = world.draw(random, 1200)
        rows = Scored(rows.scores_B, rows.is_wrong_B, random.random(1200) < large_error)
        scale, proof = rows.part(np.arange(200)), rows.part(np.arange(200, 1200))
        found = promised(proof, scale, SETTINGS, "everything")
        if isinstance(found, Promise):
            given = 1 - max(found.threshold, 0.0)
            truth = given * world.risk(found.threshold) + (1 - given) * large_error
            broken += truth > ALPHA
    assert broken / NUM_RUNS <= ALLOWED


def test_label_promises_hold_together_and_spare_no_bad_label():
    """One label of four is often wrong: pooled, the others hide it; by label they cannot."""
    random, num_runs, broken, pooled_hides = np.random.default_rng(4), 80, 0, 0
    errors = {"a": 0.005, "b": 0.01, "c": 0.01, "bad": 0.2}
    for _run in range(num_runs):
        labels = random.choice(["a", "b", "c", "bad"], size=2400, p=[0.4, 0.3, 0.2, 0.1]).tolist()
        wrong = np.array([random.random() < errors[label] for label in labels])
        rows = Scored(random.random(2400), wrong)
        found = label_promises(rows, labels, 400, SETTINGS)
        broken += isinstance(found.by_label.get("bad", found.others), Promise)
        whole = promised(rows.part(np.arange(400, 2400)), rows.part(np.arange(400)), SETTINGS)
        pooled_hides += isinstance(whole, Promise) and whole.threshold == -math.inf
    assert broken / num_runs <= 0.1 + 3 * math.sqrt(0.09 / num_runs)
    assert pooled_hides / num_runs > 0.5


def test_label_promises_leave_rare_labels_to_the_group_of_the_others():
    random = np.random.default_rng(6)
    labels = ["often"] * 1000 + [f"rare {number}" for number in range(20)] * 20
    random.shuffle(labels)
    rows = Scored(random.random(1400), random.random(1400) < 0.005)
    found = label_promises(rows, labels, 200, SETTINGS)
    assert set(found.by_label) == {"often"}
    assert isinstance(found.others, Promise)
    assert found.num_groups == 2
    assert found.confidence == pytest.approx(0.95)
    nothing = label_promises(rows.part(np.arange(100)), labels[:100], 20, SETTINGS)
    assert (nothing.by_label, nothing.others) == ({}, None)


def test_threshold_agrees_with_mapie_on_what_is_proven():
    """MAPIE's p-value for precision is the looser Hoeffding-Bentkus one: what it proves, we do."""
    risk_control = pytest.importorskip("mapie.risk_control")
    random = np.random.default_rng(7)
    scores = random.random(1500)
    is_right = random.random(1500) >= 0.4 * (1 - scores) ** 2
    num_proven = 0
    for threshold in (0.2, 0.5, 0.6, 0.8):
        controller = risk_control.BinaryClassificationController(
            predict_function=lambda inputs: np.column_stack([1 - inputs[:, 0], inputs[:, 0]]),
            risk="precision", target_level=1 - ALPHA, confidence_level=1 - DELTA,
            list_predict_params=np.array([threshold]), fwer_method="bonferroni",
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says which thresholds are proven by warnings too
            controller.calibrate(scores[:, None], is_right.astype(int))
        given = scores >= threshold
        ours = chance_of_so_few(int((~is_right)[given].sum()), int(given.sum()), ALPHA)
        assert ours <= float(controller.p_values[0][0]) + 1e-9
        is_proven = len(controller.valid_predict_params) > 0
        assert ours <= DELTA or not is_proven
        num_proven += is_proven
    assert 0 < num_proven < 4


@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.1, 2.0, math.nan])
def test_promise_settings_refuse_what_is_no_share(wrong):
    with pytest.raises(SettingError):
        PromiseSettings(wrong, 0.9)
    with pytest.raises(SettingError):
        PromiseSettings(0.05, wrong)
