"""Work on several cores without two layers of threads getting in each other's way.

NumPy's matrix library starts threads of its own and lets them wait for one another after every
product: on a machine that does other work as well, that made scoring eight times slower than one
thread. So its threads are kept out, and whole pieces of work are spread instead.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import chain, islice
from pathlib import Path
from threading import Lock
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_LOCK = Lock()
_DEPTH = [0]
_BEFORE = [0]


@cache
def _thread_controls() -> tuple[Callable[[], int], Callable[[int], object]] | None:
    """Find the functions of the OpenBLAS inside NumPy's wheel; None where there is none."""
    import numpy as np

    for path in Path(np.__file__).parents[1].glob("numpy.libs/*openblas*"):
        library = ctypes.CDLL(str(path))  # loaded already: this only finds it again
        for name in ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads"):
            if hasattr(library, name.format("set")):
                return getattr(library, name.format("get")), getattr(library, name.format("set"))
    return None


@contextmanager
def one_thread_per_product() -> Iterator[None]:
    """Keep matrix products inside the block on the thread that asks for them."""
    controls = _thread_controls()
    if controls is None:
        yield
        return
    get, put = controls
    with _LOCK:
        if _DEPTH[0] == 0:
            _BEFORE[0] = get()
            put(1)
        _DEPTH[0] += 1
    try:
        yield
    finally:
        with _LOCK:
            _DEPTH[0] -= 1
            if _DEPTH[0] == 0:
                put(_BEFORE[0])


def spread(work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
    """Do work on pieces, on all cores, and yield the results in order.

    Args:
        work: spends its time in NumPy, which lets other threads run.
        pieces: taken as needed; only a few results wait at a time.
    """
    waiting_pieces = iter(pieces)
    first = list(islice(waiting_pieces, 2))
    if len(first) < 2 or _thread_controls() is None:
        # One piece needs no company; and a matrix library whose threads cannot be kept out
        # (Accelerate, MKL) already uses all cores.
        for piece in chain(first, waiting_pieces):
            yield work(piece)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    from sparrowlm.foundation.hardware import usable_cores

    num_threads = usable_cores()
    with one_thread_per_product(), ThreadPoolExecutor(num_threads) as pool:
        waiting: deque[Future[Result]] = deque(pool.submit(work, piece) for piece in first)
        for piece in waiting_pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) > num_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
