"""One table in every encoding and packing gives the same examples."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile

import pytest
import zstandard
from labelled_files import json_lines, read, table, write

from sparrowlm.corpora.labelled import LabelledText

CHINESE = [
    ("这家酒店的早餐非常丰富，服务员的态度也很好，下次还会再来。", "正面"),
    ("房间又小又吵，空调也是坏的，再也不会来了。", "负面"),
    ("物流很快，包装完好，质量不错，值得购买。", "正面"),
    ("电池用了两天就坏了，客服一直不理人，太失望了。", "负面"),
]
TRADITIONAL = [
    ("這家酒店的早餐非常豐富，服務員的態度也很好，下次還會再來。", "正面"),
    ("房間又小又吵，空調也是壞的，再也不會來了。", "負面"),
    ("物流很快，包裝完好，質量不錯，值得購買。", "正面"),
    ("電池用了兩天就壞了，客服一直不理人，太失望了。", "負面"),
]
JAPANESE = [
    ("このホテルの朝食はとても美味しかったです。また来たいと思います。", "良い"),
    ("部屋が狭くてうるさかったので、もう二度と来ません。", "悪い"),
    ("配送が早くて、包装もきれいでした。買ってよかったです。", "良い"),
]
KOREAN = [
    ("이 호텔의 아침 식사는 정말 맛있었습니다. 다시 오고 싶습니다.", "좋음"),
    ("방이 작고 시끄러워서 다시는 오지 않을 것입니다.", "나쁨"),
    ("배송이 빠르고 포장도 깨끗했습니다. 잘 샀습니다.", "좋음"),
]
RUSSIAN = [
    ("Завтрак в этом отеле был очень хорошим, и персонал вежливый.", "хорошо"),
    ("Комната маленькая и шумная, больше никогда не приеду.", "плохо"),
    ("Доставка быстрая, упаковка целая, стоит своих денег.", "хорошо"),
]
FRENCH = [
    ("Le petit déjeuner était très bon et le personnel était agréable.", "positif"),
    ("La chambre était petite et bruyante, où rien ne marchait, hélas.", "négatif"),
    ("Livraison rapide, très bien emballé, ça vaut son prix.", "positif"),
]
CASES = [
    ("utf-8", CHINESE), ("utf-8-sig", CHINESE), ("utf-16", CHINESE), ("utf-16-le", FRENCH),
    ("utf-16-be", FRENCH), ("utf-32", CHINESE), ("gb18030", CHINESE), ("gbk", CHINESE),
    ("gb2312", CHINESE), ("hz", CHINESE), ("big5", TRADITIONAL), ("cp932", JAPANESE),
    ("euc_jp", JAPANESE), ("iso2022_jp", JAPANESE), ("cp949", KOREAN), ("cp1251", RUSSIAN),
    ("koi8_r", RUSSIAN), ("cp1252", FRENCH),
]  # fmt: skip


@pytest.mark.parametrize(("encoding", "rows"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("has_header", [True, False])
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_encodings_of_tables(tmp_path, encoding, rows, has_header, suffix):
    lines = [("text", "label"), *rows] if has_header else rows
    content = table(lines, delimiter="\t" if suffix == "tsv" else ",", lineterminator="\r\n")
    data = read(write(tmp_path / f"a.{suffix}", content, encoding))
    assert data.examples == [LabelledText(text, (label,)) for text, label in rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings_of_other_formats(tmp_path, encoding):
    expected = [LabelledText(text, (label,)) for text, label in CHINESE]
    records = json_lines(*({"文本": text, "标签": label} for text, label in CHINESE))
    fasttext = "".join(f"__label__{label} {text}\n" for text, label in CHINESE)
    nlu = "nlu:\n" + "".join(f"- intent: {y}\n  examples: |\n    - {x}\n" for x, y in CHINESE)
    for name, content in (("a.jsonl", records), ("a.txt", fasttext), ("nlu.yml", nlu)):
        assert read(write(tmp_path / name, content, encoding)).examples == expected, name


def zipped(data):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("__MACOSX/._reviews.csv", b"\0")
        archive.writestr("data/reviews.csv", data)
    return packed.getvalue()


PACKERS = {
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("suffix", [*PACKERS, ".zip"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_encodings_inside_packed_files(tmp_path, suffix, encoding):
    data = table([("评论", "情感"), *CHINESE]).encode(encoding)
    packed = zipped(data) if suffix == ".zip" else PACKERS[suffix](data)
    name = "reviews.zip" if suffix == ".zip" else f"reviews.csv{suffix}"
    found = read(write(tmp_path / name, packed))
    assert found.examples == [LabelledText(text, (label,)) for text, label in CHINESE]


def test_encodings_a_cut_off_file_gives_what_came_before(tmp_path):
    from sparrowlm.corpora.documents import ReadingReport

    rows = [("text", "label")] + [
        (f"text number {i} {i * 7919}", "ab"[i % 2]) for i in range(300_000)
    ]
    packed = gzip.compress(table(rows).encode())
    report = ReadingReport()
    data = read(write(tmp_path / "a.csv.gz", packed[: len(packed) // 2]), report)
    assert 30_000 < len(data.examples) < 300_000
    assert report.skipped["skipped-damaged"] == 1
