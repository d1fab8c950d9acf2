from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.quantities import (
    format_count,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("received", "num_bytes"),
    [
        ("4MB", 4_000_000),
        ("500kB", 500_000),
        ("500 KB", 500_000),
        ("1.5GB", 1_500_000_000),
        ("2MiB", 2 << 20),
        (" 10b ", 10),
        (".5kb", 500),
        (123, 123),
    ],
)
def test_quantities_size_is_read(received, num_bytes):
    assert parse_size(received) == num_bytes


@pytest.mark.parametrize(
    "received", ["", "4", "4 apples", "MB", "-4MB", "0MB", "1e3MB", "4MB5", "４MB", "nan", 0, True]
)
def test_quantities_unreadable_size_is_one_sentence(received):
    with pytest.raises(SettingError) as caught:
        parse_size(received)
    assert caught.value.code == "foundation.size-unreadable"
    assert repr(received) in caught.value.sentence("en")
    assert "4MB" in caught.value.sentence("zh")


@pytest.mark.parametrize(
    ("received", "seconds"),
    [("5", 300), (5, 300), ("0.5", 30), ("90s", 90), ("2 min", 120), ("1h", 3600), (0.1, 6)],
)
def test_quantities_duration_is_read(received, seconds):
    assert parse_duration(received) == pytest.approx(seconds)


@pytest.mark.parametrize("received", ["", "0", "-1", "five", "5 days", 0, -2, float("nan"), "inf"])
def test_quantities_unreadable_duration_is_one_sentence(received):
    with pytest.raises(SettingError) as caught:
        parse_duration(received)
    assert caught.value.code == "foundation.duration-unreadable"


@given(st.integers(min_value=1, max_value=10**14))
def test_quantities_formatted_size_reads_back_within_rounding(num_bytes):
    assert parse_size(format_size(num_bytes)) == pytest.approx(num_bytes, rel=0.006)


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (0.04, "0.0 s", "0.0 秒"),
        (9.96, "10 s", "10 秒"),
        (59.6, "1 min 0 s", "1 分 0 秒"),
        (83, "1 min 23 s", "1 分 23 秒"),
        (3599.9, "1 h 0 min", "1 小时 0 分"),
        (7380, "2 h 3 min", "2 小时 3 分"),
    ],
)
def test_quantities_duration_in_both_languages(seconds, english, chinese):
    assert format_duration(seconds, "en") == english
    assert format_duration(seconds, "zh") == chinese


def test_quantities_count_is_short():
    assert [format_count(n) for n in (0, 999, 1000, 12_345, 999_600, 3.48e6, 2e9)] == [
        "0", "999", "1.00K", "12.3K", "1.00M", "3.48M", "2.00B",
    ]  # fmt: skip
