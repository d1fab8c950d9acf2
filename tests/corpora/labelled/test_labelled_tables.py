"""Tables: the right columns from names or values, whatever the delimiter and the quoting."""

from __future__ import annotations

import pytest
from labelled_files import names, read, table, write

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled import LabelledText, TaggedText, TextPair, recognise
from sparrowlm.foundation.errors import DataError

ZH = [
    ("这家酒店的早餐非常丰富，服务也好", "正面"),
    ("房间又小又吵，再也不会来了", "负面"),
    ("物流很快，包装完好，值得购买", "正面"),
    ("电池用了两天就坏了，客服不理人", "负面"),
]
EN = [
    ("the breakfast was rich and the staff friendly", "positive"),
    ("a small and noisy room, never again", "negative"),
    ("fast delivery, well packed, worth the money", "positive"),
    ("the battery died after two days", "negative"),
]
HEADERS = [
    ("text", "label"), ("review", "sentiment"), ("标题", "类别"), ("内容", "标签"),
    ("评论", "情感"), ("Text", "Label"), ("sentence", "class"), ("content", "category"),
    ("文本", "分类"), ("问题", "意图"), ("utterance", "intent"), ("comment", "emotion"),
    ("tweet", "polarity"), ("新闻内容", "新闻类别"), ("aaa", "bbb"),
]  # fmt: skip


def labelled(rows):
    return [LabelledText(text, (label,)) for text, label in rows]


@pytest.mark.parametrize("rows", [ZH, EN], ids=["zh", "en"])
@pytest.mark.parametrize("header", HEADERS, ids="/".join)
@pytest.mark.parametrize("is_swapped", [False, True])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_tables_columns_are_found(tmp_path, header, rows, is_swapped, delimiter):
    order = slice(None, None, -1 if is_swapped else 1)
    lines = [row[order] for row in [header, *rows]]
    suffix = "tsv" if delimiter == "\t" else "csv"
    path = write(tmp_path / f"a.{suffix}", table(lines, delimiter=delimiter))
    data = read(path)
    assert data.task == "classify"
    assert data.examples == labelled(rows)
    assert (data.columns.text, data.columns.label) == ((header[0],), header[1])
    assert not data.is_multi_label


@pytest.mark.parametrize("rows", [ZH, EN], ids=["zh", "en"])
@pytest.mark.parametrize("is_swapped", [False, True])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
def test_tables_without_header(tmp_path, rows, is_swapped, name):
    order = slice(None, None, -1 if is_swapped else 1)
    delimiter = "," if name == "a.csv" else "\t"
    path = write(tmp_path / name, table([row[order] for row in rows], delimiter=delimiter))
    data = read(path)
    assert data.examples == labelled(rows)
    assert data.columns.label == ("0" if is_swapped else "1")


def test_tables_numbers_as_labels_without_header(tmp_path):
    rows = [(text, str(number % 2)) for number, (text, _label) in enumerate(ZH)]
    data = read(write(tmp_path / "train.txt", table(rows, delimiter="\t")))
    assert data.examples == labelled(rows)


def test_tables_extra_columns_are_ignored_with_a_note(tmp_path):
    rows = [("id", "date", "fold", "text", "label", "category")]
    rows += [(str(i), "2024-01-01", "1", t, y, "hotel") for i, (t, y) in enumerate(EN)]
    data = read(write(tmp_path / "a.csv", table(rows)))
    assert data.examples == labelled(EN)
    assert data.columns.ignored == ("id", "date", "fold", "category")
    assert names(data.problems) == ["columns-ignored", "label-chosen"]
    assert "id, date, fold, category" in data.problems[0].sentence("en")
    assert "label / category" in data.problems[1].sentence("zh")


def test_tables_fields_overrule(tmp_path):
    rows = [("title", "text", "label", "topic")]
    rows += [(f"title {i} of it", t, y, "ab"[i % 2]) for i, (t, y) in enumerate(EN)]
    path = write(tmp_path / "a.csv", table(rows))
    data = read(path, text_field="title", label_field="topic")
    assert data.examples[1] == LabelledText("title 1 of it", ("b",))
    assert read(path, text_field="0", label_field="3").examples == data.examples
    joined = read(path)
    assert joined.columns.text == ("title", "text")
    assert joined.examples[0].text == "title 0 of it\n" + EN[0][0]


def test_tables_coarse_label_is_chosen_and_said(tmp_path):
    rows = [
        ("coarse", "fine", "text"),
        ("NUM", "dist", "How far is it?"),
        ("LOC", "city", "Where?"),
    ]
    data = read(write(tmp_path / "a.tsv", table(rows, delimiter="\t")))
    assert data.columns.label == "coarse"
    assert "coarse / fine" in data.problems[-1].sentence("en")


def test_tables_quoted_cells_with_line_breaks_marks_and_crlf(tmp_path):
    rows = [
        ("内容", "标签"),
        ('第一行\n第二行, "引号"', "好"),
        ("普通", "坏"),
        ("又一\n\n条", "好"),
    ]
    content = table(rows, lineterminator="\r\n")
    data = read(write(tmp_path / "a.csv", content, "utf-8-sig"))
    assert [(e.text, *e.labels) for e in data.examples] == rows[1:]
    assert data.columns.text == ("内容",)


def test_tables_empty_rows_are_passed_over_and_empty_texts_kept(tmp_path):
    content = "text,label\n\ngood film,pos\n,\n  \n,neg\nbad film,neg\nno label,\n"
    report = ReadingReport()
    data = read(write(tmp_path / "a.csv", content), report)
    assert data.examples == [
        LabelledText("good film", ("pos",)),
        LabelledText("", ("neg",)),
        LabelledText("bad film", ("neg",)),
        LabelledText("no label", ()),
    ]
    assert report.num_bad_records == 0


def test_tables_short_rows_are_counted_and_cut_cells_mended(tmp_path):
    content = "label,text\npos,good, very good\nneg\nneg,bad\n"
    report = ReadingReport()
    data = read(write(tmp_path / "a.csv", content), report)
    assert [e.text for e in data.examples] == ["good, very good", "bad"]
    assert report.num_bad_records == 1


def test_tables_several_labels_in_a_cell(tmp_path):
    rows = [
        ("text", "labels"),
        ("one", "体育|财经"),
        ("two", "体育"),
        ("three", "财经|科技"),
        ("x", "科技"),
    ]
    data = read(write(tmp_path / "a.csv", table(rows)))
    assert data.is_multi_label
    assert [e.labels for e in data.examples] == [
        ("体育", "财经"),
        ("体育",),
        ("财经", "科技"),
        ("科技",),
    ]
    single = [("text", "label"), ("one", "New York, NY"), ("two", "Rome"), ("three", "Oslo")]
    assert not read(write(tmp_path / "b.csv", table(single))).is_multi_label


PAIRS = [
    ("怎么还款", "如何还钱", "1"),
    ("怎么还款", "怎么借钱", "0"),
    ("额度多少", "能借多少", "1"),
]


@pytest.mark.parametrize(
    "header",
    [
        ("句子1", "句子2", "是否相似"),
        ("question1", "question2", "label"),
        ("text_a", "text_b", "label"),
        ("sentence1", "sentence2", "gold_label"),
        ("q1", "q2", "is_duplicate"),
        ("A", "B", "C"),
    ],
    ids=lambda header: header[0],
)
def test_tables_pairs(tmp_path, header):
    path = write(tmp_path / "a.csv", table([header, *PAIRS]))
    data = read(path)
    assert data.task == "match"
    assert data.examples == [TextPair(*row) for row in PAIRS]
    assert recognise([path], tmp_path / "w") == "match"


@pytest.mark.parametrize(
    "header", [("问题", "答案"), ("question", "answer"), ("id", "query", "answer")]
)
def test_tables_questions_and_answers_belong_together(tmp_path, header):
    rows = [("怎么退货", "在订单页点退货"), ("多久到货", "一般三天左右"), ("能开发票吗", "可以的")]
    full = [(str(i), *row) if len(header) == 3 else row for i, row in enumerate(rows)]
    data = read(write(tmp_path / "a.csv", table([header, *full])))
    assert data.examples == [TextPair(q, a, None) for q, a in rows]


def test_tables_pairs_asked_for(tmp_path):
    rows = [
        ("one", "other"),
        ("a cat sat there", "a dog sat there"),
        ("go home now", "stay here"),
    ]
    path = write(tmp_path / "a.csv", table(rows))
    assert read(path, task="match").examples == [TextPair(*row) for row in rows[1:]]
    assert recognise([path], tmp_path / "w") is None


def test_tables_tokens_with_tags(tmp_path):
    rows = [
        ("intent", "tokens", "slots_bio"),
        ("Play", "play some jazz on spotify", "O O B-genre O B-service"),
        ("Fly", "from new york", "O B-city I-city"),
    ]
    path = write(tmp_path / "a.tsv", table(rows, delimiter="\t"))
    data = read(path)
    assert data.task == "intent"
    first, second = data.examples
    assert first.text == "play some jazz on spotify"
    assert first.intent == "Play"
    assert [first.text[s.start : s.end] for s in first.spans] == ["jazz", "spotify"]
    assert second.text[slice(*second.spans[0][:2])] == "new york"
    assert len(first.tokens) == 5
    assert read(path, task="classify").examples[1] == LabelledText("from new york", ("Fly",))
    assert read(path, task="tag").examples[1] == TaggedText(
        second.text, second.spans, second.tokens
    )


def test_tables_tokens_stand_in_the_text_of_the_row(tmp_path):
    rows = [
        ("intent", "text", "tokens", "slots_bioes"),
        (
            "PlayMusic",
            "我要听tfboys的歌",
            "我 要 听 t f b o y s 的 歌",
            "O O O B-s I-s I-s I-s I-s E-s O O",
        ),
        ("PlayMusic", "听\u3000歌", "听 \u3000 歌", "O O S-x"),
    ]
    data = read(write(tmp_path / "a.tsv", table(rows, delimiter="\t")))
    assert [e.text for e in data.examples] == ["我要听tfboys的歌", "听\u3000歌"]
    assert data.examples[0].text[slice(*data.examples[0].spans[0][:2])] == "tfboys"


@pytest.mark.parametrize(
    "rows",
    [
        [("id", "title", "text"), ("1", "one", "a long text is here"), ("2", "two", "and another")],
        [("en", "zh"), ("It is me.", "是我。"), ("Hello there", "你好"), ("Thanks a lot", "多谢")],
        [("date", "value"), ("2024-01-01", "0.5"), ("2024-01-02", "0.7")],
        [("作者", "诗句"), ("李白", "床前明月光"), ("李白", "举头望明月"), ("杜甫", "国破山河在")],
        [("正文",), ("第一段文字，没有标签",), ("第二段文字，也没有",)],
    ],
    ids=["titles", "translations", "numbers", "poems", "one-column"],
)
def test_tables_without_labels_are_plain_text(tmp_path, rows):
    path = write(tmp_path / "a.csv", table(rows))
    assert recognise([path], tmp_path / "w") is None


def test_tables_missing_column_is_named_with_those_there_are(tmp_path):
    path = write(tmp_path / "a.csv", table([("text", "label"), *EN]))
    with pytest.raises(DataError) as caught:
        read(path, label_field="klass")
    assert caught.value.code == "corpora.labelled-field-missing"
    for language in ("en", "zh"):
        sentence = caught.value.sentence(language)
        assert "klass" in sentence and "text, label" in sentence and "a.csv" in sentence


def test_tables_line_of_a_megabyte(tmp_path):
    long = "字" * 350_000
    rows = [("text", "label"), ("short", "a"), (long, "b"), ("again short", "a"), (long, "a")]
    data = read(write(tmp_path / "a.csv", table(rows)))
    assert [len(e.text) for e in data.examples] == [5, 350_000, 11, 350_000]
    first = read(write(tmp_path / "b.csv", table([rows[0], rows[2], rows[1]])))
    assert [e.labels for e in first.examples] == [("b",), ("a",)]


def test_tables_text_in_memory(tmp_path):
    from sparrowlm.corpora.labelled import LabelledSettings, read_labelled

    data = read_labelled(
        ["text,label\ngood,a\nbad,b\n"], LabelledSettings(), ReadingReport(), tmp_path
    )
    assert data.examples == [LabelledText("good", ("a",)), LabelledText("bad", ("b",))]


@pytest.mark.parametrize(("language", "word"), [("en", "columns are called"), ("zh", "文本列")])
def test_tables_evidence_is_said_in_the_users_language(tmp_path, monkeypatch, language, word):
    monkeypatch.setenv("SPARROW_LANG", language)
    data = read(write(tmp_path / "a.csv", table([("text", "label"), *EN])))
    assert word in data.evidence and "4" in data.evidence and "a.csv" in data.evidence


def test_tables_from_spreadsheets_with_empty_and_doubled_columns(tmp_path):
    content = "v1,v2,,\nham,Go until the point,,\nspam,free entry for all,,\nham,ok then,,\n"
    data = read(write(tmp_path / "a.csv", content))
    assert data.examples[0] == LabelledText("Go until the point", ("ham",))
    assert len(data.examples) == 3 and data.problems == ()
    doubled = read(write(tmp_path / "b.csv", "label,label,text\na,b,hello\nc,d,good bye\n"))
    assert [e.labels for e in doubled.examples] == [("a",), ("c",)]


def test_tables_the_subject_of_a_question_is_no_label_of_the_pair(tmp_path):
    rows = [("问题", "答案", "类别"), ("怎么退货", "点退货", "售后"), ("多久到货", "三天", "物流")]
    path = write(tmp_path / "a.csv", table(rows))
    assert read(path).examples == [TextPair("怎么退货", "点退货"), TextPair("多久到货", "三天")]
    asked = read(path, text_field="问题", label_field="类别")
    assert asked.examples[0] == LabelledText("怎么退货", ("售后",))


def test_tables_a_class_called_like_a_column_is_no_header(tmp_path):
    rows = [
        ("时间", "现在到底是几点钟呢"),
        ("地点", "我们应该在哪里见面"),
        ("时间", "会议是什么时候开始"),
    ]
    data = read(write(tmp_path / "a.tsv", table(rows, delimiter="\t")))
    assert data.examples == [LabelledText(text, (label,)) for label, text in rows]
