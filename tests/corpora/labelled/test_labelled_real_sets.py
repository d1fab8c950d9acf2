"""Real data sets: the right task, the right columns, the number of examples that is known."""

from __future__ import annotations

import pytest
from shared_data import shared_data

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled import (
    LabelledSettings,
    LabelledText,
    TaggedText,
    TextPair,
    check,
    divide,
    read_labelled,
    recognise,
)

TEXT = ("text",)
# set: task, columns of the text, label (or intent), second text, numbers of rows per part
CLASSES = {
    "sentiment/chnsenticorp": (
        "label", {"train": 9600, "dev": 1200, "test": 1200, "test_unseen": 867},
    ),
    "sentiment/online_shopping_10_cats": ("label", {"train": 45002, "dev": 2661, "test": 5290}),
    "sentiment/sst2": ("label", {"train": 6920, "dev": 872, "test": 1821}),
    "sentiment/smp2020_ewect_usual": (
        "label", {"train": 27766, "dev": 2000, "test": 5000, "test_unseen": 4763},
    ),
    "sentiment/smp2020_ewect_virus": (
        "label", {"train": 8606, "dev": 2000, "test": 3000, "test_unseen": 2602},
    ),
    "classification/thucnews_titles": ("label", {"train": 45000, "dev": 10000, "test": 10000}),
    "classification/nlpcc2017_headlines": ("label", {"train": 30600, "dev": 1800, "test": 3600}),
    "classification/trec": ("coarse", {"train": 5452, "test": 500}),
    "classification/sst5": ("label", {"train": 8544, "dev": 1101, "test": 2210}),
    "classification/r8": ("label", {"train": 5485, "test": 2189}),
    "intent/banking77": ("label", {"train": 10003, "test": 3080}),
    "intent/clinc150": ("label", {"train": 15100 + 7600, "val": 3100, "test": 5500}),
    "customer_service/bitext_support": ("intent", {"train": 6480, "dev": 810, "test": 810}),
}  # fmt: skip
SINGLE = {
    "classification/mr/all.tsv.xz": (TEXT, 10662),
    "classification/subj/all.tsv.xz": (TEXT, 10000),
    "classification/cr/all.tsv.xz": (TEXT, 3775),
    "classification/mpqa/all.tsv.xz": (TEXT, 10606),
    "classification/ag_news_test_only/test.tsv.xz": (("title", "description"), 7600),
}
PAIRS = {
    "customer_service/atec_question_pairs/train.tsv.xz": 31493,
    "customer_service/atec_question_pairs/dev.tsv.xz": 3951,
    "customer_service/atec_question_pairs/test.tsv.xz": 3902,
    "customer_service/bq_dev_test_only/dev.tsv.xz": 10000,
    "customer_service/bq_dev_test_only/test.tsv.xz": 10000,
    "customer_service/lcqmc_dev_test_only/dev.tsv.xz": 8802,
    "customer_service/lcqmc_dev_test_only/test.tsv.xz": 12500,
}
INTENTS = {
    "intent/snips": {"train": 13084, "valid": 700, "test": 700},
    "intent/atis": {"train": 4478, "valid": 500, "test": 893},
    "intent/cais_zh": {"train": 7995, "valid": 994, "test": 1012},
    "intent/smp2019_nlu_zh": {"train": 1809, "dev": 258, "test": 512},
}
ENTITIES = {
    "ner/cluener2020": {"train": 10748, "dev": 1343},
    "ner/msra": {"train": 48148, "dev": 2583, "test": 3442},
    "ner/weibo": {"train": 1350, "dev": 270, "test": 270, "test_unseen": 230},
    "ner/resume": {"train": 3821, "dev": 463, "test": 477},
    "ner/wnut17": {"train": 3394, "dev": 1009, "test": 1287},
}


def read(path, tmp_path, **settings):
    report = ReadingReport()
    data = read_labelled([path], LabelledSettings(**settings), report, tmp_path)
    assert report.num_bad_records == 0
    assert recognise([path], tmp_path) == data.task or settings
    return data


def numbers(data):
    return {"train": len(data.examples)} | {part: len(rows) for part, rows in data.held_out.items()}


def assert_spans_are_sound(examples):
    for example in examples:
        end = 0
        for span in example.spans:
            assert end <= span.start < span.end <= len(example.text)
            end = span.end


@pytest.mark.parametrize("name", CLASSES)
def test_real_sets_of_classes(name, tmp_path):
    label, expected = CLASSES[name]
    data = read(shared_data(name), tmp_path)
    text = "text_segmented" if "nlpcc" in name else "text"
    assert data.task == "classify" and not data.is_multi_label
    assert (data.columns.text, data.columns.label) == ((text,), label)
    assert numbers(data) == expected
    assert all(isinstance(e, LabelledText) and len(e.labels) == 1 for e in data.examples)


@pytest.mark.parametrize("name", SINGLE)
def test_real_sets_in_one_file(name, tmp_path):
    text, number = SINGLE[name]
    data = read(shared_data(name), tmp_path)
    assert (data.task, data.columns.text, data.columns.label) == ("classify", text, "label")
    assert len(data.examples) == number


@pytest.mark.parametrize("name", PAIRS)
def test_real_sets_of_pairs(name, tmp_path):
    data = read(shared_data(name), tmp_path)
    assert data.task == "match" and len(data.examples) == PAIRS[name]
    assert (data.columns.text, data.columns.second) == (("question1",), "question2")
    assert {e.label for e in data.examples if isinstance(e, TextPair)} == {"0", "1"}


def test_real_sets_questions_with_answers(tmp_path):
    data = read(shared_data("customer_service/egret_faq_zh"), tmp_path)
    assert data.task == "match" and len(data.examples) == 2908
    assert {e.label for e in data.examples} == {None}


@pytest.mark.parametrize("name", INTENTS)
def test_real_sets_of_intents_with_slots(name, tmp_path):
    data = read(shared_data(name), tmp_path)
    assert data.task == "intent" and data.columns.intent == "intent"
    assert numbers(data) == INTENTS[name]
    assert all(isinstance(e, TaggedText) and e.intent for e in data.examples)
    assert_spans_are_sound(data.examples)
    assert sum(len(e.spans) for e in data.examples) > len(data.examples) / 2


LARGE = ("ner/msra", "ner/cluener2020")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LARGE)) for n in ENTITIES]
)
def test_real_sets_of_entities(name, tmp_path):
    data = read(shared_data(name), tmp_path)
    assert data.task == "tag" and data.format == "conll"
    assert numbers(data) == ENTITIES[name]
    assert_spans_are_sound(data.examples)


def test_real_sets_known_numbers_of_entities(tmp_path):
    data = read(shared_data("ner/msra/test.conll.xz"), tmp_path)
    assert sum(len(e.spans) for e in data.examples) == 6190
    weibo = read(shared_data("ner/weibo/test.conll"), tmp_path)
    assert weibo.problems[0].fields["count"] == 4


@pytest.mark.parametrize("name", ["lm", "customer_service/crosswoz", "mt", "cws", "timeseries"])
def test_real_sets_for_language_models_are_plain(name, tmp_path):
    folder = shared_data(name)
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    labelled = [path.name for path in found if recognise([path], tmp_path) is not None]
    assert len(found) > 2 and labelled == []


def test_real_sets_segmented_when_asked(tmp_path):
    path = shared_data("cws/sighan2005/pku_test_gold.txt.xz")
    data = read(path, tmp_path, task="segment")
    assert len(data.examples) == 1944
    assert sum(len(e.spans) for e in data.examples) == 104_372


def test_real_sets_leaks_that_are_known(tmp_path):
    data = read(shared_data("sentiment/chnsenticorp"), tmp_path)
    leaks = [p for p in check(data.examples, data.held_out["test"]) if p.code.endswith("leaks")]
    assert leaks[0].fields["count"] == 333
    unseen = check(data.examples, data.held_out["test_unseen"])
    assert not any(p.code.endswith("leaks") for p in unseen)


def test_real_sets_divided_pairs_share_no_question(tmp_path):
    examples = read(shared_data("customer_service/bq_dev_test_only/dev.tsv.xz"), tmp_path).examples
    train, held_out = divide(examples, 0.1, seed=0)
    known = {text.strip() for pair in train for text in (pair.first, pair.second)}
    assert not any(p.first.strip() in known or p.second.strip() in known for p in held_out)
    assert 0.05 < len(held_out) / len(examples) <= 0.11
