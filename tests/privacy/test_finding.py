from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from personal_lines import harmless_lines, personal_lines
from shared_data import shared_data

from sparrowlm.privacy import KINDS, Item, find_personal, label
from sparrowlm.privacy.kinds import without_overlaps

ID = "11010519491231002X"


def kinds_and_texts(text):
    return [(item.kind, item.text) for item in find_personal(text)]


def test_finding_made_up_lines_all_with_exact_places():
    missed = [
        (line, kind)
        for line, kind, start, end in personal_lines(3000, seed=7)
        if (start, end, kind) not in {(i.start, i.end, i.kind) for i in find_personal(line)}
    ]
    assert len(missed) <= 3, missed[:5]


def test_finding_nothing_in_lines_that_only_look_alike():
    false = [line for line in harmless_lines(3000, seed=8) if find_personal(line)]
    assert len(false) <= 15, false[:5]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"身份证{ID}已登记", [("id_card", ID)]),
        ("身份证110105194912310021已登记", []),
        ("身份证１１０１０５１９４９１２３１００２Ｘ。",
         [("id_card", "１１０１０５１９４９１２３１００２Ｘ")]),
        ("１３８１２３４５６７８和+86 139-1234-5678", [("mobile", "１３８１２３４５６７８"),
                                                   ("mobile", "+86 139-1234-5678")]),
        ("1\u200b38123\u200d45678", [("mobile", "1\u200b38123\u200d45678")]),
        ("1 3 8 1 2 3 4 5 6 7 8", [("mobile", "1 3 8 1 2 3 4 5 6 7 8")]),
        ("213812345678", []),
        ("138123456789", []),
        ("邮箱zhangsan@163.com。", [("email", "zhangsan@163.com")]),
        ("邮箱：张三zhang.san+x@mail.example.co.uk,",
         [("email", "zhang.san+x@mail.example.co.uk")]),
        ("a@b", []),
        ("@所有人 看这里", []),
        ("座机（010）62345678转802", [("phone", "（010）62345678转802")]),
        ("电话62345678", [("phone", "62345678")]),
        ("销量62345678", []),
        ("客服400-820-8820", []),
        ("(415) 555-2671", [("phone", "(415) 555-2671")]),
        ("卡号6222021234567890128", [("bank_card", "6222021234567890128")]),
        ("订单号6222021234567890128", []),
        ("IBAN DE89 3704 0044 0532 0130 00 thanks", [("iban", "DE89 3704 0044 0532 0130 00")]),
        ("DE88370400440532013000", []),
        ("91350100M000100Y43", [("company_code", "91350100M000100Y43")]),
        ("91350100M000100Y44", []),
        ("京A12345和沪AD12345", [("plate", "京A12345"), ("plate", "沪AD12345")]),
        ("京AABCDE", []),
        ("微信号：zhang_wei88，QQ：12345678", [("wechat", "zhang_wei88"), ("qq", "12345678")]),
        ("微信支付很好用", []),
        ("护照E12345678，通行证H12345678", [("passport", "E12345678"), ("permit", "H12345678")]),
        ("IP 192.168.1.1，版本1.2.3.4", [("ip", "192.168.1.1")]),
        ("256.1.1.1 1.2.3.4.5", []),
        ("地址：2001:db8::1 std::vector 12:30:45", [("ip", "2001:db8::1")]),
        ("SSN 078-05-1120 000-12-3456", [("ssn", "078-05-1120")]),
        ("Authorization: Bearer abcdEFGH1234ijklMNOP", [("secret", "abcdEFGH1234ijklMNOP")]),
        ("password=Hunter22! ok", [("secret", "Hunter22!")]),
        ("密码是多少？", []),
        ("tel13812345678 录音_13812345678.wav wx13812345678",
         [("mobile", "13812345678")] * 3),
        ("SN13812345678 a13812345678b9 0.13812345678 ab12_13812345678", []),
        (f"ID{ID} id_{ID}.jpg {ID}x", [("id_card", ID), ("id_card", ID)]),
        ("2024-01-02 13812345678 好", [("mobile", "13812345678")]),
        ("sorted(rows, key=operator.itemgetter(1))", []),
        ("take in tvx broadcast, wechat redirect", []),
        ("wechat: redirect", [("wechat", "redirect")]),
        ("他的护照。\t#755159", []),
        ("packed ::ffff:192.0.2.1 here", [("ip", "::ffff:192.0.2.1")]),
        ("622848 07986 24433 974", [("bank_card", "622848 07986 24433 974")]),
        ("550e8400-e29b-41d4-a716-446655440000", []),
    ],
)  # fmt: skip
def test_finding_examples(text, expected):
    assert kinds_and_texts(text) == expected


def test_finding_private_keys_as_a_whole():
    block = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc123\n+/=\n-----END RSA PRIVATE KEY-----"
    assert kinds_and_texts(f"key:\n{block}\nend") == [("secret", block)]
    cut_off = block[:-20]
    assert kinds_and_texts(cut_off) == [("secret", cut_off)]


def test_finding_only_kinds_asked_for():
    text = f"{ID} 13812345678"
    assert [i.kind for i in find_personal(text, kinds=("mobile",))] == ["mobile"]


def test_finding_takes_names_from_elsewhere():
    def names_in(text):
        return [Item(0, 2, "name", ""), Item(3, 14, "address", "")]

    found = find_personal("张三，13812345678", names_in=names_in)
    # Of two that overlap the more certain one stays.
    assert [(i.kind, i.text) for i in found] == [("name", "张三"), ("mobile", "13812345678")]


SIGNS = st.sampled_from(
    list("0123456789aAxXE@.:-_+ ()/=京微信卡号QQ身份证电话：，。０１\u200b\nkeyJ⟦")
)


@given(st.text(SIGNS, max_size=200))
def test_finding_places_are_exact_ordered_and_apart(text):
    end = 0
    for item in find_personal(text):
        assert end <= item.start < item.end <= len(text)
        assert item.text == text[item.start : item.end]
        end = item.end


@given(st.text(max_size=100), st.text(max_size=100))
def test_finding_any_text_is_read(before, after):
    find_personal(f"{before}{ID}{after}")


@given(
    st.integers(0, 3000),
    st.text("好的，。 请\n", max_size=300),
    st.text("好的，。 请\n", max_size=300),
)
def test_finding_does_not_depend_on_what_stands_far_away(number, before, after):
    line, _kind, _start, _end = LINES[number]
    whole = f"{before}\n{line}\n{after}"
    assert [i.text for i in find_personal(whole)] == [i.text for i in find_personal(line)]


LINES = personal_lines(3001, seed=3)


@pytest.mark.parametrize(
    "piece",
    ["1", "1 ", "1-", "a1", "a@", "@", ".", "1.", "a.", "1:", ":", "::", "key=", "密码：a1",
     "eyJa1.", "-----BEGIN PRIVATE KEY-----", "京A", "微信", "QQ", "+1 ", "(0", "１", "1\u200b",
     "sk-a1", "E1",
     "00", "DE89 ", "a1b-", "aaaaaaaa-aaaa-", "\u200b", "4 ", "0 1"],
)  # fmt: skip
def test_finding_time_is_linear_in_whatever_text(piece):
    def seconds(length):
        text = (piece * length)[:length]
        began = time.process_time()
        find_personal(text)
        return time.process_time() - began

    seconds(1000)
    shorter, longer = seconds(5_000), seconds(20_000)
    # Four times as long may take four times as long, and some noise; quadratic would take sixteen.
    assert longer < 0.05 or longer < 9 * shorter, (shorter, longer)


def test_finding_novels_hold_nobody():
    text = shared_data("lm/novels_zh/xiyou.valid.txt").read_text(encoding="utf-8")
    assert find_personal(text) == []


def test_finding_labels_stand_in_both_languages():
    for kind in KINDS:
        assert label(kind, "en").replace("_", "").isupper()
        assert label(kind, "zh")


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 10), st.integers(1, 3))))
def test_finding_overlaps_leave_the_more_certain(spans):
    items = [Item(a, a + n, "mobile", "", c) for a, n, c in spans]
    kept = without_overlaps(items)
    assert all(a.end <= b.start for a, b in pairwise(kept))
    if items:
        best = max(item.certainty for item in items)
        assert any(item.certainty == best for item in kept)


def test_finding_speed_is_no_accident():
    chance = random.Random(1)
    text = "".join(chance.choices("的一是在不了有和人这中大为上个国我以要他", k=300_000))
    began = time.process_time()
    assert find_personal(text) == []
    # 0.9 MB; the promise of 15 MB/s holds with room, a slow machine keeps a fifth of it.
    assert time.process_time() - began < 0.3
