from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from personal_lines import personal_lines

from sparrowlm.foundation.errors import DataError
from sparrowlm.privacy import Redactor, find_personal, names_by
from sparrowlm.privacy.files import redact_file
from sparrowlm.privacy.names import knows_names

KEY = b"a key of the tests"
LINES = personal_lines(600, seed=11)
CHECKED = {"id_card", "bank_card", "company_code", "iban", "mobile", "ssn", "plate", "email", "ip"}


def redactor(mode="mask", language="zh", **more):
    return Redactor(mode=mode, language=language, key=KEY, **more)


def test_redacting_masks_in_both_languages():
    text = "电话13812345678，邮箱a1@b.com"
    assert redactor().redact(text).text == "电话[手机号]，邮箱[邮箱]"
    assert redactor(language="en").redact(text).text == "电话[PHONE]，邮箱[EMAIL]"
    assert redactor("drop").redact(text).text == "电话，邮箱"


@pytest.mark.parametrize("mode", ["mask", "drop", "hash", "surrogate"])
def test_redacting_leaves_nothing_and_keeps_all_else(mode):
    for line, _kind, start, end in LINES:
        redacted = redactor(mode).redact(line).text
        assert line[start:end] not in redacted
        assert redacted.startswith(line[:start]) and redacted.endswith(line[end:])


def test_redacting_hashes_are_equal_for_equal_items_and_keyed():
    one = redactor("hash")
    first, second, other = (
        one.redact(text).text for text in ("13812345678", "１３８-1234-5678", "13812345679")
    )
    assert first == second != other
    assert re.fullmatch(r"\[手机号:[0-9a-f]{16}\]", first)
    assert Redactor(mode="hash", language="zh", key=b"other").redact("13812345678").text != first
    assert Redactor(mode="hash", language="zh").redact("13812345678").text != first


def test_redacting_surrogates_are_valid_and_of_the_same_form():
    for line, kind, start, end in LINES:
        redacted = redactor("surrogate").redact(line).text
        item = redacted[start : len(redacted) - (len(line) - end)]
        if kind not in ("email", "ip"):
            pattern = "".join("d" if s.isdecimal() else "a" if s.isalnum() else s for s in item)
            original = "".join(
                "d" if s.isdecimal() else "a" if s.isalnum() else s for s in line[start:end]
            )
            if kind not in ("id_card", "company_code"):
                assert pattern == original, (line, redacted)
            assert len(item) == end - start
        if kind in CHECKED:
            assert [i.kind for i in find_personal(redacted)] == [kind], (line, redacted)


def test_redacting_surrogates_are_equal_for_equal_items():
    one = redactor("surrogate")
    first = one.redact("13812345678").text
    assert one.redact("打给１３８１２３４５６７８吧").text != "打给１３８１２３４５６７８吧"
    assert one.redact("138-1234-5678").text.replace("-", "") == first
    assert Redactor(mode="surrogate", key=b"other").redact("13812345678").text != first


@given(st.text(max_size=80))
def test_redacting_text_without_items_is_untouched(text):
    if not find_personal(text):
        for mode in ("mask", "drop", "hash", "surrogate"):
            assert redactor(mode).redact(text).text == text


def span(start, end, label, probability=0.9):
    return SimpleNamespace(start=start, end=end, label=label, probability=probability)


def test_redacting_names_come_from_a_tagger():
    def predict(lines):
        spans = [span(0, 2, "PER"), span(3, 5, "LOC"), span(6, 8, "ORG"), span(8, 9, "TIME")]
        spans.append(span(9, 10, "PER", 0.1))
        return [SimpleNamespace(spans=spans if line.startswith("张三") else []) for line in lines]

    text = "张三在北京的腾讯工作了"
    masked = redactor(names_in=names_by(predict)).redact(f"好\n\n{text}\n{text}").text
    assert masked == "好\n\n" + "\n".join(["[姓名]在[地址]的[机构]工作了"] * 2)
    other = redactor("surrogate", names_in=names_by(predict)).redact(text).text
    assert "张三" not in other and "北京" not in other and "腾讯" not in other
    assert knows_names(["PER"]) and not knows_names(["time", "money"])


# --- files --------------------------------------------------------------------------------------


def redacted_file(path, mode="mask", **more):
    pieces = []
    report = redact_file(path, redactor(mode), pieces.append, **more)
    return "".join(pieces), report


def test_redacting_files_line_by_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("电话13812345678\r\n好\n\n末行a1@b.com", encoding="utf-8", newline="")
    text, report = redacted_file(path)
    assert text == "电话[手机号]\r\n好\n\n末行[邮箱]"
    assert report.num_found == {"mobile": 1, "email": 1}


def test_redacting_rows_keeps_fields_and_reads_numbers_by_their_names(tmp_path):
    rows = [
        {"手机": 13812345678, "n": 5, "note": ["打13912345678", None, True, 1.5]},
        {"password": "abc12345", "QQ": "12345678", "inner": {"id": 110}},
    ]
    path = tmp_path / "a.jsonl"
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join([*lines, "no JSON 13812345678"]), encoding="utf-8")
    text, report = redacted_file(path)
    first, second, third = text.split("\n")
    assert json.loads(first) == {
        "手机": "[手机号]", "n": 5, "note": ["打[手机号]", None, True, 1.5],
    }  # fmt: skip
    assert json.loads(second) == {"password": "[密钥]", "QQ": "[QQ号]", "inner": {"id": 110}}
    assert third == "no JSON [手机号]"
    assert report.num_rows == 3


def test_redacting_large_files_at_constant_memory(tmp_path):
    path = tmp_path / "large.txt"
    with path.open("w", encoding="utf-8") as stream:
        for number in range(8_000):
            stream.write(LINES[number % len(LINES)][0] + "好的，收到。" * 10 + "\n")
    assert path.stat().st_size > 1_500_000
    program = (
        "import sys, tracemalloc\nfrom pathlib import Path\n"
        "from sparrowlm.privacy import Redactor\nfrom sparrowlm.privacy.files import redact_file\n"
        "redactor = Redactor(key=b'k')\nsize = 0\n"
        "def write(piece):\n    global size\n    size += len(piece)\n"
        "tracemalloc.start(1)\n"
        "redact_file(Path(sys.argv[1]), redactor, write)\n"
        "print(size, tracemalloc.get_traced_memory()[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    size, peak_bytes = map(int, done.stdout.split())
    assert size > 400_000
    assert peak_bytes < 4_000_000


def test_redacting_keys_over_many_lines_and_a_line_without_end(tmp_path):
    block = "-----BEGIN PRIVATE KEY-----\n" + "MIIabc123+/\n" * 3000 + "-----END PRIVATE KEY-----"
    path = tmp_path / "key.txt"
    path.write_text(
        "x\n" * 30_000 + block + "\nend " + "好1" * 700_000 + "电话13812345678好", "utf-8"
    )
    text, report = redacted_file(path)
    assert "MII" not in text and "13812345678" not in text
    assert report.num_found == {"secret": 1, "mobile": 1}
    assert text.count("好") == 700_001


def test_redacting_other_encodings(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("电话13812345678".encode("gb18030"))
    assert redacted_file(path, encoding="gb18030")[0] == "电话[手机号]"
    with pytest.raises(DataError, match="--encoding"):
        redacted_file(path)
    with pytest.raises(DataError, match="nowhere"):
        redacted_file(tmp_path / "nowhere.txt")
    with pytest.raises(DataError):
        redacted_file(tmp_path)


def test_redacting_standard_input(monkeypatch):
    for given_text, expected in [
        ("电话13812345678", "电话[手机号]"),
        ('{"a": "13812345678"}', '{"a": "[手机号]"}'),
    ]:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(given_text.encode())))
        assert redacted_file(Path("-"))[0] == expected
