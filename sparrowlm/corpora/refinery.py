"""Batches of pieces refined here or in worker processes: the same result in the same order.

A worker is `python -m sparrowlm.corpora.worker`, spoken to through its standard input and output in
frames (see frames). No fork (threads may run), no pickle (frames are plain data), and a worker
whose parent was killed ends by itself, because its input ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sparrowlm.corpora.documents import Piece
from sparrowlm.corpora.frames import (
    Refined,
    pieces_to_frame,
    read_frame,
    refined_from_frame,
    write_frame,
)
from sparrowlm.corpora.refining import Refining

# Starting a worker takes as long as cleaning this much.
WORKERS_FROM_BYTES = 16_000_000
_MOST_WORKERS = 8


def derived_jobs(num_bytes: int) -> int:
    """Return how many processes pay for num_bytes of input on this machine."""
    if num_bytes < WORKERS_FROM_BYTES or not sys.executable:
        return 1
    affinity = getattr(os, "sched_getaffinity", None)
    num_cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(min(num_cores, _MOST_WORKERS), 1)


@contextmanager
def refinery(refining: Refining, jobs: int) -> Iterator[_Refinery]:
    """Open a place where batches are refined.

    Args:
        refining: what is done.
        jobs: number of worker processes; 1 works in this process.
    """
    workers = [_Worker(refining) for _ in range(jobs)] if jobs > 1 else []
    try:
        yield _Refinery(refining, workers)
    finally:
        for worker in workers:
            worker.stop()


class _Refinery:
    def __init__(self, refining: Refining, workers: list[_Worker]) -> None:
        self._refining = refining
        self._workers = workers

    def refine(
        self, batches: Iterable[list[Piece]], counts: Counter[str]
    ) -> Iterator[list[Refined]]:
        """Refine batches in order.

        Args:
            batches: pieces as they were read.
            counts: receives the repairs.
        """
        free = deque(self._workers)
        busy: deque[tuple[_Worker, list[Piece]]] = deque()
        for batch in batches:
            if not self._workers:
                yield self._refining.refine_batch(batch, counts)
                continue
            if not free:
                worker, earlier = busy.popleft()
                free.append(worker)
                yield self._result(worker, earlier, counts)
            worker = free.popleft()
            worker.send(batch)
            busy.append((worker, batch))
        while busy:
            worker, earlier = busy.popleft()
            yield self._result(worker, earlier, counts)

    def _result(self, worker: _Worker, batch: list[Piece], counts: Counter[str]) -> list[Refined]:
        result = worker.result(counts)
        # A worker that was killed from outside loses nothing: its batch is done here.
        return self._refining.refine_batch(batch, counts) if result is None else result


class _Worker:
    """One process; at most one batch at a time, so that neither side waits for the other."""

    def __init__(self, refining: Refining) -> None:
        package = Path(__file__).parents[2]
        paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            **os.environ, "PYTHONPATH": os.pathsep.join(paths), "RAYON_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
        }  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "sparrowlm.corpora.worker", *refining.arguments()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the parent, which then stops its workers
        )

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        to_worker, from_worker = self._process.stdin, self._process.stdout
        if to_worker is None or from_worker is None:
            raise BrokenPipeError
        return to_worker, from_worker

    def send(self, batch: list[Piece]) -> None:
        try:
            write_frame(self._pipes()[0], *pieces_to_frame(batch))
        except OSError:
            return  # it is gone: result() will say so

    def result(self, counts: Counter[str]) -> list[Refined] | None:
        try:
            frame = read_frame(self._pipes()[1])
        except OSError:
            return None
        if frame is None:
            return None
        refined, repairs = refined_from_frame(*frame)
        counts.update(repairs)
        return refined

    def stop(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # what was still in the pipe has no reader any more
        self._process.wait()
