"""Every format gives its documents, packed or not; what is broken is counted, never a crash."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared_data

from sparrowlm.corpora import tables
from sparrowlm.corpora.documents import PIECE_CHARACTERS, ReadingReport
from sparrowlm.corpora.readers import read_source
from sparrowlm.corpora.settings import PreparationSettings
from sparrowlm.corpora.sources import Source
from sparrowlm.foundation.errors import DependencyError

POEM = "床前明月光，疑是地上霜。\n举头望明月，低头思故乡。"
ENGLISH = "It was the best of times, it was the worst of times."


def read(path, report=None, **settings):
    report = report or ReadingReport()
    source = Source(path.name, path)
    documents = []
    for piece in read_source(source, PreparationSettings(**settings), report):
        if piece.is_start:
            documents.append("")
        documents[-1] += piece.text
    return documents


def write(path, content, encoding="utf-8"):
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def lines(*records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def table(rows, **options):
    stream = io.StringIO()
    csv.writer(stream, **options).writerows(rows)
    return stream.getvalue()


ROWS = [["id", "正文", "label"], ["1", POEM, "a"], ["2", ENGLISH, "b"]]
CASES = {
    "plain.txt": POEM + "\n" + ENGLISH,
    "README": POEM + "\n" + ENGLISH,
    "note.md": POEM + "\n" + ENGLISH,
    "a.jsonl": lines({"id": 1, "text": POEM}, {"id": 2, "text": ENGLISH}),
    "b.jsonl": lines({"标题": "静夜思", "内容": POEM}, {"标题": "two", "内容": ENGLISH}),
    "strings.ndjson": lines(POEM, ENGLISH),
    "c.jsonl": lines({"title": "x", "lines": POEM.split("\n")}, {"title": "y", "lines": [ENGLISH]}),
    "list.json": json.dumps([{"text": POEM}, {"text": ENGLISH}], indent=1),
    "wrapped.json": json.dumps({"version": 1, "data": [{"text": POEM}, {"text": ENGLISH}]}),
    "one-after-another.json": json.dumps({"text": POEM}) + "\n" + json.dumps({"text": ENGLISH}),
    "rows.csv": table(ROWS),
    "semicolon.csv": table(ROWS, delimiter=";"),
    "rows.tsv": table(ROWS, delimiter="\t"),
    "no-header.csv": table([["1", POEM, "3.5"], ["2", ENGLISH, "7"]]),
    "unknown-names.csv": table([["aa", "bb", "cc"], *ROWS[1:]]),
    "turns.jsonl": lines(
        {"messages": [{"role": "user", "content": c} for c in POEM.split("\n")]},
        {"messages": [{"role": "user", "content": ENGLISH}]},
    ),
}


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
@pytest.mark.parametrize("name", CASES)
def test_readers_every_format_gives_its_documents(tmp_path, name, encoding):
    report = ReadingReport()
    found = read(write(tmp_path / name, CASES[name], encoding), report)
    if name.split(".")[-1] in ("txt", "README", "md"):
        assert found == [POEM + "\n" + ENGLISH]
    else:
        assert found == [POEM, ENGLISH]
    assert (report.num_files, report.num_bad_records, sum(report.encodings.values())) == (1, 0, 1)
    assert report.num_bytes > 100


def _zst(data):
    import zstandard

    return zstandard.ZstdCompressor().compress(data)


PACKERS = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress, ".zst": _zst}


@pytest.mark.parametrize("suffix", PACKERS)
def test_readers_packed_files_are_unpacked(tmp_path, suffix):
    data = CASES["a.jsonl"].encode("gb18030")
    path = write(tmp_path / f"a.jsonl{suffix}", PACKERS[suffix](data))
    assert read(path) == [POEM, ENGLISH]
    twice = write(tmp_path / f"b.txt{suffix}", PACKERS[suffix](b"one, ") + PACKERS[suffix](b"two"))
    assert read(twice) == ["one, two"]


@pytest.mark.parametrize("suffix", PACKERS)
def test_readers_a_damaged_packed_file_is_skipped_with_its_reason(tmp_path, suffix):
    packed = PACKERS[suffix](" ".join(str(n * n) for n in range(9999)).encode())
    for damaged in (packed[: len(packed) // 2], packed[: len(packed) // 2] + b"\x55" * 4000):
        report = ReadingReport()
        read(write(tmp_path / f"a.txt{suffix}", damaged), report)
        assert report.skipped == {"skipped-damaged": 1}


def test_readers_archives_give_their_members_in_order(tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b/two.txt", ENGLISH)
        archive.writestr("a/one.txt.gz", gzip.compress(POEM.encode("big5", "ignore")))
        archive.writestr(".hidden/x.txt", "no")
        archive.writestr("__MACOSX/x.txt", "no")
        archive.writestr("inner.zip", b"PK\x05\x06" + bytes(18))
        archive.writestr("picture.png", b"\x89PNG\r\n\x1a\n0000")
    report = ReadingReport()
    found = read(path, report)
    assert len(found) == 2
    assert found[1] == ENGLISH
    assert report.skipped == {"skipped-nested": 1, "skipped-binary": 1}


def test_readers_a_page_is_one_document(tmp_path):
    page = f"<html><body><p>{POEM}</p></body></html>"
    for name in ("page.html", "page.txt", "page.htm"):
        source = Source(name, write(tmp_path / name, page))
        pieces = list(read_source(source, PreparationSettings(), ReadingReport()))
        assert [piece.is_html for piece in pieces] == [True]


def test_readers_parquet_is_read_by_column(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"id": [1, 2, 3], "内容": [POEM, ENGLISH, None]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    report = ReadingReport()
    assert read(tmp_path / "a.parquet", report) == [POEM, ENGLISH]
    assert report.num_bad_records == 1
    broken = write(tmp_path / "b.parquet", b"PAR1" + bytes(100))
    report = ReadingReport()
    assert read(broken, report) == []
    assert report.skipped == {"skipped-damaged": 1}


def test_readers_parquet_without_its_package_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    path = write(tmp_path / "a.parquet", b"PAR1")
    with pytest.raises(DependencyError, match=r'pip install "sparrowlm\[parquet\]"'):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "documents", "num_bad"),
    [
        ("a.jsonl", '{"text": "one"}\n{"text": \n[]\n3\nnull\n\n{"text": "two"}\n', 2, 4),
        ("a.json", '[{"text": "one"}, {"text": oops},\n{"text": "two"}]', 2, 1),
        ("a.csv", 'id,text\n1,one\n2\n3,two\n', 2, 1),
        ("a.csv", 'id,text\n1,"one\n' + "x" * 10, 1, 0),
        ("a.jsonl", "[" * 100_000 + "\n" + '{"text": "deep"}\n', 1, 1),
    ],
)  # fmt: skip
def test_readers_broken_records_are_counted(tmp_path, name, content, documents, num_bad):
    report = ReadingReport()
    assert len(read(write(tmp_path / name, content), report)) == documents
    assert report.num_bad_records == num_bad


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "skipped-empty"), (b"\0" * 500, "skipped-binary"), (b"%PDF-1.4", "skipped-binary")],
)
def test_readers_unreadable_files_are_skipped_with_a_reason(tmp_path, content, reason):
    report = ReadingReport()
    assert read(write(tmp_path / "a.txt", content), report) == []
    assert report.skipped == {reason: 1}
    assert report.skipped_examples[0][0] == "a.txt"


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "a.jsonl"])
def test_readers_the_named_field_is_taken(tmp_path, name):
    path = write(tmp_path / name, CASES[name])
    assert read(path, text_field="id")[0] in ("1", "2") if name != "a.jsonl" else True
    assert read(path, text_field="1") == [POEM, ENGLISH]
    report = ReadingReport()
    assert read(path, report, text_field="nothing") == []
    assert report.skipped["skipped-no-field"] == 1 or report.num_bad_records == 2


@given(st.lists(st.lists(st.text(max_size=12), min_size=1, max_size=4), max_size=6))
def test_readers_no_table_crashes(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    write(path, table(rows).encode("utf-8", "surrogatepass"))
    assert all(isinstance(text, str) for text in read(path))


@given(st.text(max_size=80), st.sampled_from(["x.json", "x.jsonl", "x.csv", "x.tsv", "x.html"]))
def test_readers_no_text_crashes_a_reader(tmp_path_factory, text, name):
    path = tmp_path_factory.mktemp("any") / name
    write(path, text.encode("utf-8", "replace"))
    assert all(isinstance(text, str) for text in read(path))


def test_readers_the_json_suite_never_crashes():
    path = shared_data("robustness/json_test_suite.zip")
    report = ReadingReport()
    assert len(read(path, report)) > 50
    assert report.num_bad_records > 100


def test_readers_a_csv_quote_that_never_closes_costs_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_LONGEST_CELL_CHARACTERS", 1000)
    content = 'id,text\n1,"open\n' + "line of text\n" * 500 + "2,fine\n"
    report = ReadingReport()
    read(write(tmp_path / "a.csv", content), report)
    assert report.num_bad_records >= 1


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16", "utf-32", "big5"])
def test_readers_long_files_come_in_pieces_without_a_broken_character(tmp_path, encoding):
    text = "春眠不覺曉，處處聞啼鳥。" * 250_000  # one line of three million characters
    path = write(tmp_path / "long.txt", text, encoding)
    report = ReadingReport()
    source = Source("long.txt", path)
    pieces = list(read_source(source, PreparationSettings(), report))
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.is_start for piece in pieces] == [True] + [False] * (len(pieces) - 1)
    assert max(len(piece.text) for piece in pieces) <= PIECE_CHARACTERS
    assert report.num_broken == 0


def test_readers_a_file_may_turn_out_to_be_chinese_after_a_megabyte(tmp_path):
    text = "plain words only\n" * 100_000 + POEM * 30
    assert read(write(tmp_path / "late.txt", text, "gb18030")) == [text]


def test_readers_broken_bytes_are_counted_not_fatal(tmp_path):
    data = (POEM * 30).encode() + b"\xff\xfe\xff" + (POEM * 30).encode()
    report = ReadingReport()
    found = read(write(tmp_path / "a.txt", data), report)
    assert found[0].replace("\ufffd", "") == POEM * 60
    assert report.num_broken == 3
