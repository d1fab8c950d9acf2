from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.cooperation.large import Budget, Caps, LargeFailure, Ledger, Prices, Spending
from sparrowlm.foundation.errors import DamagedFileError, ResourceError, SettingError

PRICES = Prices(per_million_read=0.5, per_million_written=1.5)


def ledger(path=None, day="2026-01-01", **caps):
    budget = Budget(per_run=Caps(**caps), prices=PRICES)
    return Ledger(budget, path, today=lambda: day)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500), st.booleans()), max_size=30))
@settings(max_examples=50)
def test_budget_is_never_exceeded_and_settled_exactly(calls):
    book = ledger(calls=20, cost=0.004, tokens=6000, milliseconds=10_000)
    expected = Spending()
    for num_read, num_written, is_settled in calls:
        try:
            reserved = book.reserve(num_read, num_written, 500)
        except LargeFailure as failure:
            assert failure.kind == "budget"
            continue
        actual = reserved.most
        if is_settled:
            actual = Spending(1, reserved.most.cost_nano // 2, num_read, 20)
            book.settle(reserved, actual)
        expected = expected + actual
        spent = book.spent()
        assert spent == expected
        assert spent.calls <= 20 and spent.cost <= 0.004
        assert spent.tokens <= 6000 and spent.milliseconds <= 10_000
    book.close()


def test_budget_cost_is_rounded_up_in_billionths():
    assert PRICES.cost_nano(1, 0) == 500
    assert PRICES.cost_nano(1_000_000, 1_000_000) == 2_000_000_000
    assert Prices(0.0001, 0.0).cost_nano(1, 0) == 1


def test_budget_of_a_run_goes_on_in_a_later_process(tmp_path):
    path = tmp_path / "ledger.sqlite"
    first = ledger(path, calls=2)
    first.reserve(1, 1, 1)
    first.close()
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    second = ledger(path, calls=2, day="2026-01-02")
    second.reserve(1, 1, 1)
    with pytest.raises(LargeFailure, match="budget is used up"):
        second.reserve(1, 1, 1)
    second.close()


def test_budget_of_a_day_counts_all_runs_and_begins_anew(tmp_path):
    def of(run, day):
        budget = Budget(run=run, per_day=Caps(calls=2))
        return Ledger(budget, tmp_path / "l.sqlite", today=lambda: day)

    one, other, tomorrow = of("a", "01"), of("b", "01"), of("a", "02")
    one.reserve(0, 0, 1)
    other.reserve(0, 0, 1)
    for book in (one, other):
        with pytest.raises(LargeFailure):
            book.reserve(0, 0, 1)
    tomorrow.reserve(0, 0, 1)
    for book in (one, other, tomorrow):
        book.close()


def test_budget_shortens_the_time_of_the_last_call():
    book = ledger(milliseconds=100)
    assert book.reserve(0, 0, 70).most.milliseconds == 70
    assert book.reserve(0, 0, 70).most.milliseconds == 30
    with pytest.raises(LargeFailure):
        book.reserve(0, 0, 70)
    book.close()


def test_budget_holds_among_threads(tmp_path):
    book = ledger(tmp_path / "l.sqlite", calls=50)
    refused = []

    def spend():
        for _ in range(20):
            try:
                book.reserve(1, 1, 1)
            except LargeFailure:
                refused.append(1)

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert book.spent().calls == 50
    assert len(refused) == 30
    book.close()


SPENDER = """
import os, signal, sys
from pathlib import Path
from sparrowlm.cooperation.large import Budget, Caps, Ledger
book = Ledger(Budget(per_run=Caps(calls=10)), Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    book.reserve(1, 1, 1)
    print(number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_budget_reservations_survive_kill(tmp_path):
    path = tmp_path / "l.sqlite"
    for sent in (3, 4, 3):
        words = [sys.executable, "-c", SPENDER, str(path), str(sent)]
        done = subprocess.run(words, capture_output=True, check=False)
        assert done.returncode == -signal.SIGKILL
        assert len(done.stdout.split()) == sent
    book = Ledger(Budget(per_run=Caps(calls=10)), path)
    assert book.spent().calls == 10
    with pytest.raises(LargeFailure):
        book.reserve(1, 1, 1)
    book.close()


def test_budget_needs_prices_for_a_cap_on_cost():
    with pytest.raises(SettingError, match="needs prices"):
        Budget(per_run=Caps(cost=1.0))


@pytest.mark.parametrize("wrong", [{"calls": -1}, {"cost": float("nan")}, {"cost": float("inf")}])
def test_budget_refuses_caps_that_are_none(wrong):
    with pytest.raises(SettingError):
        Caps(**wrong)


def test_budget_damaged_file_is_named(tmp_path):
    path = tmp_path / "l.sqlite"
    path.write_bytes(b"this is no database, only text " * 100)
    with pytest.raises(DamagedFileError, match=r"l\.sqlite"):
        Ledger(Budget(), path)


def test_budget_unwritable_place_is_named(tmp_path):
    place = tmp_path / "file"
    place.write_text("x")
    with pytest.raises(ResourceError):
        Ledger(Budget(), place / "l.sqlite")
