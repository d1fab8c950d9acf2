"""Dirt goes, what an author may have meant stays, and cleaning twice is cleaning once."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from shared_data import shared_data

from sparrowlm.text.cleaning import clean_text

UNTOUCHED = [
    "他说：“你好！”（笑）《红楼梦》——……、；？",
    "「引用」『雙引號』【標題】〈書〉〔注〕",
    "‘single’ “double” it’s – — …",
    "全角ＡＢＣ１２３　空格",
    "𠮷𡃁𪚥𰻝 rare ideographs",
    "兀豈 compatibility ideographs 﨎",
    "👩‍👩‍👧 family, 🏴󠁧󠁢󠁥󠁮󠁧󠁿 flag, ❤️ heart",
    "می‌خواهم",
    "क्‍ष",
    "ﬁne Ⅷ ½ ™ ㍿",
    "tab\tand  two spaces \n\n\n three lines ",
    "naïve café Ångström",
]
REPAIRED = [
    ("a\x00b\x07c", "abc", "control"),
    ("zero\u200bwidth", "zerowidth", "invisible"),
    ("\ufeffmark", "mark", "invisible"),
    ("soft\u00adhyphen", "softhyphen", "invisible"),
    ("left\u202eright\u202c", "leftright", "invisible"),
    ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour", "line-ends"),
    ("\x1b[31mred\x1b[0m", "red", "control"),
    ("schÃ¶n und grÃ¼n", "schön und grün", "mojibake"),
    ("我爱你，也爱兩个人".encode().decode("latin-1"), "我爱你，也爱兩个人", "mojibake"),
    ("one\x85two", "one\ntwo", "line-ends"),
    ("cafe\u0301", "café", "composed"),
    ("か\u3099", "が", "composed"),
    ("坏\ufffd\ufffd字", "坏字", "broken"),
    ("锟斤拷锟斤拷烫", "烫", "broken"),
]


@pytest.mark.parametrize("text", UNTOUCHED)
def test_cleaning_leaves_what_was_meant(text):
    assert clean_text(text) == text


@pytest.mark.parametrize(("text", "wanted", "kind"), REPAIRED, ids=lambda value: repr(value)[:14])
def test_cleaning_repairs_and_counts(text, wanted, kind):
    counts: Counter[str] = Counter()
    assert clean_text(text, counts=counts).rstrip() == wanted
    assert counts[kind] >= 1
    # Far from the start, in a text long enough for the table instead of the expression.
    long_counts: Counter[str] = Counter()
    padded = "普通的文字。\n" * 200 + text + "\nplain words\n" * 200
    expected = "普通的文字。\n" * 200 + clean_text(text) + "\nplain words\n" * 200
    assert clean_text(padded, counts=long_counts) == expected
    assert long_counts == counts


def test_cleaning_minimal_leaves_mojibake_and_off_leaves_all():
    text = "schÃ¶n\x00 e\u0301"
    assert clean_text(text, "minimal") == "schÃ¶n e\u0301"
    assert clean_text(text, "off") == text


SIGNS = st.one_of(
    st.characters(),
    st.sampled_from(
        "\r\n\x1b[m\u200b\u200d\ufeff\ufffd锟斤拷ÃÂ¶©âe\u0301ｶ\u3099\u1100\u1161👩🏴\U000e0067"
    ),
)


@given(st.text(SIGNS, max_size=40))
@example("\r\u200b\n")
@example("e\u200b\u0301")
@example("锟斤\u200b拷")
def test_cleaning_control_and_invisible_signs_never_survive(text):
    cleaned = clean_text(text)
    assert not set(cleaned) & set("\r\x00\x07\x1b\x85\u200b\ufeff\u2028\u202e\ufffd\ud800")


@given(st.text(SIGNS, max_size=40))
@example("e\u200b\u0301")
def test_cleaning_twice_is_cleaning_once_where_nothing_was_mojibake(text):
    counts: Counter[str] = Counter()
    once = clean_text(text, counts=counts)
    again: Counter[str] = Counter()
    twice = clean_text(once, counts=again)
    # Repairing one mojibake may lay bare another that stood around it: that converges, too.
    if not again["mojibake"]:
        assert twice == once


@given(
    st.text(
        st.sampled_from(
            "，。！？：；“”‘’（）《》【】、—…「」『』～￥％ＡＺ０９　一龥𠀀𰻝😀aZ 09\n"
        ),
        max_size=80,
    )
)
def test_cleaning_punctuation_and_rare_characters_are_untouched(text):
    assert clean_text(text) is text


@given(st.lists(st.text(SIGNS, max_size=20), min_size=1, max_size=6))
def test_cleaning_goes_line_by_line(lines):
    lines = [clean_text(line.replace("\n", "")) for line in lines]
    again = [clean_text(line) for line in lines]
    assert clean_text("\n".join(lines)) == "\n".join(again)


def test_cleaning_real_mojibake_is_repaired_as_its_collector_says():
    right = total = 0
    for name in ("in-the-wild", "language-names", "synthetic"):
        path = shared_data(f"robustness/mojibake_ftfy/{name}.json")
        for case in json.loads(path.read_text("utf-8")):
            if case["expect"] != "pass":
                continue
            # "fixed" also has its quotes made straight, which Sparrow never does.
            wanted = case.get("fixed-encoding", case["fixed"])
            total += 1
            right += clean_text(case["original"]).strip() == clean_text(wanted).strip()
    assert total > 80
    assert right >= 0.9 * total


def test_cleaning_text_that_only_looks_like_mojibake_is_left_alone():
    path = shared_data("robustness/mojibake_ftfy/negative.json")
    changed = [
        case["original"]
        for case in json.loads(path.read_text("utf-8"))
        if case["expect"] == "pass"
        and "fixed-encoding" not in case
        and case["fixed"] == case["original"]
        and clean_text(case["original"]) != case["original"]
    ]
    assert changed == []


def test_cleaning_naughty_strings_keep_their_visible_signs():
    path = shared_data("robustness/blns/blns.json")
    for text in json.loads(path.read_text("utf-8")):
        counts: Counter[str] = Counter()
        cleaned = clean_text(text, counts=counts)
        if not counts["mojibake"] and "\x1b" not in text:  # colours of terminals go as a whole
            ascii_before = [c for c in text if " " < c < "\x7f"]
            assert [c for c in cleaned if " " < c < "\x7f"] == ascii_before


def test_cleaning_real_chinese_novels_are_untouched():
    text = shared_data("lm/novels_zh/xiyou.valid.txt").read_text("utf-8")
    assert clean_text(text) == text
