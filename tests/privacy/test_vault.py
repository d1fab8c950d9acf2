from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from personal_lines import personal_lines

from sparrowlm.privacy import Item, Vault

LINES = personal_lines(1500, seed=21)


def test_vault_masks_and_restores_every_line():
    for line, _kind, start, end in LINES:
        vault = Vault()
        masked = vault.mask(line)
        assert line[start:end] not in masked
        assert vault.restore(masked) == line
        assert not vault.holds_raw(masked)


def test_vault_equal_items_have_equal_placeholders_in_one_conversation():
    vault = Vault()
    assert vault.mask("打13812345678或13912345678") == "打⟦PHONE_1⟧或⟦PHONE_2⟧"
    assert vault.mask("再打13912345678") == "再打⟦PHONE_2⟧"
    assert len(vault) == 2
    assert "138" not in repr(vault)


def test_vault_masks_what_was_found_elsewhere():
    vault = Vault()
    texts = ["是12345678吗？", "我的QQ是12345678", "x12345678y"]
    assert vault.mask_all(texts) == ["是⟦QQ_1⟧吗？", "我的QQ是⟦QQ_1⟧", "x⟦QQ_1⟧y"]


def test_vault_takes_no_text_for_a_placeholder_of_its_own():
    vault = Vault()
    text = "⟦PHONE_1⟧ 和 [phone 2]：13812345678，PHONE_1"
    masked = vault.mask(text)
    assert "13812345678" not in masked
    assert vault.restore(masked) == text
    # What was never ours is left alone.
    assert Vault().restore("⟦PHONE_7⟧") == "⟦PHONE_7⟧"


@pytest.mark.parametrize(
    "written",
    ["⟦PHONE_1⟧", "⟦phone_1⟧", "⟦ PHONE_1 ⟧", "⟦Phone 1⟧", "⟦PHONE-1⟧", "[PHONE_1]", "[[PHONE_1]]",
     "【PHONE_1】", "{phone_1}", "<PHONE_1>", "PHONE_1", "phone_1", "〖PHONE_1〗", "⟦PHONE_01⟧"],
)  # fmt: skip
def test_vault_restores_what_large_models_make_of_placeholders(written):
    vault = Vault()
    vault.mask("13812345678")
    assert vault.restore(f"请打{written}。") == "请打13812345678。"
    assert in_pieces(vault, f"请打{written}。", 1) == "请打13812345678。"


@pytest.mark.parametrize("text", ["PHONE_10", "⟦PHONE_2⟧", "phone 1", "PHONE_1x", "MICROPHONE_1"])
def test_vault_leaves_other_words_alone(text):
    vault = Vault()
    vault.mask("13812345678")
    assert vault.restore(text) == text


def test_vault_keeps_round_brackets_and_quotation_marks():
    vault = Vault()
    text = "（13812345678）「13812345678」[13812345678]"
    masked = vault.mask(text)
    assert vault.restore(masked) == text
    assert vault.restore("（PHONE_1）「phone_1」") == "（13812345678）「13812345678」"


def in_pieces(vault, text, size):
    restorer = vault.restorer()
    given = [restorer.take(text[i : i + size]) for i in range(0, len(text), size)]
    return "".join(given) + restorer.end()


@given(
    st.lists(
        st.sampled_from(["⟦PHONE_1⟧", "[ID_CARD_1]", "⟦ id card 1 ⟧", "PHONE_1", "[[phone_1]]",
                         "好", " ", "word ", "[", "⟦", "_", "1", "PHONE", "ID", "，", "]", "⟦EMAIL_9⟧"]),
        max_size=12,
    ),
    st.lists(st.integers(1, 6), min_size=1, max_size=60),
)  # fmt: skip
def test_vault_streams_restore_what_the_whole_restores(parts, sizes):
    vault = Vault()
    vault.mask("13812345678 11010519491231002X")
    text = "".join(parts)
    restorer, given_pieces, place = vault.restorer(), [], 0
    for size in sizes * (1 + len(text) // len(sizes)):
        given_pieces.append(restorer.take(text[place : place + size]))
        place += size
    assert "".join(given_pieces) + restorer.end() == vault.restore(text)


def test_vault_streams_do_not_hold_back_more_than_they_must():
    vault = Vault()
    vault.mask("13812345678")
    restorer = vault.restorer()
    assert restorer.take("你好，请打") == "你好，请打"
    assert restorer.take("⟦PHO") == ""
    assert restorer.take("NE_1⟧吧") == "13812345678吧"


@given(st.text(max_size=60))
def test_vault_any_text_comes_back(text):
    vault = Vault()
    assert vault.restore(vault.mask(text)) == text
    assert vault.restore(vault.mask(text + "13812345678" + text)) == text + "13812345678" + text


def test_vault_restores_json_values():
    vault = Vault()
    vault.mask("密码：ab12\\cd34")
    value = {"a": ["⟦SECRET_1⟧", 1, None], "⟦SECRET_1⟧": True}
    restored = vault.restore_value(value)
    raw = next(iter(key for key in restored if key != "a"))
    assert restored == {"a": [raw, 1, None], raw: True}
    assert raw in "ab12\\cd34"


def test_vault_masks_names_from_a_tagger():
    vault = Vault(
        names_in=lambda text: [Item(i, i + 2, "name", "") for i in [text.find("张三")] if i >= 0]
    )
    assert vault.mask_all(["张三来了", "我见过张三"]) == ["⟦NAME_1⟧来了", "我见过⟦NAME_1⟧"]
