from __future__ import annotations

import json

import pytest


@pytest.fixture
def letter(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("电话13812345678，身份证11010519491231002X\n好的\n", encoding="utf-8")
    return path


def test_cli_redact_prints_in_the_language_of_the_user(sparrow, letter):
    done = sparrow("redact", str(letter), language="zh")
    assert done.returncode == 0
    assert done.stdout == "电话[手机号]，身份证[身份证号]\n好的\n"
    assert "mobile 1" in done.stderr
    assert "[PHONE]" in sparrow("redact", str(letter), language="en").stdout


def test_cli_redact_reads_standard_input(sparrow):
    done = sparrow("redact", "-", "--mode", "drop", stdin="打13812345678吧")
    assert done.stdout == "打吧"


def test_cli_redact_writes_several_files_and_counts(sparrow, letter, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"a": "a1@b.com"}\n', encoding="utf-8")
    done = sparrow("redact", str(letter), str(rows), "-o", "safe.txt", "--json")
    report = json.loads(done.stdout)
    assert report == {
        "output": "safe.txt", "rows": 3, "found": {"mobile": 1, "id_card": 1, "email": 1},
    }  # fmt: skip
    text = (tmp_path / "safe.txt").read_text(encoding="utf-8")
    assert text.endswith('好的\n{"a": "[EMAIL]"}\n')


def test_cli_redact_keys_make_equal_hashes(sparrow, letter, tmp_path):
    (tmp_path / "key").write_text("a-secret\n", encoding="utf-8")
    words = ("redact", str(letter), "--mode", "hash", "--kinds", "mobile")
    first, second = (sparrow(*words, "--key-file", "key").stdout for _ in range(2))
    assert first == second != sparrow(*words).stdout
    assert "11010519491231002X" in first


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "at least one file"),
        (["nowhere.txt"], "does not exist"),
        (["letter.txt", "--json"], "-o"),
        (["letter.txt", "--kinds", "shoe_size"], "shoe_size"),
        (["letter.txt", "--key-file", "letter.txt"], "--mode mask"),
        (["letter.txt", "--encoding", "ascii"], "--encoding"),
        (["letter.txt", "--names", "nowhere"], "nowhere"),
    ],
)
def test_cli_redact_says_what_is_wrong(sparrow, letter, words, expected):
    done = sparrow("redact", *words)
    assert done.returncode in (1, 2)
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["redact", "label"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_cli_redact_and_label_teach_by_example(sparrow, verb, language):
    done = sparrow(verb, "--help", language=language)
    assert done.stdout.count(f"sparrow {verb}") >= 2
    assert ("例子" if language == "zh" else "Example") in done.stdout
    assert "--json" in done.stdout
