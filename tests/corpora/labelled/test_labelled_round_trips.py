"""Examples written in a format and read again are the same examples; spans hold their text."""

from __future__ import annotations

import json
import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st
from labelled_files import json_lines, read, surfaces, table, write

from sparrowlm.corpora.labelled import LabelledText, Span, TaggedText, TextPair
from sparrowlm.corpora.labelled.joining import is_cut_into_characters, join_tokens
from sparrowlm.corpora.labelled.problems import ProblemTally
from sparrowlm.corpora.labelled.rasa import parse_entities
from sparrowlm.corpora.labelled.slots import locate_slots
from sparrowlm.corpora.labelled.spans import RawSpan, tidy_spans

ANY = st.characters(exclude_categories=["Cc", "Cs"])
TEXTS = st.text(ANY, max_size=30)
LABELS = st.sampled_from(["好", "bad", "0", "a b", "😀"])
TOKENS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=4)
NAMES = st.sampled_from(["PER", "地名", "a.b"])


def written(name, content, **settings):
    with tempfile.TemporaryDirectory() as folder:
        return read(write(Path(folder) / name, content, "utf-8-sig"), **settings)


@given(st.lists(st.tuples(TEXTS, LABELS), max_size=12))
def test_round_trips_csv_and_tsv(rows):
    rows = [("text", "label"), *rows, ("some text", "bad")]
    examples = [LabelledText(text, (label,)) for text, label in rows[1:]]
    assert written("a.csv", table(rows)).examples == examples
    assert written("a.csv", table([row[::-1] for row in rows])).examples == examples


@given(st.lists(st.tuples(TEXTS, st.lists(LABELS, unique=True))))
def test_round_trips_json_lines_with_lists_of_labels(rows):
    rows = [*rows, ("some text", ["bad"])]
    examples = [LabelledText(text, tuple(labels)) for text, labels in rows]
    records = [{"text": e.text, "labels": list(e.labels)} for e in examples]
    assert written("a.jsonl", json_lines(*records)).examples == examples
    assert written("a.json", json.dumps(records)).examples == examples


@given(st.lists(st.tuples(TEXTS, TEXTS, st.sampled_from("01")), max_size=8))
def test_round_trips_pairs(rows):
    pairs = [TextPair(*row) for row in [*rows, ("some text", "another", "1")]]
    records = [{"question1": p.first, "question2": p.second, "label": p.label} for p in pairs]
    assert written("a.jsonl", json_lines(*records), task="match").examples == pairs


@st.composite
def tagged_sentences(draw):
    sentence = draw(st.lists(TOKENS, min_size=1, max_size=8))
    tags, position = [], 0
    while position < len(sentence):
        length = draw(st.integers(1, len(sentence) - position))
        name = draw(st.none() | NAMES)
        tags += ["O"] * length if name is None else [f"B-{name}", *[f"I-{name}"] * (length - 1)]
        position += length
    return sentence, tags


def expected(sentence, tags, of_characters):
    text, borders = join_tokens(sentence, of_characters)
    spans = []
    for (start, end), tag in zip(borders, tags, strict=True):
        if tag.startswith("B-"):
            spans.append(Span(start, end, tag[2:]))
        elif tag.startswith("I-"):
            spans[-1] = spans[-1]._replace(end=end)
    return TaggedText(text, tuple(spans), borders)


@given(st.lists(tagged_sentences(), min_size=1, max_size=5))
def test_round_trips_conll(sentences):
    sentences = [*sentences, (["北", "京"], ["B-PER", "I-PER"])]
    content = "".join(
        "".join(f"{token}\t{tag}\n" for token, tag in zip(*sentence, strict=True)) + "\n"
        for sentence in sentences
    )
    data = written("a.conll", content)
    of_characters = is_cut_into_characters(t for sentence, _ in sentences for t in sentence)
    assert data.examples == [expected(*sentence, of_characters) for sentence in sentences]
    for read_again, (sentence, _) in zip(data.examples, sentences, strict=True):
        assert [read_again.text[a:b] for a, b in read_again.tokens] == sentence
    assert data.problems == ()


@given(st.text(ANY, min_size=1, max_size=20), st.data())
def test_spans_of_cluener_hold_the_annotated_characters(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    record = {"text": text, "label": {"name": {text[start:end]: [[start, end - 1]]}}}
    found = written("a.json", json_lines(record))
    assert found.examples == [TaggedText(text, (Span(start, end, "name"),))]
    assert surfaces(found.examples[0]) == [(text[start:end], "name")]
    assert found.problems == ()


RAW = st.builds(RawSpan, st.integers(-3, 15), st.integers(-3, 15), NAMES, st.text("ab", max_size=2))


@given(st.text("abc😀", max_size=10), st.lists(RAW, max_size=8))
def test_spans_are_always_inside_and_never_overlap(text, raw):
    tally = ProblemTally()
    spans = tidy_spans(text, raw, tally)
    end = 0
    for span in spans:
        assert end <= span.start < span.end <= len(text)
        end = span.end
    drops = ("dropped", "empty", "outside", "overlapping")
    counted = sum(tally.count(f"corpora.labelled-span-{name}") for name in drops)
    # Every annotation is kept, counted, or the same as one that is kept.
    assert len(spans) + counted <= len(raw)
    assert bool(spans) == (counted < len(raw))


@given(st.text("ab😀", max_size=10), RAW)
@example("a" * 10, RawSpan(6, -3, "PER", "a"))
def test_spans_alone_hold_what_they_quote(text, raw):
    tally = ProblemTally()
    spans = tidy_spans(text, [raw], tally)
    if raw.quoted:
        assert [text[s.start : s.end] for s in spans] == [raw.quoted] * (raw.quoted in text)
    elif spans:
        inside = range(len(text))[max(raw.start, 0) : max(raw.end, 0)]
        assert list(range(spans[0].start, spans[0].end)) == list(inside)


PLAIN = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="[](){}"), min_size=1
)


@given(st.lists(st.tuples(PLAIN, st.none() | st.sampled_from(["city", "日期"])), max_size=6))
def test_spans_of_rasa_hold_the_annotated_characters(parts):
    line = "".join(text if label is None else f"[{text}]({label})" for text, label in parts)
    text, spans = parse_entities(line)
    assert text == "".join(part for part, _ in parts)
    found = [(text[span.start : span.end], span.label) for span in spans]
    assert found == [(part, label) for part, label in parts if label is not None]


@given(
    st.text("ab北京 ", max_size=12),
    st.lists(st.tuples(NAMES, st.text("ab北京", min_size=1)), max_size=5),
)
def test_spans_of_slots_hold_their_values(text, values):
    tally = ProblemTally()
    spans = locate_slots(text, values, tally)
    found = [(span.label, text[span.start : span.end]) for span in spans]
    assert all(pair in values for pair in found)
    assert len(spans) + tally.count("corpora.labelled-slot-missing") == len(values)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    alone = [pair for pair in values if pair[1] in text]
    assert bool(spans) == bool(alone)
