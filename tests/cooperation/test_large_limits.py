from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import pytest
from fault_proxy import FaultProxy
from large_calls import QUICK, chat, settings
from large_stand_in import StandIn

from sparrowlm.cooperation.large import (
    AnswerCache,
    AsyncLargeModel,
    Budget,
    Caps,
    EmbeddingRequest,
    LargeFailure,
    LargeModel,
    Ledger,
    Patience,
    Prices,
)


def test_client_cache_outlives_the_process(stand_in, tmp_path):
    for is_known in (False, True, True):
        cache = AnswerCache(tmp_path / "cache.sqlite")
        with LargeModel(settings(stand_in), cache=cache) as large:
            answer = large.ask(chat("once"))
            assert answer.is_from_cache is is_known
            assert "".join(large.stream(chat("once"))) == answer.text
            assert large.embed(EmbeddingRequest(("x",))).is_from_cache is is_known
        cache.close()
    assert len(stand_in.bodies) == 2
    stored = (tmp_path / "cache.sqlite").read_bytes()
    assert b'"content": "once"' not in stored


def test_client_streams_are_kept_too(stand_in):
    cache = AnswerCache()
    with LargeModel(settings(stand_in), cache=cache) as large:
        text = "".join(large.stream(chat("kept")))
        assert large.ask(chat("kept")).text == text
    assert len(stand_in.bodies) == 1 and len(cache) == 1


def test_client_equal_requests_share_one_call():
    with StandIn(delay_s=0.1) as server, LargeModel(settings(server)) as large:
        texts = []
        threads = [
            threading.Thread(target=lambda: texts.append(large.ask(chat("same")).text))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert texts == ["You said: same"] * 8
        assert len(server.bodies) == 1


def test_client_one_who_gives_up_takes_nobody_with_him():
    async def both(server):
        async with AsyncLargeModel(settings(server)) as large:
            first = asyncio.create_task(large.ask(chat("same")))
            second = asyncio.create_task(large.ask(chat("same")))
            await asyncio.sleep(0.05)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            return (await second).text

    with StandIn(delay_s=0.15) as server:
        assert asyncio.run(both(server)) == "You said: same"
        assert len(server.bodies) == 1


def test_client_sends_no_more_at_once_than_allowed():
    async def many(server):
        async with AsyncLargeModel(settings(server, max_concurrent=3)) as large:
            await asyncio.gather(*(large.ask(chat(str(n))) for n in range(12)))

    with StandIn(delay_s=0.03) as server:
        asyncio.run(many(server))
        assert server.most_under_way == 3


def test_client_waiting_for_a_place_ends_at_the_deadline():
    async def many(server):
        async with AsyncLargeModel(settings(server, max_concurrent=1)) as large:
            began = time.perf_counter()
            calls = (large.ask(chat(str(n))) for n in range(12))
            found = await asyncio.gather(*calls, return_exceptions=True)
            return found, time.perf_counter() - began

    with StandIn(delay_s=0.2) as server:
        found, took_s = asyncio.run(many(server))
    failures = [one for one in found if isinstance(one, LargeFailure)]
    assert failures and {one.kind for one in failures} <= {"deadline", "timeout"}
    assert took_s < 1.1 * QUICK.deadline_s


def test_client_hedges_a_late_answer_and_counts_both():
    class LateOnce(StandIn):
        num_seen = 0

        async def _respond(self, reader, writer, head, content):
            LateOnce.num_seen += 1
            self.delay_s = 0.8 if LateOnce.num_seen == 1 else 0.0
            await super()._respond(reader, writer, head, content)

    ledger = Ledger(Budget())
    patience = Patience(deadline_s=2.0, first_byte_s=2.0, hedge_after_s=0.1)
    with LateOnce() as server:
        with LargeModel(settings(server, patience=patience), ledger) as large:
            began = time.perf_counter()
            assert large.ask(chat("x")).text == "You said: x"
            assert time.perf_counter() - began < 0.6
        assert LateOnce.num_seen == 2
    assert ledger.spent().calls == 2


def test_client_budget_is_settled_by_what_the_server_counts(stand_in):
    prices = Prices(per_million_read=1e6, per_million_written=2e6)
    ledger = Ledger(Budget(prices=prices))
    with LargeModel(settings(stand_in), ledger) as large:
        usage = large.ask(chat("x")).usage
    spent = ledger.spent()
    assert usage is not None
    assert spent.cost == usage.num_read + 2 * usage.num_written
    assert (spent.calls, spent.tokens) == (1, usage.num_read + usage.num_written)


def test_client_budget_keeps_what_may_have_been_charged(stand_in):
    with FaultProxy(stand_in) as proxy:
        for fault, is_kept in [("401", False), ("hang", True), ("reset", True), ("500", False)]:
            ledger, proxy.fault = Ledger(Budget()), fault
            with LargeModel(settings(proxy), ledger) as large, pytest.raises(LargeFailure):
                large.ask(chat("x", max_tokens=100))
            spent = ledger.spent()
            assert spent.calls >= 1
            assert (spent.tokens >= 100) is is_kept, fault


def test_client_sends_nothing_beyond_the_budget(stand_in):
    ledger = Ledger(Budget(per_run=Caps(calls=2)))
    with LargeModel(settings(stand_in), ledger) as large:
        large.ask(chat("1"))
        list(large.stream(chat("2")))
        for ask in (large.ask, lambda request: list(large.stream(request))):
            with pytest.raises(LargeFailure) as caught:
                ask(chat("3"))
            assert caught.value.kind == "budget"
    assert len(stand_in.bodies) == 2


def test_client_without_httpx2_names_the_extra():
    program = (
        "import sys; sys.modules['httpx2'] = None\n"
        "from sparrowlm.cooperation.large import LargeModel, LargeSettings\n"
        "from sparrowlm.foundation.errors import DependencyError\n"
        "try:\n    LargeModel(LargeSettings('http://x', 'm'))\n"
        "except DependencyError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert 'pip install "sparrowlm[cooperate]"' in done.stdout


def test_client_needs_no_torch():
    program = "import sys, sparrowlm.cooperation.large; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
