"""Work spread over cores: order, laziness, errors, and NumPy's own threads kept out."""

from __future__ import annotations

import threading
import time

import pytest

from sparrowlm.runtime import threads
from sparrowlm.runtime.threads import one_thread_per_product, spread


@pytest.mark.parametrize("num_pieces", [0, 1, 2, 40])
@pytest.mark.parametrize("has_controls", [True, False])
def test_spread_keeps_the_order(monkeypatch, num_pieces, has_controls):
    if not has_controls:
        monkeypatch.setattr(threads, "_thread_controls", lambda: None)

    def work(piece: int) -> int:
        time.sleep(0.002 * (piece % 3))
        return piece * piece

    assert list(spread(work, range(num_pieces))) == [n * n for n in range(num_pieces)]


def test_spread_takes_pieces_only_as_needed():
    taken = []

    def pieces():
        for number in range(1000):
            taken.append(number)
            yield number

    results = spread(lambda number: number, pieces())
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert len(taken) < 200
    results.close()


def test_spread_hands_on_errors():
    def work(piece: int) -> int:
        if piece == 5:
            raise KeyError(piece)
        return piece

    with pytest.raises(KeyError):
        list(spread(work, range(10)))


def test_products_get_their_threads_back():
    controls = threads._thread_controls()
    if controls is None:
        pytest.skip("NumPy uses another matrix library here")
    get, put = controls
    before = get()
    put(2)
    try:
        with one_thread_per_product():
            assert get() == 1
            worker = threading.Thread(target=_inside)
            worker.start()
            worker.join()
            assert get() == 1
        assert get() == 2
        with pytest.raises(KeyError), one_thread_per_product():
            raise KeyError
        assert get() == 2
    finally:
        put(before)


def _inside() -> None:
    with one_thread_per_product():
        pass
