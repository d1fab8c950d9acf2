"""Bytes come out as the text that was meant, whatever page they were written in."""

from __future__ import annotations

import re
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared_data

from sparrowlm.text.encodings import decode_bytes, detect_encoding

CHINESE = "床前明月光，疑是地上霜。举头望明月，低头思故乡。今天天气很好，我们去公园玩吧！"
TRADITIONAL = "我喜歡學習新技術。人工智慧將改變世界，這是一個開始。"
WRITTEN = [
    (CHINESE, "gb18030"),
    ("你好", "gb18030"),
    ("hello你好，world", "gb18030"),
    ("小语言模型 100 n\n麻雀\t鸟\n", "gb18030"),
    (TRADITIONAL, "big5"),
    (CHINESE, "utf-8"),
    (CHINESE, "utf-8-sig"),
    (CHINESE * 3, "utf-16"),
    ("plain English without any mark at all, but with some length", "utf-16-le"),
    ("plain English without any mark at all, but with some length", "utf-16-be"),
    (CHINESE, "utf-32"),
    ("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。", "shift_jis"),
    ("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。", "euc_jp"),
    ("오늘은 날씨가 좋아서 공원에 가서 놀았습니다. 그리고 집에 왔어요.", "euc_kr"),
    ("Съешь же ещё этих мягких французских булок, да выпей чаю.", "cp1251"),
    ("Съешь же ещё этих мягких французских булок, да выпей чаю.", "koi8_r"),
    ("Le café était fermé à Noël, où êtes-vous allés? Ça va très bien.", "cp1252"),
    ("Die Straße ist für Fußgänger gesperrt. Müller sagt: „schön“", "cp1252"),
    ("“Hello,” she said — it’s fine.", "cp1252"),
    ("Zażółć gęślą jaźń, proszę pana. Łódź i Kraków są piękne.", "cp1250"),
    ("Τα παιδιά παίζουν στην αυλή του σχολείου κάθε μέρα", "cp1253"),
]


@pytest.mark.parametrize(("text", "encoding"), WRITTEN, ids=lambda value: value[:12])
def test_encodings_written_text_comes_back(text, encoding):
    decoded = decode_bytes(text.encode(encoding))
    assert decoded.text == text
    assert decoded.num_broken == 0


# Files whose page Python cannot read, or that are no text.
HOPELESS = {"EUC-TW/_ude_euc-tw1.txt", "ascii/_mozilla_bug638318_text.html"}


def test_encodings_real_pages_come_out_right():
    right = wrong = 0
    with zipfile.ZipFile(shared_data("robustness/encodings_chardet.zip")) as archive:
        for name in archive.namelist():
            if name.endswith("/") or name in HOPELESS:
                continue
            data = archive.read(name)
            wanted = data.decode(name.split("/")[0], errors="replace").lstrip("\ufeff")
            got = decode_bytes(data).text
            same = sum(map(str.__eq__, wanted, got)) if len(wanted) == len(got) else 0
            right += same >= 0.99 * len(wanted)
            wrong += same < 0.99 * len(wanted)
    assert right >= 90
    assert wrong <= 1


def test_encodings_utf8_cases_are_judged_as_the_standard_says():
    lines = shared_data("robustness/utf8tests/utf8tests.txt").read_text("ascii").splitlines()
    num_cases = 0
    for line in lines:
        found = re.match(r"[\d.]+:(valid hex|invalid hex):([0-9a-fA-F ]+)(?::(.*):(.*))?$", line)
        if not found:
            continue
        data = bytes.fromhex(found[2])
        # Only the bytes in question change: around them stands text that makes UTF-8 certain.
        decoded = decode_bytes(("是的。" * 40).encode() + data + ("好的。" * 40).encode())
        middle = decoded.text[120:-120]
        if found[1] == "valid hex":
            assert middle.encode() == data
            assert decoded.num_broken == 0
        else:
            assert middle.encode() == bytes.fromhex(found[4])
        num_cases += 1
    assert num_cases > 50


@pytest.mark.parametrize(
    "data",
    [b"%PDF-1.7 and more", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", bytes(range(256)) * 8, b"\0" * 99],
    ids=["pdf", "png", "zip", "all-bytes", "zeros"],
)
def test_encodings_binaries_are_refused(data):
    decoded = decode_bytes(data)
    assert decoded.is_binary
    assert decoded.text == ""


@given(st.binary(max_size=300))
def test_encodings_no_bytes_crash(data):
    decoded = decode_bytes(data)
    assert isinstance(decoded.text, str)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200))
def test_encodings_utf8_is_never_mistaken(text):
    data = text.encode("utf-8")
    if "~{" in text or text.startswith(("\ufeff", "\ufffe")) or detect_encoding(data)[1] in (
        "ZIP / DOCX / XLSX / EPUB", "MP3", "Ogg" , "WAV / AVI", "FLAC", "Parquet", "GGUF", "GIF",
    ):  # fmt: skip
        return
    assert decode_bytes(data).text == text
