"""The layer's loss is that of models/crf on the same scores; its gradient is the true one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.models.crf.constraints import Constraints
from sparrowlm.models.crf.lattice import expectations, split_edges
from sparrowlm.models.label_chain import LOWEST, chain_nats
from sparrowlm.tasks.tag.schemes import LabelSet


def random_case(seed: int, num_labels: int, lengths: list[int], spread: float = 2.0):
    random = np.random.default_rng(seed)
    scores = [spread * random.standard_normal((length, num_labels)) for length in lengths]
    edges = random.standard_normal(num_labels * (num_labels + 2))
    labels = [random.integers(0, num_labels, length) for length in lengths]
    return scores, edges, labels


def padded(rows: list[np.ndarray]) -> torch.Tensor:
    whole = np.full((len(rows), max(map(len, rows)), *rows[0].shape[1:]), 7, rows[0].dtype)
    for row, place in zip(rows, whole, strict=True):
        place[: len(row)] = row
    return torch.from_numpy(whole)


def reference(scores, edges, labels) -> float:
    starts = np.concatenate([[0], np.cumsum([len(one) for one in scores])])
    log_z = expectations(np.concatenate(scores), starts, edges).log_z
    transitions, begin, end = split_edges(edges, scores[0].shape[1])
    gold = 0.0
    for rows, path in zip(scores, labels, strict=True):
        gold += rows[np.arange(len(path)), path].sum() + begin[path[0]] + end[path[-1]]
        gold += transitions[path[:-1], path[1:]].sum()
    return log_z - gold


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(2, 6),
    st.lists(st.integers(1, 7), min_size=1, max_size=5),
    st.sampled_from([0.1, 2.0, 60.0]),
)
def test_the_loss_is_that_of_the_floor(seed, num_labels, lengths, spread):
    scores, edges, labels = random_case(seed, num_labels, lengths, spread)
    given_nats = chain_nats(
        padded(scores), torch.from_numpy(edges), padded(labels), torch.tensor(lengths)
    )
    assert float(given_nats) == pytest.approx(reference(scores, edges, labels), rel=1e-9, abs=1e-9)


def test_the_gradient_is_the_true_one():
    scores, edges, labels = random_case(3, 4, [5, 1, 3])
    inputs = padded(scores).requires_grad_(), torch.from_numpy(edges).requires_grad_()
    lengths = torch.tensor([5, 1, 3])
    assert torch.autograd.gradcheck(
        lambda *some: chain_nats(*some, padded(labels), lengths), inputs
    )


def test_forbidden_moves_have_no_probability():
    labels = LabelSet("BIOES", ("LOC", "PER"))
    rules: Constraints = labels.constraints()
    path = labels.encode([(1, 3, "PER"), (4, 5, "LOC")], 6)
    scores = np.random.default_rng(1).standard_normal((6, len(labels)))
    edges = torch.from_numpy(rules.penalties()).clamp(min=LOWEST).requires_grad_()
    nats = chain_nats(
        torch.from_numpy(scores)[None], edges, torch.from_numpy(path)[None].long(),
        torch.tensor([6]),
    )  # fmt: skip
    nats.backward()
    starts = np.array([0, 6])
    want = expectations(scores, starts, rules.penalties()).log_z - scores[np.arange(6), path].sum()
    assert float(nats.detach()) == pytest.approx(want, rel=1e-9)
    forbidden = rules.penalties() < 0
    assert edges.grad is not None and not edges.grad[torch.from_numpy(forbidden)].any()
