"""A small model understands, a large one writes, and nothing raw leaves."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from large_calls import settings
from large_stand_in import StandIn
from personal_lines import personal_lines
from small_policies import policy_of
from small_understanding import LABELS, small_classifier, small_encoder, small_tagger

from sparrowlm.api.model import Model
from sparrowlm.cooperation.large import Budget, Caps, LargeModel, Ledger, Prices
from sparrowlm.cooperation.splitting import SplitSettings, Splitter
from sparrowlm.cooperation.templates import Templates, load_templates
from sparrowlm.foundation.errors import DataError, ModelError, SettingError
from sparrowlm.privacy import Vault

TEXT = "研究生打13812345678，邮箱li@qq.com"  # the tagger's own dictionary has one word of it as LOC


def echo(body):
    return "收到：" + body["messages"][-1]["content"]


@pytest.fixture
def server():
    with StandIn(answer=echo) as found:
        yield found


@pytest.fixture
def client(server):
    with LargeModel(settings(server)) as found:
        yield found


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    return Model(small_tagger(tmp_path_factory.mktemp("tagger") / "model.gguf"))


@pytest.fixture(scope="module")
def intent(tagger):
    return tagger.predict(TEXT)[0].intent.label


def test_sure_and_written_beforehand_is_answered_here(tagger, intent, client, server):
    templates = Templates({intent: "{{好}} {LOC}的事办好了"})
    found = Splitter(tagger, client, policy_of(tagger), templates).answer(TEXT)
    assert (found.answered_by, found.is_sure, found.sent) == ("small", True, None)
    assert "研究生" in found.slots["LOC"]
    assert found.text.startswith("{好} ") and "研究生" in found.text
    assert (found.intent, found.decision.reason) == (intent, "sure")
    assert server.bodies == []


def test_what_is_missing_is_asked_back(tagger, intent, client, server):
    text = "你好"
    own = tagger.predict(text)[0]
    missing = sorted({"PER", "LOC"} - {span.label for span in own.spans})
    assert missing
    names = "".join(f"{{{name}}}" for name in missing)
    templates = Templates({own.intent.label: names})
    found = Splitter(tagger, client, policy_of(tagger), templates).answer(text)
    assert (found.answered_by, found.text, found.is_sure) == ("nobody", None, False)
    assert found.decision.choices == tuple(missing)
    assert missing[0] in found.ask_back
    needed = policy_of(tagger, slots={own.intent.label: ("PER", "LOC")})
    found = Splitter(tagger, client, needed).answer(text)
    assert found.decision.choices == tuple(n for n in ("PER", "LOC") if n in missing)
    assert server.bodies == []


def test_the_large_model_writes_the_rest_from_masked_text(tagger, intent, client, server):
    found = Splitter(tagger, client, policy_of(tagger)).answer(TEXT)
    assert (found.answered_by, found.is_sure) == ("large", True)
    assert found.decision.reason == "no-template"
    system, user = (message["content"] for message in server.bodies[0]["messages"])
    assert "⟦PHONE_1⟧" in user and "⟦EMAIL_1⟧" in user and "⟦PHONE_1⟧" in system
    assert found.sent == user
    text, _, context = user.partition("\n\n")
    understood = json.loads(context)
    assert text == "研究生打⟦PHONE_1⟧，邮箱⟦EMAIL_1⟧"
    assert understood["intent"] == intent
    assert 0 <= understood["confidence"] <= 1
    assert "研究生" in understood["slots"]["LOC"]
    assert found.text.startswith("收到：" + TEXT)
    assert "⟦" not in found.text
    for raw in (b"13812345678", b"li@qq.com"):
        assert raw not in bytes(server.received)
    unsure = Splitter(tagger, client, policy_of(tagger, least=1e9)).answer("你好")
    assert (unsure.answered_by, unsure.decision.reason) == ("large", "unsure")
    alone = Splitter(tagger, client).answer("你好")
    assert (alone.answered_by, alone.decision.action) == ("large", "escalate")
    plain = Splitter(tagger, client, settings=SplitSettings(masks=False)).answer("打13812345678")
    assert "13812345678" in plain.sent


def test_nothing_personal_leaves_in_any_line(tagger, client, server):
    splitter = Splitter(tagger, client)
    items = []
    for line, _kind, start, end in personal_lines(60, seed=77):
        found = splitter.answer(line)
        items.append(line[start:end])
        assert found.answered_by == "large", found.failure
        assert found.text.startswith("收到：" + line.strip())
    assert len(server.bodies) == 60
    received = bytes(server.received)
    sent = received.decode("utf-8", "replace")
    for item in items:
        assert item not in sent
        assert json.dumps(item)[1:-1].encode() not in received


@given(
    start=st.integers(0, 20),
    length=st.integers(1, 12),
    head=st.text(alphabet="打给 好", max_size=4),
)
def test_stretch_that_cuts_into_a_number_takes_its_placeholder(start, length, head):
    text = f"{head}，13812345678，谢谢"
    start = min(start, len(text) - 1)
    vault = Vault()
    masked, spans = vault.mask_spans(text, [(start, min(start + length, len(text)), "x")])
    assert "13812345678" not in masked
    assert vault.restore(masked) == text
    for a, b, _label in spans:
        piece = masked[a:b]
        assert not any(sign.isdigit() for sign in piece) or "⟦PHONE_1⟧" in piece
        assert vault.restore(piece).strip("⟦⟧") in text


def test_instruction_and_texts_that_look_like_placeholders(tagger, client, server):
    instruction = SplitSettings(instruction="Say that 13912345678 is our number")
    splitter = Splitter(tagger, client, settings=instruction)
    text = "⟦PHONE_1⟧ 和 13912345678 还有 [PHONE_2]"
    found = splitter.answer(text)
    assert b"13912345678" not in bytes(server.received)
    assert found.text.startswith("收到：" + text)


def test_failures_and_budgets(tagger, intent, server):
    templates = Templates({intent: "{LOC}？"})
    unsure = policy_of(tagger, least=1e9)
    with LargeModel(settings(server), Ledger(Budget(per_run=Caps(calls=0)))) as broke:
        found = Splitter(tagger, broke, unsure, templates).answer(TEXT)
        assert (found.answered_by, found.is_sure) == ("small", False)
        assert "研究生" in found.text
        assert "budget" in found.failure or "预算" in found.failure
        honest = unsure.with_manners(failure="abstain")
        assert Splitter(tagger, broke, honest, templates).answer(TEXT).answered_by == "nobody"
        assert Splitter(tagger, broke).answer(TEXT).text is None
    assert server.bodies == []
    budget = Budget(prices=Prices(2.0, 10.0))
    with LargeModel(settings(server), Ledger(budget)) as counting:
        splitter = Splitter(tagger, counting, unsure.with_manners(most_calls=2))
        found = [splitter.answer(f"你{n}") for n in range(4)]
        assert [one.answered_by for one in found] == ["large", "large", "nobody", "nobody"]
        assert found[2].decision.reason == "no-budget"
        assert splitter.cost == pytest.approx(counting.ledger.spent().cost, abs=1e-8)
        sure = Splitter(tagger, counting, policy_of(tagger, most_calls=0))
        assert sure.answer("你").decision.reason == "no-budget"
    assert Splitter(tagger, None).answer("你").decision.reason == "no-large"


def test_a_classifier_understands_intents_too(tmp_path, client):
    classifier = Model(small_classifier(tmp_path / "a.gguf"))
    label = classifier.predict("The cat")[0].label
    templates = Templates({label: "好的"})
    found = Splitter(classifier, client, policy_of(classifier), templates).answer("The cat")
    assert (found.text, found.intent, found.slots) == ("好的", label, {})
    with pytest.raises(SettingError, match="x"):
        Splitter(classifier, client, policy_of(classifier), Templates({LABELS[0]: "{x}"}))
    with pytest.raises(ModelError):
        Splitter(Model(small_encoder(tmp_path / "b.gguf")), client)


def test_templates_say_what_is_wrong(tagger, client, tmp_path):
    path = tmp_path / "texts.json"
    for content in ("", "[]", '{"a": 1}', "{", "[" * 100_000, "\ufeff{]"):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(DataError):
            load_templates(path)
    path.write_bytes(b"\xff")
    with pytest.raises(DataError):
        load_templates(path)
    with pytest.raises(DataError):
        load_templates(tmp_path / "none.json")
    for text in ("{", "}", "{}", "{a!r}", "{a:>9}", "{a.b}", "{ }"):
        with pytest.raises(SettingError):
            Templates({"go": text})
    path.write_text('{"go": "去{LOC}和{LOC}，{{}}"}', encoding="utf-8")
    templates = load_templates(path)
    assert templates.names("go") == ("LOC",)
    assert templates.filled("go", {"LOC": ("北京", "Rome")}) == "去北京、Rome和北京、Rome，{}"
    assert templates.filled("go", {"LOC": ("Bonn", "Rome")}) == "去Bonn, Rome和Bonn, Rome，{}"
    Splitter(tagger, client, policy_of(tagger), templates)
    for wrong in ({"fly": "x"}, {"go": "{TIME}"}):
        with pytest.raises(SettingError):
            Splitter(tagger, client, policy_of(tagger), Templates(wrong))
    with pytest.raises(SettingError):
        Splitter(tagger, client, None, templates)
