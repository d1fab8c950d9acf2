"""Every word the page may need exists in both languages."""

from __future__ import annotations

import pytest

from sparrowlm.corpora.statistics import (
    CorpusStatistics,
    ReadingStatistics,
    SplitStatistics,
    describe_reason,
    statistics_from_json,
)
from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.foundation.messages import catalogue

NAMES = sorted(catalogue("corpora"))


def everything():
    def names(prefix):
        return {name.removeprefix(prefix): 7 for name in NAMES if name.startswith(prefix)}

    reading = ReadingStatistics(
        num_files=1_234, num_bytes=5_000_000, num_broken=3, num_bad_records=4,
        encodings={"utf-8": 9, "gb18030": 1},
        skipped={name: 2 for name in NAMES if name.startswith("skipped-")},
        skipped_examples=(("图.png", "skipped-binary:PNG"),),
        dropped_documents=names("dropped-"), dropped_characters={"exact": 12_345},
        repairs=names("repair-"),
    )  # fmt: skip
    side = SplitStatistics(3, 1_000, 1_204, 10)
    return CorpusStatistics(
        reading, reading, "bpe", 4_096, 1.25, side, side, True, (("的", 99), (" the", 98))
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_statistics_page_says_all_there_is(language):
    page = "\n".join(everything().lines(language))
    for name in NAMES:
        if name.startswith(("skipped-", "dropped-", "repair-")):
            assert catalogue("corpora")[name][language] in page
    assert "1,234" in page
    assert "5.00 MB" in page
    assert "12,345" in page
    assert "1.200" in page  # tokens per character, separators left out


def test_statistics_come_back_from_json_and_wrong_json_is_refused():
    values = everything().as_json()
    assert statistics_from_json(values) == everything()
    for broken in ({}, {**values, "more": 1}, {**values, "train": None}, {**values, "reading": {}}):
        with pytest.raises(DamagedFileError):
            statistics_from_json(broken)


def test_statistics_reasons_are_said_with_their_detail():
    assert describe_reason("skipped-binary:PDF", "en") == "not text (PDF)"
    assert describe_reason("skipped-empty", "zh") == "空文件"
