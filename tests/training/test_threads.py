from __future__ import annotations

import pytest
import torch

from sparrowlm.training.threads import ThreadChooser, threads


@pytest.fixture(autouse=True)
def _restored():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def drive(chooser: ThreadChooser, num_steps: int, seconds_with: dict[int, float]) -> None:
    for _step in range(num_steps):
        chooser.after_step(seconds_with[torch.get_num_threads()])


def test_threads_a_steady_run_is_left_alone():
    torch.set_num_threads(2)
    drive(ThreadChooser(2), 300, {1: 0.15, 2: 0.1})
    assert torch.get_num_threads() == 2


def test_threads_a_busy_machine_gets_one_thread_and_two_when_it_is_free_again():
    torch.set_num_threads(2)
    chooser = ThreadChooser(2)
    drive(chooser, 50, {1: 0.15, 2: 0.1})
    drive(chooser, 40, {1: 0.2, 2: 1.0})
    assert torch.get_num_threads() == 1
    drive(chooser, 400, {1: 0.2, 2: 0.1})
    assert torch.get_num_threads() == 2


def test_threads_a_trial_that_does_not_pay_is_taken_back():
    torch.set_num_threads(2)
    chooser = ThreadChooser(2)
    drive(chooser, 50, {1: 0.15, 2: 0.1})
    drive(chooser, 40, {1: 2.0, 2: 1.0})
    assert torch.get_num_threads() == 2


def test_threads_block_restores_the_number():
    torch.set_num_threads(2)
    with threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
