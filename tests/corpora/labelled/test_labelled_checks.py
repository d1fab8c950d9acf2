"""Every problem is found, named in both languages, and not found where it is not."""

from __future__ import annotations

import time

import pytest
from labelled_files import names

from sparrowlm.corpora.labelled import LabelledText, Span, TaggedText, TextPair, check


def classified(*rows):
    return [LabelledText(text, (label,) if label else ()) for text, label in rows]


GOOD = classified(*((f"text number {word}", "ab"[i % 2]) for i, word in enumerate("pqrstuvwxyz")))


def test_checks_good_data_have_no_problem():
    assert check(GOOD) == []
    assert check(GOOD, classified(("another one", "a"))) == []
    assert check([TextPair(f"q {w}", f"a {w}") for w in "abc"]) == []
    assert (
        check([TaggedText("in Rome", (Span(3, 7, "L"),)), TaggedText("Oslo!", (Span(0, 4, "L"),))])
        == []
    )


LONG = "word " * 30_000
CASES = {
    "no-examples": ([], "error", {}),
    "unlabelled-all": (classified(("x", ""), ("y", "")), "error", {"number": 2}),
    "unlabelled": ([*GOOD, LabelledText("x", ())], "note", {"count": 1}),
    "single-label": (classified(("x", "a"), ("y", "a")), "error", {"label": "a", "number": 2}),
    "imbalanced": (
        classified(*((f"t{w}", "a") for w in "pqrstuvwxyz"), ("x", "b"), ("y", "b")),
        "warning",
        {"label": "a", "share": "84.6", "rarest": "b", "fewest": 2},
    ),
    "seen-once": (
        [*GOOD, LabelledText("x", ("rare",))],
        "warning",
        {"count": 1, "example": "rare"},
    ),
    "many-labels": (
        classified(*((f"text {w}", f"label {w}") for w in "pqrstuvwxyz")),
        "error",
        {"labels": 11, "number": 11, "example": "label p"},
    ),
    "like-names": (
        [*GOOD, *classified(("x", "News"), ("y", "news "), ("z", "News"), ("w", "news "))],
        "warning",
        {"first": "News", "second": "news "},
    ),
    "empty-texts": ([*GOOD, *classified((" ", "a"), ("", "b"))], "warning", {"count": 2}),
    "long-texts": ([*GOOD, LabelledText(LONG, ("a",))], "warning", {"longest": "150,000"}),
    "number-texts": (
        classified(*((str(i * 1717), "ab"[i % 2]) for i in range(6)), ("a text", "a")),
        "error",
        {"count": 6, "share": "85.7"},
    ),
    "duplicates": ([*GOOD, GOOD[0], GOOD[0]], "note", {"count": 2, "share": "15.4"}),
    "contradictions": (
        [*GOOD, LabelledText(GOOD[0].text, ("b",))],
        "warning",
        {"count": 1, "example": "text number p", "first": "a", "second": "b"},
    ),
    "spans-outside": (
        [TaggedText("ab", (Span(1, 3, "X"),))],
        "error",
        {"count": 1, "example": "ab"},
    ),
    "spans-overlapping": (
        [TaggedText("abcd", (Span(0, 2, "X"), Span(1, 3, "Y")))],
        "error",
        {"count": 1},
    ),
    "no-spans": (
        [TaggedText("x", (), intent="a"), TaggedText("y", (), intent="b")],
        "warning",
        {"number": 2},
    ),
    "equal-sides": ([TextPair("a", "a ", "1"), TextPair("a", "b", "0")], "warning", {"count": 1}),
}


@pytest.mark.parametrize("name", CASES)
def test_checks_find_the_problem(name):
    examples, severity, fields = CASES[name]
    found = dict(zip(names(check(examples)), check(examples), strict=True))
    assert name in found
    assert found[name].severity == severity
    assert fields.items() <= found[name].fields.items()
    english, chinese = found[name].sentence("en"), found[name].sentence("zh")
    assert english != chinese and "{" not in english + chinese
    for value in fields.values():
        assert str(value) in english and str(value) in chinese


def test_checks_pairs_of_one_class_are_an_error():
    problems = check([TextPair("a", "b", "1"), TextPair("c", "d", "1")])
    assert names(problems) == ["single-label"]


def test_checks_pairs_that_contradict():
    pairs = [TextPair("a", "b", "1"), TextPair("a", "b", "0"), TextPair("b", "a", "1")]
    assert "contradictions" in names(check(pairs))


def test_checks_entities_that_contradict_are_shown():
    tagged = [TaggedText("in Rome", (Span(3, 7, "L"),)), TaggedText("in Rome", ())]
    problem = next(p for p in check(tagged) if p.code.endswith("contradictions"))
    assert (problem.fields["first"], problem.fields["second"]) == ("Rome=L", "—")


def test_checks_leaks_from_held_out_into_training():
    problems = check(GOOD, [*GOOD[:3], *classified(("new", "a"))])
    assert names(problems) == ["leaks"]
    assert problems[0].fields == {"count": 3, "share": "75.0", "example": "text number p"}


def test_checks_label_names_that_differ_by_width_or_case():
    examples = classified(("x", "ＮＥＷＳ"), ("y", "news"), ("p", "ＮＥＷＳ"), ("q", "news"))
    assert names(check(examples)) == ["like-names"]


def test_checks_errors_come_first():
    problems = check(classified(("x", "a"), ("", "a"), ("x", "a")))
    severities = [problem.severity for problem in problems]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert set(severities) == {"error", "warning", "note"}


def test_checks_take_linear_time():
    def seconds(number):
        rows = classified(*((f"text {i * 31}x", f"label {i % 50}") for i in range(number)))
        start = time.perf_counter()
        check(rows, rows[:1000])
        return time.perf_counter() - start

    seconds(1_000)
    assert seconds(20_000) < 40 * max(seconds(2_500), 0.002)


def test_checks_white_space_makes_no_difference_between_texts():
    spaced = [LabelledText("text  number p ", ("a",)), LabelledText("textnumber\tq", ("a",))]
    assert names(check([*GOOD, *spaced])) == ["contradictions", "duplicates"]
    assert check(GOOD, spaced)[0].fields["count"] == 2
