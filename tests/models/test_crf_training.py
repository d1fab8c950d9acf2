"""Learning: CRFsuite's optimum, the gradient, equal numbers with any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from sparrowlm.foundation.errors import DataError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.crf.lattice import best_labels
from sparrowlm.models.crf.problem import ABSENT, CrfProblem, Examples
from sparrowlm.models.crf.training import CrfSettings, train_crf

needs_native = pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")


def random_examples(
    seed: int = 0, num_sentences: int = 60, num_rows: int = 40, num_labels: int = 4
):
    """Labels that depend on features and on the label before, with noise."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(0, 12, num_sentences)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    features = generator.integers(0, num_rows, (int(starts[-1]), 3)).astype(np.int32)
    features[generator.random(features.shape) < 0.1] = ABSENT
    wanted = np.random.default_rng(7).normal(size=(num_rows, num_labels))
    scores = np.where(features[:, :, None] >= 0, wanted[features], 0.0).sum(axis=1)
    labels = (scores + generator.gumbel(size=scores.shape)).argmax(axis=1).astype(np.int32)
    return Examples(features, starts, labels)


def problem_of(**options):
    return CrfProblem.of(random_examples(**options), 40, 4)


@pytest.mark.parametrize("native", ["0", "1"])
def test_gradient_equals_differences(native, monkeypatch):
    monkeypatch.setenv("SPARROW_NATIVE", native)
    problem = problem_of(num_sentences=12)
    weights = np.random.default_rng(1).normal(size=problem.num_parameters)
    value, gradient = problem.loss(weights)
    for place in np.random.default_rng(2).integers(0, len(weights), 25):
        moved = weights.copy()
        moved[place] += 1e-5
        assert (problem.loss(moved)[0] - value) / 1e-5 == pytest.approx(gradient[place], abs=2e-3)


@needs_native
@pytest.mark.parametrize("all_labels", [False, True])
def test_native_loss_equals_numpy(all_labels, monkeypatch):
    problem = CrfProblem.of(random_examples(), 40, 4, all_labels)
    weights = np.random.default_rng(1).normal(size=problem.num_parameters)
    value, gradient = problem.loss(weights)
    monkeypatch.setenv("SPARROW_NATIVE", "0")
    other, other_gradient = problem.loss(weights)
    assert value == pytest.approx(other, rel=1e-12)
    np.testing.assert_allclose(gradient, other_gradient, atol=1e-4)


@needs_native
def test_the_number_of_threads_changes_no_bit():
    problem = problem_of(num_sentences=300)
    weights = np.random.default_rng(1).normal(size=problem.num_parameters)
    alone = problem.loss(weights, 1)
    for num_threads in (2, 3, 8):
        value, gradient = problem.loss(weights, num_threads)
        assert value == alone[0]
        assert gradient.tobytes() == alone[1].tobytes()


def crfsuite(examples: Examples, path: str, c1: float, c2: float):
    pycrfsuite = pytest.importorskip("pycrfsuite")
    parameters = {
        "c1": c1,
        "c2": c2,
        "max_iterations": 2000,
        "delta": 1e-8,
        "feature.possible_transitions": True,
    }
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", params=parameters, verbose=False)
    sentences = []
    for first, last in zip(examples.starts[:-1], examples.starts[1:], strict=True):
        rows = examples.features_NF[first:last]
        sentences.append([[f"{row}" for row in some if row >= 0] for some in rows])
        if first < last:
            trainer.append(sentences[-1], [str(y) for y in examples.labels_N[first:last]])
    trainer.train(path)
    tagger = pycrfsuite.Tagger()
    tagger.open(path)
    labels = [int(y) for sentence in sentences if sentence for y in tagger.tag(sentence)]
    return trainer.logparser.last_iteration["loss"], labels


@pytest.mark.parametrize(("c1", "c2"), [(0.0, 0.5), (0.0, 0.05), (0.7, 0.1)])
def test_crfsuite_finds_the_same_optimum(tmp_path, c1, c2):
    examples = random_examples(num_sentences=200)
    loss, labels = crfsuite(examples, str(tmp_path / "peer"), c1, c2)
    settings = CrfSettings(c1=c1, c2=c2, has_ends=False, tolerance=1e-8, max_iterations=2000)
    learnt = train_crf(CrfProblem.of(examples, 40, 4), settings)
    assert learnt.loss == pytest.approx(loss, rel=1e-4)
    ours = best_labels(
        learnt.weights.scores(examples.features_NF), examples.starts, learnt.weights.edges
    )
    assert np.mean(ours == np.array(labels)) >= 0.995


def test_absolute_costs_make_zeros():
    problem = problem_of()
    learnt = train_crf(problem, CrfSettings(c1=2.0, c2=0.0))
    dense = train_crf(problem, CrfSettings(c1=0.0, c2=0.1))
    assert (learnt.weights.entry_weights == 0).mean() > 0.3
    assert (dense.weights.entry_weights == 0).mean() < 0.05


@needs_native
@pytest.mark.parametrize("method", ["lbfgs", "adagrad"])
def test_numpy_learns_the_same(method, monkeypatch):
    problem = problem_of(num_sentences=25)
    settings = CrfSettings(method=method, max_iterations=4, c2=0.3, num_averaged=2, seed=3)
    native = train_crf(problem, settings).weights
    monkeypatch.setenv("SPARROW_NATIVE", "0")
    slow = train_crf(problem, settings).weights
    np.testing.assert_allclose(slow.entry_weights, native.entry_weights, atol=2e-4)
    np.testing.assert_allclose(slow.edges, native.edges, atol=2e-4)


def test_adagrad_comes_near_the_optimum():
    problem = problem_of(num_sentences=300)
    best = train_crf(problem, CrfSettings(c2=1.0))
    near = train_crf(problem, CrfSettings("adagrad", c2=1.0, max_iterations=30, num_averaged=10))

    def total(weights):
        vector = np.concatenate([weights.entry_weights.astype(np.float64), weights.edges])
        return problem.loss(vector)[0] + float((vector**2).sum())

    assert total(near.weights) < 1.01 * total(best.weights)


def test_the_same_seed_gives_the_same_bits():
    problem = problem_of()
    settings = CrfSettings("adagrad", max_iterations=3, seed=5)
    first, second = (train_crf(problem, settings).weights for _ in range(2))
    assert first.entry_weights.tobytes() == second.entry_weights.tobytes()
    other = train_crf(problem, CrfSettings("adagrad", max_iterations=3, seed=6)).weights
    assert first.entry_weights.tobytes() != other.entry_weights.tobytes()


@pytest.mark.parametrize("method", ["lbfgs", "adagrad"])
def test_watching_ends_the_search(method):
    seen = []

    def watch(number, weights):
        seen.append(weights.num_labels)
        return number == 3

    learnt = train_crf(problem_of(), CrfSettings(method), watch=watch)
    assert seen == [4, 4, 4]
    assert learnt.num_iterations == 3
    assert not learnt.was_stopped


def test_a_signal_keeps_the_last_iteration():
    import os
    import signal

    def watch(number, weights):
        if number == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return False

    learnt = train_crf(problem_of(), CrfSettings("adagrad", max_iterations=50), watch=watch)
    assert learnt.was_stopped
    assert learnt.num_iterations == 2


def test_huge_weights_stay_finite():
    problem = problem_of()
    weights = np.random.default_rng(1).normal(scale=300, size=problem.num_parameters)
    weights[problem.num_entries :] /= 10
    value, gradient = problem.loss(weights)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_numbers_out_of_range_are_refused():
    examples = random_examples()
    with pytest.raises(DataError, match="39"):
        CrfProblem.of(examples, 10, 4)
    with pytest.raises(DataError):
        CrfProblem.of(examples, 40, 2)
    nothing = Examples(np.zeros((0, 3), np.int32), np.zeros(1, np.int64), np.zeros(0, np.int32))
    with pytest.raises(DataError):
        CrfProblem.of(nothing, 40, 4)
