"""Worker processes change nothing but the time; one that dies loses nothing."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.corpora import refinery as refinery_module
from sparrowlm.corpora.documents import Piece
from sparrowlm.corpora.frames import (
    pieces_from_frame,
    pieces_to_frame,
    read_frame,
    refined_from_frame,
    refined_to_frame,
    write_frame,
)
from sparrowlm.corpora.preparation import prepare_corpus
from sparrowlm.corpora.refinery import WORKERS_FROM_BYTES, derived_jobs, refinery
from sparrowlm.corpora.refining import Refining

REFINING = Refining("standard", finds_duplicates=True, finds_near_duplicates=True)
BATCHES = [
    [
        Piece(f"document {number}\u200b of batch {batch}\r\n" * 30, True),
        Piece("<html><body><p>一页<script>x</script></p></body></html>", True, True),
        Piece("\ud800 half a pair\n" + "long " * 60 + "\nand more", False),
    ]
    for batch, number in enumerate(range(40))
]
PIECES = st.lists(st.builds(Piece, st.text(st.characters(), max_size=30), st.booleans()))


@given(PIECES)
def test_refinery_frames_carry_everything(pieces):
    stream = io.BytesIO()
    write_frame(stream, *pieces_to_frame(pieces))
    counts: Counter[str] = Counter()
    refined = REFINING.refine_batch(pieces, counts)
    write_frame(stream, *refined_to_frame(refined, counts))
    stream.seek(0)
    there, back = read_frame(stream), read_frame(stream)
    assert there is not None
    assert back is not None
    assert pieces_from_frame(*there) == pieces
    found, repairs = refined_from_frame(*back)
    assert [(*p[:3], [tuple(line) for line in p[3]], *p[4:]) for p in found] == [
        tuple(piece) for piece in refined
    ]
    assert repairs == counts
    assert read_frame(stream) is None


def refined_with(jobs):
    counts: Counter[str] = Counter()
    with refinery(REFINING, jobs) as place:
        texts = [[piece.text for piece in batch] for batch in place.refine(BATCHES, counts)]
    return texts, counts


def test_refinery_workers_give_the_same_in_the_same_order():
    assert refined_with(2) == refined_with(1)


def test_refinery_a_killed_worker_loses_nothing():
    counts: Counter[str] = Counter()
    with refinery(REFINING, 2) as place:
        results = []
        for number, batch in enumerate(place.refine(BATCHES, counts)):
            results.append([piece.text for piece in batch])
            if number == 5:
                place._workers[0]._process.kill()
                place._workers[0]._process.wait()
    assert (results, counts) == refined_with(1)


def test_refinery_jobs_do_not_change_the_corpus(tmp_path):
    (tmp_path / "a.txt").write_text(
        "".join(f"第{n}行 line\u200b {n * n}\n\n\n\n" for n in range(9999))
    )
    for jobs in (1, 3):
        prepare_corpus([tmp_path / "a.txt"], tmp_path / f"corpus{jobs}", jobs=jobs)
    for name in ("train.ids", "held-out.ids", "corpus.json"):
        one = (tmp_path / "corpus1" / name).read_bytes()
        assert (tmp_path / "corpus3" / name).read_bytes() == one


def test_refinery_small_inputs_start_no_process(monkeypatch):
    assert derived_jobs(WORKERS_FROM_BYTES - 1) == 1
    monkeypatch.setattr(refinery_module.os, "sched_getaffinity", lambda _: set(range(64)))
    assert derived_jobs(WORKERS_FROM_BYTES) == 8


PARENT = """
import sys, time
from sparrowlm.corpora.refinery import refinery
from sparrowlm.corpora.refining import Refining
with refinery(Refining("off", False, False), 2) as place:
    print(*(worker._process.pid for worker in place._workers), flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_refinery_workers_end_with_their_parent(number):
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=root, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert parent.stdout is not None
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2
    parent.send_signal(number)
    parent.wait(timeout=20)
    parent.stdout.close()
    until = time.monotonic() + 20
    while any(_is_running(pid) for pid in workers):
        assert time.monotonic() < until
        time.sleep(0.05)


def _is_running(pid):
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state != "Z"
