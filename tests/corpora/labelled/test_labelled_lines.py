"""fastText lines, folders of texts, CoNLL, segmented text."""

from __future__ import annotations

import zipfile

import pytest
from labelled_files import names, read, surfaces, write

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled import LabelledText, Span, TaggedText, recognise
from sparrowlm.corpora.labelled.tags import decode_tags
from sparrowlm.foundation.errors import DataError


def test_fasttext_lines_with_one_and_several_labels(tmp_path):
    content = (
        "__label__体育 __label__新闻 今天 的 比赛\n\n__label__a\ttab text\nplain end __label__b\r\n"
    )
    data = read(write(tmp_path / "train.txt", content))
    assert data.format == "fasttext" and data.task == "classify" and data.is_multi_label
    assert data.examples == [
        LabelledText("今天 的 比赛", ("体育", "新闻")),
        LabelledText("tab text", ("a",)),
        LabelledText("plain end", ("b",)),
    ]


def test_fasttext_single_labels_are_not_multi_label(tmp_path):
    data = read(write(tmp_path / "a.ft", "__label__1 good\n__label__2 bad\n"))
    assert not data.is_multi_label
    assert recognise([tmp_path / "a.ft"], tmp_path / "w") == "classify"


def test_fasttext_a_text_that_only_mentions_the_mark_is_plain(tmp_path):
    content = "In fastText a line begins with __label__ and a name.\nThen comes the text.\n"
    assert recognise([write(tmp_path / "a.txt", content)], tmp_path / "w") is None


@pytest.mark.parametrize("part", ["", "train/"])
def test_folders_one_per_label(tmp_path, part):
    for label, texts in {"体育": ["比赛\r\n第二行\n", "球队"], "news": ["one", "two"]}.items():
        for number, text in enumerate(texts):
            write(tmp_path / "data" / f"{part}{label}" / f"{number}.txt", text, "gb18030")
    data = read(tmp_path / "data")
    assert data.format == "folders"
    assert data.examples == [
        LabelledText("one", ("news",)),
        LabelledText("two", ("news",)),
        LabelledText("比赛\n第二行", ("体育",)),
        LabelledText("球队", ("体育",)),
    ]


def test_folders_train_and_test_are_kept_apart(tmp_path):
    for part in ("train", "test"):
        for label in ("pos", "neg"):
            for number in range(2):
                write(tmp_path / "d" / part / label / f"{number}.txt", f"{part} {label} {number}")
    data = read(tmp_path / "d")
    assert [e.text for e in data.examples] == [
        "train neg 0",
        "train neg 1",
        "train pos 0",
        "train pos 1",
    ]
    assert [e.labels[0] for e in data.held_out["test"]] == ["neg", "neg", "pos", "pos"]


class UnflaggedUtf8(zipfile.ZipInfo):
    """A member whose name is written without saying in which encoding."""

    def _encodeFilenameFlags(self):
        return self.filename.encode("utf-8"), 0


class UnflaggedGbk(zipfile.ZipInfo):
    def _encodeFilenameFlags(self):
        return self.filename.encode("gbk"), 0


UNFLAGGED = {"utf-8": UnflaggedUtf8, "gbk": UnflaggedGbk}


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "flagged"])
def test_folders_inside_an_archive(tmp_path, encoding):
    path = tmp_path / "reviews.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for label in ("体育", "news"):
            for number in range(2):
                name = f"data/{label}/{number}.txt"
                kind = zipfile.ZipInfo if encoding == "flagged" else UNFLAGGED[encoding]
                info = kind(name)
                archive.writestr(info, f"{label} 的文本 {number}")
    assert recognise([path], tmp_path / "w") == "classify"
    data = read(path)
    assert data.format == "folders"
    assert sorted((e.labels[0], e.text) for e in data.examples) == [
        (label, f"{label} 的文本 {number}") for label in ("news", "体育") for number in range(2)
    ]


def test_folders_of_books_are_plain_text(tmp_path):
    for author in ("austen", "dickens"):
        for number in range(2):
            write(tmp_path / "d" / author / f"{number}.txt", "It was the best of times. " * 4_000)
    assert recognise([tmp_path / "d"], tmp_path / "w") is None
    assert len(read(tmp_path / "d", task="classify").examples) == 4


def test_folders_of_one_label_or_of_notes_are_plain_text(tmp_path):
    write(tmp_path / "one" / "a" / "1.txt", "text")
    write(tmp_path / "one" / "a" / "2.txt", "text")
    for language in ("zh", "en"):
        for number in range(3):
            write(tmp_path / "docs" / language / f"{number}.md", "# Title\n\ntext")
    assert recognise([tmp_path / "one"], tmp_path / "w") is None
    assert recognise([tmp_path / "docs"], tmp_path / "w") is None


CONLL = """-DOCSTART-\tO

我\tO
在\tO
北\tB-LOC
京\tI-LOC

New\tB-LOC
York\tI-LOC
is\tO
big\tO
"""


@pytest.mark.parametrize("name", ["a.conll", "a.txt", "a.tsv", "a.bio"])
@pytest.mark.parametrize("gap", ["\t", " "])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_conll_files(tmp_path, name, gap, line_end):
    content = CONLL.replace("\t", gap).replace("\n", line_end)
    data = read(write(tmp_path / name, content))
    assert data.format == "conll" and data.task == "tag"
    assert [e.text for e in data.examples] == ["我在北京", "New York is big"]
    assert [surfaces(e) for e in data.examples] == [[("北京", "LOC")], [("New York", "LOC")]]
    assert data.examples[1].tokens == ((0, 3), (4, 8), (9, 11), (12, 15))
    assert data.problems == ()


def test_conll_last_of_four_columns_is_the_tag(tmp_path):
    content = "EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nPeter NNP B-NP B-PER\n. . O O\n"
    data = read(write(tmp_path / "a.txt", content))
    assert [surfaces(e) for e in data.examples] == [[("EU", "ORG")], [("Peter", "PER")]]


@pytest.mark.parametrize(
    ("tags", "expected", "repaired"),
    [
        ("B-X I-X O", [(0, 2, "X")], 0),
        ("S-X B-X M-X E-X", [(0, 1, "X"), (1, 4, "X")], 0),
        ("U-X B-X I-X L-X", [(0, 1, "X"), (1, 4, "X")], 0),
        ("B-X B-X E-X", [(0, 1, "X"), (1, 3, "X")], 0),
        ("I-X I-X O", [(0, 2, "X")], 1),
        ("B-Y I-X I-X", [(0, 1, "Y"), (1, 3, "X")], 1),
        ("B-X E-X I-X", [(0, 2, "X"), (2, 3, "X")], 1),
        ("O E-X O", [(1, 2, "X")], 1),
        ("O O", [], 0),
        ("B-a.b_c", [(0, 1, "a.b_c")], 0),
    ],
)
def test_tags_of_every_scheme(tags, expected, repaired):
    assert decode_tags(tags.split()) == (expected, repaired)


def test_conll_illegal_tags_are_repaired_and_counted(tmp_path):
    content = "张\tI-PER\n三\tI-PER\n去\tO\n北\tB-LOC\n京\tI-ORG\n\n好\tO\n人\tS-PER\n"
    data = read(write(tmp_path / "a.conll", content))
    assert surfaces(data.examples[0]) == [("张三", "PER"), ("北", "LOC"), ("京", "ORG")]
    assert names(data.problems) == ["tags-repaired"]
    assert data.problems[0].fields["count"] == 2
    assert "张三去北京" in data.problems[0].sentence("zh")


def test_conll_io_tags_are_legal(tmp_path):
    content = "张\tI-PER\n三\tI-PER\n去\tO\n北\tI-LOC\n京\tI-LOC\n\n我\tO\n"
    data = read(write(tmp_path / "a.conll", content))
    assert surfaces(data.examples[0]) == [("张三", "PER"), ("北京", "LOC")]
    assert data.problems == ()


def test_conll_characters_of_latin_words_are_joined(tmp_path):
    content = "".join(f"{c}\tO\n" for c in "我用iPhone拍照在家里吃饭") + "\n" + "北\tB-L\n京\tI-L\n"
    data = read(write(tmp_path / "a.conll", content))
    assert data.examples[0].text == "我用iPhone拍照在家里吃饭"


def test_conll_tags_of_words_are_segmentation(tmp_path):
    content = "今\tB\n天\tE\n好\tS\n\n研\tB\n究\tM\n生\tE\n"
    data = read(write(tmp_path / "a.txt", content))
    assert data.task == "segment"
    assert surfaces(data.examples[1]) == [("研究生", "WORD")]


def test_conll_lost_tokens_and_tags(tmp_path):
    report = ReadingReport()
    lines = [
        f"字\tO\n词\tB-X\n{'alone' if i == 30 else 'x'}{'' if i == 30 else '	O'}\n\n"
        for i in range(60)
    ]
    data = read(write(tmp_path / "a.conll", "".join(lines) + "\tO\n字\tO\n"), report)
    assert len(data.examples) == 61
    assert data.examples[30].text == "字词alone"
    assert data.examples[60].text == " 字"
    assert report.num_bad_records == 1


def test_segmented_text_only_when_asked(tmp_path):
    path = write(tmp_path / "a.txt", "今天 天气 很 好 。\n\n他 来到 了 网易  杭研 大厦\n")
    assert recognise([path], tmp_path / "w") is None
    data = read(path, task="segment")
    assert data.task == "segment"
    first = data.examples[0]
    assert first == TaggedText(
        "今天天气很好。",
        (
            Span(0, 2, "WORD"),
            Span(2, 4, "WORD"),
            Span(4, 5, "WORD"),
            Span(5, 6, "WORD"),
            Span(6, 7, "WORD"),
        ),
    )
    assert [surface for surface, _ in surfaces(data.examples[1])] == [
        "他",
        "来到",
        "了",
        "网易",
        "杭研",
        "大厦",
    ]


def test_parts_by_the_names_of_files(tmp_path):
    for name in ("train.csv", "dev.csv", "test_unseen.csv"):
        write(tmp_path / "d" / name, f"text,label\nfrom {name},a\nmore of {name},b\n")
    data = read(tmp_path / "d")
    assert [e.text for e in data.examples] == ["from train.csv", "more of train.csv"]
    assert {part: len(examples) for part, examples in data.held_out.items()} == {
        "dev": 2,
        "test_unseen": 2,
    }
    alone = read(tmp_path / "d" / "dev.csv")
    assert len(alone.examples) == 2 and alone.held_out == {}


def test_refusals_mixed_formats_and_tasks(tmp_path):
    write(tmp_path / "d" / "a.csv", "text,label\ngood,pos\nbad,neg\n")
    write(tmp_path / "d" / "b.jsonl", '{"text": "good", "label": "pos"}\n')
    with pytest.raises(DataError) as caught:
        read(tmp_path / "d")
    assert caught.value.code == "corpora.labelled-mixed-formats"
    assert "a.csv" in str(caught.value) and "b.jsonl" in str(caught.value)
    write(tmp_path / "d" / "b.jsonl", "")
    write(tmp_path / "d" / "c.csv", "question1,question2,label\na b,c d,1\ne f,g h,0\n")
    with pytest.raises(DataError) as caught:
        read(tmp_path / "d")
    assert caught.value.code == "corpora.labelled-mixed-tasks"
    assert "match" in caught.value.sentence("zh")


def test_refusals_another_task_than_asked_for(tmp_path):
    path = write(tmp_path / "a.conll", CONLL)
    with pytest.raises(DataError) as caught:
        read(path, task="intent")
    assert caught.value.code == "corpora.labelled-other-task"
    assert "intent" in caught.value.sentence("en") and "tag" in caught.value.sentence("zh")


@pytest.mark.parametrize(
    "content", [b"", b"just a text\nand another line\n", b"\x89PNG\r\n\x1a\n\0\0"]
)
def test_refusals_nothing_labelled(tmp_path, content):
    path = write(tmp_path / "a.txt", content)
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.value.code == "corpora.labelled-nothing"
    for language in ("zh", "en"):
        assert "a.txt" in caught.value.sentence(language)
    assert ("PNG" in str(caught.value)) == content.startswith(b"\x89PNG")


def test_refusals_of_unknown_tasks():
    from sparrowlm.corpora.labelled import LabelledSettings
    from sparrowlm.foundation.errors import SettingError

    settings = LabelledSettings()
    object.__setattr__(settings, "task", "sing")  # the checked types of tests refuse it earlier
    with pytest.raises(SettingError, match="classify"):
        settings.__post_init__()


def test_plain_files_beside_labelled_ones_are_skipped(tmp_path):
    write(tmp_path / "d" / "README.md", "# About\n\nThese are reviews.\n")
    write(tmp_path / "d" / "a.csv", "text,label\ngood,pos\nbad,neg\n")
    report = ReadingReport()
    assert len(read(tmp_path / "d", report).examples) == 2
    assert report.skipped_examples == [("README.md", "skipped-not-labelled")]
