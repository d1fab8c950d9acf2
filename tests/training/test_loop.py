"""The loop: killed and continued runs end with the same bits, the best weights are kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from sparrowlm.foundation.interrupts import StoppedBySignal, StopRequest
from sparrowlm.foundation.progress import SilentProgress
from sparrowlm.models.architectures import RecurrentShape, TransformerShape
from sparrowlm.models.recurrent import RecurrentModel
from sparrowlm.models.transformer import TransformerModel
from sparrowlm.training.batches import WindowBatches, evaluation_windows
from sparrowlm.training.loop import CurvePoint, LoopSettings, TrainingLoop, best_point
from sparrowlm.training.objectives import NextIdObjective

IDS = (np.arange(4_000) * np.arange(4_000) % 31).astype(np.uint16)
TRANSFORMER = TransformerShape(
    vocab_size=31, width=32, num_layers=1, num_heads=1, num_kv_heads=1, head_width=32,
    feed_forward_width=32, context_tokens=16,
)  # fmt: skip
LSTM = RecurrentShape(cell="lstm", vocab_size=31, embedding_width=16, state_width=16, num_layers=1)


def make_loop(directory: Path, kind: str = "transformer", **changes) -> TrainingLoop:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1)
    if kind == "transformer":
        model = TransformerModel(TRANSFORMER, generator)
    else:
        model = RecurrentModel(LSTM, generator)
    values = {
        "num_steps": 40, "batch_windows": 4, "window_tokens": 16, "dropout": 0.1,
        "average_decay": 0.9, "num_evaluations": 8, **changes,
    }  # fmt: skip
    batches = WindowBatches(IDS[:3_000], 16, 4, seed=7)
    held_out = evaluation_windows(IDS[3_000:], 16, 10)
    objective = NextIdObjective(batches, held_out)
    return TrainingLoop(model, objective, LoopSettings(**values), directory, "same")


def run(loop: TrainingLoop, stop_at: int | None = None):
    stop = StopRequest(lambda _text: None)

    def observe(point: CurvePoint, _model) -> None:
        if point.step == stop_at:
            stop.request()

    return loop.run(SilentProgress(), stop, observe)


def without_seconds(curve):
    return [(p.step, p.tokens, p.train_nats, p.held_out_nats) for p in curve]


@pytest.mark.parametrize("kind", ["transformer", "lstm"])
@pytest.mark.parametrize("stop_at", [5, 20, 35])
def test_loop_stopped_and_resumed_is_bit_identical(tmp_path, kind, stop_at):
    whole = make_loop(tmp_path / "whole", kind)
    expected = run(whole)
    with pytest.raises(StoppedBySignal):
        run(make_loop(tmp_path / "parts", kind), stop_at)
    second = make_loop(tmp_path / "parts", kind)
    assert second.resume(lambda _text: None)
    found = run(second)
    assert without_seconds(found.curve) == without_seconds(expected.curve)
    for one, other in zip(whole.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_loop_learns_and_keeps_its_best_weights(tmp_path):
    loop = make_loop(tmp_path, num_steps=120, dropout=0.0)
    result = run(loop)
    losses = [point.held_out_nats for point in result.curve]
    assert min(losses) < np.log(31) - 0.3
    assert result.best.held_out_nats == min(losses)


def test_loop_resume_without_checkpoint_is_harmless(tmp_path):
    loop = make_loop(tmp_path)
    assert not loop.resume(lambda _text: None)
    assert run(loop).num_steps == 40


def test_loop_damaged_checkpoint_falls_back_to_the_one_before(tmp_path):
    loop = make_loop(tmp_path, checkpoint_seconds=0.0)
    run(loop)
    newest, older = sorted(tmp_path.glob("*.checkpoint"), reverse=True)
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    notes: list[str] = []
    again = make_loop(tmp_path)
    assert again.resume(notes.append)
    assert len(notes) == 1
    assert newest.name in notes[0]
    older.write_bytes(older.read_bytes()[:-1])
    assert not make_loop(tmp_path).resume(notes.append)


def test_loop_foreign_checkpoint_is_left_alone(tmp_path):
    run(make_loop(tmp_path, checkpoint_seconds=0.0))
    other = make_loop(tmp_path)
    other._fingerprint = "another"
    notes: list[str] = []
    assert not other.resume(notes.append)
    assert notes


def test_loop_keeps_the_time_it_was_given(tmp_path):
    began = time.monotonic()
    result = run(make_loop(tmp_path, num_steps=100_000, seconds=3.0))
    assert 2.0 < time.monotonic() - began < 5.0
    assert result.num_steps < 100_000


def test_loop_whose_time_is_over_before_the_first_evaluation_ends_with_one(tmp_path):
    loop = make_loop(tmp_path, num_steps=100_000, num_evaluations=2, seconds=0.001)
    result = run(loop)
    assert [point.step for point in result.curve] == [result.num_steps]
    assert result.num_steps < 100


def test_loop_flattening_ends_the_run_early(tmp_path):
    # Held-out ids that have nothing to do with the training text get worse with every step.
    loop = make_loop(tmp_path, num_steps=800, num_evaluations=80, dropout=0.0)
    loop._held_out = torch.randint(0, 31, (20, 17), generator=torch.Generator().manual_seed(0))
    notes: list[str] = []
    progress = SilentProgress()
    progress.note = notes.append
    result = loop.run(progress, StopRequest(lambda _text: None))
    assert result.flattened_at_step is not None
    assert result.num_steps < 800
    assert len(notes) == 1
    assert best_point(result.curve) is result.best


PROGRAM = """
import sys; from pathlib import Path
sys.path.insert(0, {tests!r})
from test_loop import make_loop, run
loop = make_loop(Path(sys.argv[1]), {kind!r}, checkpoint_seconds=0.0)
loop.resume(lambda text: None)
print("ready", flush=True)
run(loop)
import hashlib
digest = hashlib.sha256()
for weight in loop.model.parameters():
    digest.update(weight.detach().numpy().tobytes())
print(digest.hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["transformer", "lstm"])
def test_loop_killed_at_random_moments_ends_bit_identical(tmp_path, kind):
    program = PROGRAM.format(tests=str(Path(__file__).parent), kind=kind)

    def start(directory: Path) -> subprocess.Popen[bytes]:
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        return subprocess.Popen(
            [sys.executable, "-c", program, str(directory)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
        )  # fmt: skip

    expected = start(tmp_path / "whole").communicate(timeout=120)[0].split()[-1]
    random = np.random.default_rng(0 if kind == "lstm" else 1)
    for _kill in range(4):
        process = start(tmp_path / "killed")
        process.stdout.readline()
        time.sleep(float(random.uniform(0.0, 0.25)))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    found = start(tmp_path / "killed").communicate(timeout=120)[0].split()[-1]
    assert found == expected
