"""Tables as people really send them: read right, or refused with one clear sentence.

What is measured is the way of `sparrow train`: read, checked, told about.
"""

from __future__ import annotations

import csv
import gzip
import io
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparrowlm.api.labels import read_task_data, task_of
from sparrowlm.api.request import checked_request
from sparrowlm.foundation.errors import SettingError, SparrowError
from sparrowlm.foundation.progress import SilentProgress

CHINESE = [
    ("这家酒店的早餐非常丰富，服务员的态度也很好，下次还会再来。", "正面"),
    ("房间又小又吵，空调也是坏的，再也不会来了。", "负面"),
    ("物流很快，包装完好，质量不错，值得购买。", "正面"),
    ("电池用了两天就坏了，客服一直不理人，太失望了。", "负面"),
]
RARE = [(text + "㐀㐁龦𠮷", label) for text, label in CHINESE]  # four bytes each in GB18030
TRADITIONAL = [
    ("這家酒店的早餐非常豐富，服務員的態度也很好，下次還會再來。", "正面"),
    ("房間又小又吵，空調也是壞的，再也不會來了。", "負面"),
    ("物流很快，包裝完好，質量不錯，值得購買。", "正面"),
    ("電池用了兩天就壞了，客服一直不理人，太失望了。", "負面"),
]
CANTONESE = [(text + "佢哋嘅嘢好靚，唔該。", label) for text, label in TRADITIONAL]
JAPANESE = [
    ("このホテルの朝食はとても美味しかったです。また来たいと思います。", "良い"),
    ("部屋が狭くてうるさかったので、もう二度と来ません。", "悪い"),
    ("配送が早くて、包装もきれいでした。買ってよかったです。", "良い"),
    ("電池がすぐに切れました。とても残念です。", "悪い"),
]
KOREAN = [
    ("이 호텔의 아침 식사는 정말 맛있었습니다. 다시 오고 싶습니다.", "좋음"),
    ("방이 작고 시끄러워서 다시는 오지 않을 것입니다.", "나쁨"),
    ("배송이 빠르고 포장도 깨끗했습니다. 잘 샀습니다.", "좋음"),
    ("배터리가 이틀 만에 고장 났습니다. 실망했습니다.", "나쁨"),
]
RUSSIAN = [
    ("Завтрак в этом отеле был очень хорошим, и персонал вежливый.", "хорошо"),
    ("Комната маленькая и шумная, больше никогда не приеду.", "плохо"),
    ("Доставка быстрая, упаковка целая, стоит своих денег.", "хорошо"),
    ("Батарея сломалась через два дня, я разочарован.", "плохо"),
]
FRENCH = [
    ("Le petit déjeuner était très bon et le personnel était agréable.", "positif"),
    ("La chambre était petite et bruyante, où rien ne marchait, hélas.", "négatif"),
    ("Livraison rapide, très bien emballé, ça vaut son prix.", "positif"),
    ("La batterie est tombée en panne après deux jours, déçu.", "négatif"),
]
GERMAN = [
    ("Das Frühstück war sehr gut und das Personal äußerst höflich.", "schön"),
    ("Das Zimmer war klein und laut, nie wieder, für das Geld.", "übel"),
    ("Schnell geliefert, schön verpackt, großartig.", "schön"),
    ("Der Akku war nach zwei Tagen kaputt, das enttäuscht.", "übel"),
]
POLISH = [
    ("Śniadanie w hotelu było bardzo dobre, obsługa też.", "dobrze"),
    ("Pokój był mały i głośny, już nigdy więcej.", "źle"),
    ("Przesyłka przyszła szybko, świetne pudełko.", "dobrze"),
    ("Bateria zepsuła się po dwóch dniach, żałuję.", "źle"),
]
GREEK = [
    ("Το πρωινό ήταν πολύ καλό και το προσωπικό ευγενικό.", "καλό"),
    ("Το δωμάτιο ήταν μικρό και θορυβώδες, ποτέ ξανά.", "κακό"),
    ("Γρήγορη παράδοση, καλή συσκευασία.", "καλό"),
    ("Η μπαταρία χάλασε σε δύο μέρες, απογοήτευση.", "κακό"),
]
ENCODINGS = [
    ("utf-8", CHINESE), ("utf-8-sig", CHINESE), ("utf-16", CHINESE), ("utf-16-le", CHINESE),
    ("utf-16-be", CHINESE), ("utf-16-le", FRENCH), ("utf-16-be", RUSSIAN), ("utf-32", CHINESE),
    ("utf-32-le", JAPANESE), ("utf-32-be", KOREAN), ("gbk", CHINESE), ("cp936", CHINESE),
    ("gb18030", CHINESE), ("gb18030", RARE), ("gb2312", CHINESE), ("hz", CHINESE),
    ("big5", TRADITIONAL), ("cp950", TRADITIONAL), ("big5hkscs", CANTONESE),
    ("gb18030", TRADITIONAL), ("shift_jis", JAPANESE), ("cp932", JAPANESE), ("euc_jp", JAPANESE),
    ("iso2022_jp", JAPANESE), ("euc_kr", KOREAN), ("cp949", KOREAN), ("johab", KOREAN),
    ("iso2022_kr", KOREAN), ("latin-1", FRENCH), ("cp1252", GERMAN), ("iso8859-15", FRENCH),
    ("mac_roman", FRENCH), ("cp437", FRENCH), ("cp850", GERMAN), ("cp1250", POLISH),
    ("iso8859-2", POLISH), ("cp1251", RUSSIAN), ("koi8-r", RUSSIAN), ("cp866", RUSSIAN),
    ("iso8859-5", RUSSIAN), ("mac_cyrillic", RUSSIAN), ("cp1253", GREEK), ("iso8859-7", GREEK),
]  # fmt: skip


class Notes(SilentProgress):
    """Remembers what a person is told."""

    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)


def table(rows, **options):
    stream = io.StringIO()
    csv.writer(stream, **options).writerows([("text", "label"), *rows])
    return stream.getvalue()


BASE = table(CHINESE, lineterminator="\n")


def written(folder, name, content, encoding="utf-8"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def understood(path, notes=None, **dials):
    """Return the rows that would be learnt from; raises what the person would be told."""
    dials = {"task": "classify"} | dials
    request = checked_request(path, output=path.parent / "model", **dials)
    task = task_of(request)
    data = read_task_data(request, task, notes or Notes())
    return [(one.text, one.labels[0] if one.labels else None) for one in data.examples]


def refusal(path, **dials):
    with pytest.raises(SparrowError) as found:
        understood(path, **dials)
    for language in ("zh", "en"):
        sentence = found.value.sentence(language)
        assert "\n" not in sentence.strip()
        assert 10 < len(sentence) < 600
    return found.value


@pytest.mark.parametrize(
    ("encoding", "rows"), ENCODINGS, ids=[f"{name}-{rows[0][1]}" for name, rows in ENCODINGS]
)
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_every_encoding_gives_the_rows_of_the_original(tmp_path, encoding, rows, delimiter):
    content = table(rows, delimiter=delimiter, lineterminator="\r\n")
    suffix = "tsv" if delimiter == "\t" else "csv"
    assert understood(written(tmp_path, f"a.{suffix}", content, encoding)) == rows


@pytest.mark.parametrize(("encoding", "rows"), ENCODINGS[::5])
def test_long_files_too(tmp_path, encoding, rows):
    many = [(f"{number} {text}", label) for number in range(2000) for text, label in rows]
    assert understood(written(tmp_path, "a.csv", table(many), encoding)) == many


def test_what_was_guessed_is_said_and_can_be_overruled(tmp_path):
    """UTF-7 is nothing but ASCII, and few bytes fit many pages: a person knows better."""
    notes = Notes()
    understood(written(tmp_path, "a.csv", table(CHINESE), "gb18030"), notes)
    assert any("gb18030" in line and "--encoding" in line for line in notes.lines)
    path = written(tmp_path, "b.csv", table(CHINESE), "utf-7")
    assert understood(path, encoding="UTF-7") == CHINESE
    few = [("Ĳ naïve ß", "á"), ("kořen", "é")] * 3
    rows = [(text.replace("Ĳ", "").replace("ï", "i"), label) for text, label in few]
    path = written(tmp_path, "c.csv", table(rows), "cp852")
    assert understood(path, encoding="cp852") == rows
    with pytest.raises(SettingError, match="klingon"):
        understood(path, encoding="klingon")


def test_a_mark_is_surer_than_what_was_named(tmp_path):
    path = written(tmp_path, "a.csv", table(CHINESE), "utf-8-sig")
    assert understood(path, encoding="gb18030") == CHINESE


QUOTED = [
    ("第一行\n第二行，房间很好", "好"), ('他说“行”\n"真的"', "坏"), ("x,y;z|w\t在", "好"),
    ("一行一行的文字", "坏"),
]  # fmt: skip
NUMBERS = [(text, str(number % 2)) for number, (text, _label) in enumerate(CHINESE)]
SCORES = [(text, f"{number % 2}.5") for number, (text, _label) in enumerate(CHINESE)]
LONG = [("房" * 10_000_000, "好"), ("短的文本", "坏"), ("另一个文本", "好"), ("第三个", "坏")]
RIGHT = {
    "crlf": (table(CHINESE, lineterminator="\r\n"), CHINESE),
    "cr": (table(CHINESE, lineterminator="\r"), CHINESE),
    "no end": (BASE.rstrip("\n"), CHINESE),
    "empty lines": (BASE.replace("\n", "\n\n") + "\n\n", CHINESE),
    "quoted line breaks": (table(QUOTED, lineterminator="\n"), QUOTED),
    "quoted, semicolons": (table(QUOTED, delimiter=";"), QUOTED),
    "all quoted": (table(CHINESE, quoting=csv.QUOTE_ALL), CHINESE),
    "sep line": ("sep=;\r\n" + table(CHINESE, delimiter=";"), CHINESE),
    "two marks": ("\ufeff\ufeff" + BASE, CHINESE),
    "names with spaces": (BASE.replace("text,label", " text , label "), CHINESE),
    "double column": (
        "text,text,label\n" + "".join(f"{text},x,{label}\n" for text, label in CHINESE), CHINESE,
    ),
    "numbers": (table(NUMBERS), NUMBERS),
    "scores": (table(SCORES), SCORES),
    "ragged": (BASE + "只有一列\n", CHINESE),
    "long": (table(LONG), LONG),
    "a NUL": (BASE.replace("酒店", "酒\0店"),
              [(text.replace("酒店", "酒\0店"), label) for text, label in CHINESE]),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_variants_are_read_right(tmp_path, name):
    content, rows = RIGHT[name]
    assert understood(written(tmp_path, "a.csv", content)) == rows


def xlsx(text):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("xl/workbook.xml", text)
    return packed.getvalue()


UTF8 = BASE.encode()
WRONG = {
    "empty": ("a.csv", b""),
    "blank": ("a.csv", b"\n\r\n \n"),
    "header": ("a.csv", b"text,label\n"),
    "one label": ("a.csv", table([(text, "好") for text, _label in CHINESE]).encode()),
    "empty texts": ("a.csv", table([("", label) for _text, label in CHINESE]).encode()),
    "one column": ("a.csv", "\n".join(text for text, _label in CHINESE).encode()),
    "NULs": ("a.csv", BASE.replace("，", "\0\0\0").encode()),
    "random bytes": ("a.csv", bytes(range(256)) * 40),
    "EBCDIC": ("a.csv", table(FRENCH).encode("cp500")),
    "cut gz": ("a.csv.gz", gzip.compress(UTF8)[:-20]),
    "short gz": ("a.csv.gz", gzip.compress(UTF8)[:10]),
    "no gz": ("a.csv.gz", UTF8),
    "no xz": ("a.csv.xz", UTF8),
    "no zst": ("a.csv.zst", UTF8),
    "no zip": ("a.zip", UTF8),
    "xlsx of noise": ("a.xlsx", b"PK\x03\x04" + b"x" * 300),
    "xlsx of text": ("a.xlsx", UTF8),
    "xlsx without sheets": ("a.xlsx", xlsx("<workbook/>")),
    "xlsx as csv": ("a.csv", xlsx("<workbook/>")),
    "old xls": ("a.xls", b"\xd0\xcf\x11\xe0" + b"0" * 500),
    "open quote": ("a.csv", BASE.replace("这家", '"这家', 1).encode()),
    "half a character in a label": ("a.csv", UTF8[:-2]),
    "half a character in most texts": ("a.csv", UTF8.replace("，".encode(), b"\xef\xbc")),
    "half a surrogate": ("a.csv", UTF8.replace("酒".encode(), b"\xed\xa0\x80")),
    "two encodings": ("a.csv", UTF8 + "\n".join(",".join(r) for r in CHINESE).encode("gbk")),
    "broken JSON": ("a.jsonl", b'{"text": \n{"text": \n'),
    "a long line": ("a.txt", b"a" * 10_000_000),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_read_is_refused_in_one_sentence(tmp_path, name):
    file, content = WRONG[name]
    refusal(written(tmp_path, file, content))


def test_a_named_encoding_that_does_not_fit_is_refused(tmp_path):
    path = written(tmp_path, "a.csv", table(CHINESE), "gb18030")
    assert refusal(path, encoding="utf-8").code.startswith("corpora.labelled")


def test_a_few_broken_characters_are_told(tmp_path):
    rows = [(f"{text}{number}", label) for number in range(20) for text, label in CHINESE]
    content = (
        table(rows)
        .encode()
        .replace("丰富，服务员的态度也很好，下次还会再来。0".encode(), b"\xef\xbc")
    )
    notes = Notes()
    assert len(understood(written(tmp_path, "a.csv", content), notes)) == 80
    assert any("\ufffd" in line for line in notes.lines)


def test_rows_and_files_that_were_lost_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARROW_LANG", "en")
    notes = Notes()
    understood(written(tmp_path, "a.csv", BASE + "只有一列\n又一列\n"), notes)
    assert any(line.startswith("2 row(s)") for line in notes.lines)
    many = [
        (f"{text} {number * 7919}", label) for number in range(60_000) for text, label in CHINESE
    ]
    packed = gzip.compress(table(many).encode(), compresslevel=1)
    notes = Notes()
    rows = understood(written(tmp_path, "b.csv.gz", packed[: len(packed) // 2]), notes)
    assert 10_000 < len(rows) < len(many)
    assert any("b.csv.gz" in line and "damaged" in line for line in notes.lines)


damage = st.tuples(st.integers(0, len(UTF8)), st.integers(0, 6), st.binary(max_size=6))


@given(st.lists(damage, max_size=4), st.integers(0, len(UTF8)), st.sampled_from(["csv", "jsonl"]))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_of_any_kind_never_ends_in_a_traceback(tmp_path, cuts, end, suffix):
    data = UTF8[:end]
    for start, length, put in cuts:
        data = data[:start] + put + data[start + length :]
    path = written(tmp_path, f"a.{suffix}", data)
    try:
        rows = understood(path)
    except SparrowError as error:
        assert "\n" not in str(error).strip()
    else:
        assert all("\ufffd" not in (label or "") for _text, label in rows)
