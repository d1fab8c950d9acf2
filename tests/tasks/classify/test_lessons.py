"""What is learnt: truth and answers mixed, nothing measured on a text that was learnt."""

from __future__ import annotations

import numpy as np

from sparrowlm.tasks.classify.lessons import Lesson, in_columns, joined

LABELS = ("a", "b", "new")


def rows(*values):
    return np.array(values, dtype=np.float32)


def test_truth_and_answers_are_mixed_but_for_labels_that_the_teacher_does_not_know():
    truth = rows([1, 0, 0], [0, 0, 1])
    answers = in_columns(rows([0.5, 0.5], [0.9, 0.1]), ("b", "a"), LABELS)
    mixed = Lesson(["x", "y"], truth, answers).targets_BL(truth_share=0.5)
    np.testing.assert_allclose(mixed, [[0.75, 0.25, 0], [0, 0, 1]])
    held_out = Lesson(["x", "y"], truth, answers, is_held_out=True)
    assert np.array_equal(held_out.targets_BL(), truth)


def test_answers_of_texts_that_have_a_truth_elsewhere_are_left_out():
    known = Lesson(["好 房间", "坏"], rows([1, 0, 0], [0, 1, 0]))
    asked = Lesson(["坏", "好房间", "一般"], None, rows([0.5, 0.5, 0]).repeat(3, axis=0))
    data, held_out = joined([known, asked], LABELS, is_multi_label=False)
    assert data.texts == ["好 房间", "坏", "一般"]
    assert data.is_known_B().tolist() == [True, True, False]
    assert held_out is None
    assert data.learnt().tolist() == [0, 1, 2]
    assert not data.judged().targets_BL[2].any()


def test_texts_to_measure_on_are_not_learnt():
    lessons = [
        Lesson(["1"], rows([1, 0, 0])),
        Lesson(["2"], rows([0, 1, 0]), group=1, is_held_out=True),
    ]
    data, held_out = joined(lessons, LABELS, is_multi_label=False)
    assert held_out.tolist() == [1]
    assert data.learnt().tolist() == [0]
    assert data.groups_B().tolist() == [0, 1]
