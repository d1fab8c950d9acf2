"""A cascade whose large model is bound by calls, money, tokens and time, over restarts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from large_stand_in import StandIn
from small_policies import policy_of
from small_understanding import LABELS, small_classifier

from sparrowlm.api.model import Model
from sparrowlm.cooperation.asking import Question
from sparrowlm.cooperation.cascade import Cascade
from sparrowlm.cooperation.cooperating import asked_answers, opened_large
from sparrowlm.cooperation.large import Budget, Caps, LargeFailure, Patience, Prices
from sparrowlm.cooperation.large_terms import LargeTerms
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.progress import SilentProgress

TEXTS = [f"The cat 研究生命 {number} 你" for number in range(20)]
PRICES = Prices(per_million_read=2.0, per_million_written=10.0)


def first_label(body):
    schema = body["response_format"]["json_schema"]["schema"]
    return json.dumps({"label": schema["properties"]["label"]["enum"][0]}, ensure_ascii=False)


@pytest.fixture
def server():
    with StandIn(answer=first_label) as found:
        yield found


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return Model(small_classifier(tmp_path_factory.mktemp("small") / "model.gguf"))


@pytest.fixture(scope="module")
def policy(model):
    """Passes everything on."""
    return policy_of(model, least=1e9)


def asked(server, terms, model, policy, texts=TEXTS):
    with terms.opened(server.url) as large:
        return list(Cascade(model, policy, large).answers(texts, 1))


def num_asked(server):
    return sum("messages" in body for body in server.bodies)


def test_cap_on_calls_holds_over_restarts_and_known_answers_are_free(
    server, model, policy, tmp_path
):
    terms = LargeTerms(budget=Budget(per_run=Caps(calls=8)), kept_in=tmp_path / "kept.sqlite")
    first = asked(server, terms, model, policy, TEXTS[:5])
    assert [one.answered_by for one in first] == ["large"] * 5
    again = asked(server, terms, model, policy)
    assert [one.answered_by for one in again] == ["large"] * 8 + ["small"] * 12
    assert [one.is_sure for one in again] == [True] * 8 + [False] * 12
    assert all("budget" in one.failure for one in again[8:])
    assert num_asked(server) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.sqlite", "kept.sqlite.spent"]


@pytest.mark.parametrize(
    "caps",
    [Caps(cost=0.02), Caps(tokens=4000), Caps(milliseconds=1)],
    ids=["money", "tokens", "milliseconds"],
)
@pytest.mark.parametrize("span", ["per_run", "per_day"])
def test_every_cap_binds_a_cascade(server, model, policy, caps, span):
    budget = Budget(prices=PRICES, **{span: caps})
    found = asked(server, LargeTerms(budget=budget), model, policy)
    large = [one for one in found if one.answered_by == "large"]
    assert len(large) < len(TEXTS)
    assert num_asked(server) == len(large)
    # The stand-in counts tokens: each answer costs what it took, and the caps hold for the sum.
    if caps.cost is not None:
        assert 0 < sum(one.cost for one in large) <= caps.cost


def test_cost_is_what_the_tokens_cost_and_nothing_for_a_known_answer(
    server, model, policy, tmp_path
):
    terms = LargeTerms(budget=Budget(prices=PRICES), kept_in=tmp_path / "kept.sqlite")
    (found,) = asked(server, terms, model, policy, TEXTS[:1])
    sent = next(body for body in server.bodies if "messages" in body)
    assert found.cost == pytest.approx((len(str(sent)) * 2.0 + 4 * 10.0) / 1e6)
    (again,) = asked(server, terms, model, policy, TEXTS[:1])
    assert (again.answer, again.cost) == (found.answer, 0.0)
    with terms.opened(server.url) as large:
        assert large.mean_cost == pytest.approx(found.cost)


def test_server_that_does_not_count_costs_the_most_it_can_have(model, policy):
    with StandIn(answer=first_label, counts_usage=False) as server:
        (found,) = asked(server, LargeTerms(budget=Budget(prices=PRICES)), model, policy, TEXTS[:1])
    assert found.cost > 512 * 10.0 / 1e6  # all the tokens that the answer may have had


def test_without_prices_a_call_costs_what_is_said(server, model, policy):
    terms = LargeTerms(cost_per_call=0.25, model="named")
    found = asked(server, terms, model, policy, TEXTS[:3])
    assert [one.cost for one in found] == [0.25] * 3
    assert {body["model"] for body in server.bodies} == {"named"}
    assert num_asked(server) == len(server.bodies)


def test_patience_ends_a_slow_call(model, policy):
    patience = Patience(deadline_s=0.2, first_byte_s=0.1)
    with StandIn(answer=first_label, delay_s=5.0) as server:
        terms = LargeTerms(model="slow", patience=patience)
        (found,) = asked(server, terms, model, policy, TEXTS[:1])
    assert (found.answered_by, found.is_sure) == ("small", False)
    assert found.large_ms < 1000


def test_calibration_ends_where_the_budget_does_and_goes_on_with_more(server, model, tmp_path):
    kept = tmp_path / "kept.sqlite"
    questions = [Question(text) for text in TEXTS]
    poor, rich = (Budget("cooperate", per_run=Caps(calls=count)) for count in (19, 20))
    with (
        opened_large(server.url, 0.0, budget=poor, kept_in=kept) as large,
        pytest.raises(LargeFailure) as failed,
    ):
        asked_answers(model, large, questions, SilentProgress())
    assert failed.value.kind == "budget"
    with opened_large(server.url, 0.0, budget=rich, kept_in=kept) as large:
        found = asked_answers(model, large, questions, SilentProgress())
    assert found == [LABELS[0]] * 20
    assert num_asked(server) == 20


def test_a_model_on_this_machine_has_no_budget(tmp_path):
    local = str(small_classifier(tmp_path / "a.gguf"))
    for terms in ({"budget": Budget(per_run=Caps(calls=1))}, {"kept_in": tmp_path / "kept"}):
        with pytest.raises(SettingError), opened_large(local, 0.0, **terms):
            pass
    with opened_large(local, 0.0, budget=Budget("any")):
        pass
    assert not Path(tmp_path / "kept").exists()


@given(
    read=st.integers(0, 10**6), written=st.integers(0, 10**6), price=st.floats(0, 100),
)  # fmt: skip
def test_no_answer_is_cheaper_than_its_tokens(read, written, price):
    prices = Prices(price, price)
    exact = (read + written) * price / 1e6
    assert exact - 1e-9 <= prices.cost_nano(read, written) / 1e9 <= exact + 2e-9 + exact * 1e-12
