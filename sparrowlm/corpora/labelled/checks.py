"""Problems of labelled data in plain words, before any time is spent on training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from sparrowlm.corpora.labelled.contents import (
    answer_of,
    folded,
    is_answered,
    key_of,
    labels_of,
    texts_of,
)
from sparrowlm.corpora.labelled.examples import Example, TaggedText, TextPair
from sparrowlm.corpora.labelled.problems import Problem, Severity, shown

_IMBALANCED_SHARE = 0.8
_SMALLEST_RATIO = 50
# Fewer rows say nothing about the number of labels.
_FEW_ROWS = 10
_TOO_MANY_LABELS_SHARE = 0.5
_LONG_CHARACTERS = 100_000
_NUMBERS_SHARE = 0.5
_BROKEN_SIGN = "\ufffd"
# More texts than this with broken characters were read in the wrong encoding.
_BROKEN_SHARE = 0.05


def check(
    examples: Sequence[Example], held_out_examples: Sequence[Example] | None = None
) -> list[Problem]:
    """Look for problems in labelled data, in time linear in their size.

    Args:
        examples: what would be trained on, all of one kind.
        held_out_examples: what would be evaluated on.

    Returns:
        Problems, errors first, then warnings, then notes; empty when there is nothing to say.

    >>> [p.code for p in check([TextPair("a", "b", "1"), TextPair("c", "d", "1")])]
    ['corpora.labelled-single-label']
    """
    if not examples:
        return [Problem("corpora.labelled-no-examples", "error")]
    problems: list[Problem] = []
    for look in (_labels, _label_names, _texts, _broken, _duplicates, _spans, _pairs):
        problems += look(examples)
    problems += _leaks(examples, held_out_examples or ())
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(problems, key=lambda problem: order[problem.severity])


def _problem(name: str, severity: Severity, **fields: object) -> Problem:
    return Problem(f"corpora.labelled-{name}", severity, fields)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.1f}"


def _labels(examples: Sequence[Example]) -> Iterable[Problem]:
    found = [labels_of(example) for example in examples]
    counts = Counter(label for labels in found for label in labels)
    num_labelled = sum(map(is_answered, examples))
    is_matching = isinstance(examples[0], TextPair)
    is_spans = isinstance(examples[0], TaggedText) and examples[0].intent is None
    if not counts:
        if not is_matching:
            yield _problem("unlabelled-all", "error", number=len(examples))
        return
    if num_labelled < len(examples) and not is_spans:
        yield _problem("unlabelled", "note", count=len(examples) - num_labelled)
    if len(counts) == 1 and not is_spans:
        yield _problem("single-label", "error", label=next(iter(counts)), number=num_labelled)
    elif not is_spans:
        yield from _balance(counts, num_labelled)
    yield from _numbers_of_labels(counts, num_labelled)


def _balance(counts: Counter[str], num_labelled: int) -> Iterable[Problem]:
    label, count = counts.most_common(1)[0]
    rarest, fewest = min(counts.items(), key=lambda pair: pair[1])
    is_uneven = count >= _SMALLEST_RATIO * fewest and num_labelled >= _SMALLEST_RATIO
    if count >= _IMBALANCED_SHARE * num_labelled or is_uneven:
        share = _percent(count, num_labelled)
        fields = {"label": label, "share": share, "rarest": rarest, "fewest": fewest}
        yield Problem("corpora.labelled-imbalanced", "warning", fields)


def _numbers_of_labels(counts: Counter[str], num_labelled: int) -> Iterable[Problem]:
    if num_labelled >= _FEW_ROWS and len(counts) > _TOO_MANY_LABELS_SHARE * num_labelled:
        example = shown(next(iter(counts)))
        yield _problem(
            "many-labels", "error", labels=len(counts), number=num_labelled, example=example
        )
        return
    single = [label for label, count in counts.items() if count == 1]
    if single:
        yield _problem("seen-once", "warning", count=len(single), example=shown(single[0]))


def _label_names(examples: Sequence[Example]) -> Iterable[Problem]:
    names = dict.fromkeys(label for example in examples for label in labels_of(example))
    if isinstance(examples[0], TaggedText):
        names |= dict.fromkeys(
            s.label for e in examples if isinstance(e, TaggedText) for s in e.spans
        )
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(folded(name), name)
        if other != name:
            yield _problem("like-names", "warning", first=other, second=name)


def _texts(examples: Sequence[Example]) -> Iterable[Problem]:
    num_empty = num_long = num_numbers = longest = 0
    first_number = first_long = ""
    for example in examples:
        for text in texts_of(example):
            if not text or text.isspace():
                num_empty += 1
            elif len(text) > _LONG_CHARACTERS:
                num_long, longest = num_long + 1, max(longest, len(text))
                first_long = first_long or text
            elif len(text) < 64 and _is_number_or_id(text):
                num_numbers += 1
                first_number = first_number or text
    if num_empty:
        yield _problem("empty-texts", "warning", count=num_empty)
    if num_long:
        fields = {"count": num_long, "longest": f"{longest:,}", "example": shown(first_long)}
        yield Problem("corpora.labelled-long-texts", "warning", fields)
    if num_numbers:
        is_most = num_numbers > _NUMBERS_SHARE * len(examples)
        severity: Severity = "error" if is_most else "note"
        share = _percent(num_numbers, len(examples))
        yield _problem(
            "number-texts", severity, count=num_numbers, share=share, example=shown(first_number)
        )


def _broken(examples: Sequence[Example]) -> Iterable[Problem]:
    """Look for what stands in place of bytes that were no character."""
    labels = {label for example in examples for label in labels_of(example)}
    wrong = sorted(label for label in labels if _BROKEN_SIGN in label)
    if wrong:
        yield _problem("broken-labels", "error", example=shown(wrong[0]))
    broken = [e for e in examples if any(_BROKEN_SIGN in text for text in texts_of(e))]
    if broken:
        is_most = len(broken) > _BROKEN_SHARE * len(examples)
        first = next(text for text in texts_of(broken[0]) if _BROKEN_SIGN in text)
        place = max(first.index(_BROKEN_SIGN) - 20, 0)
        yield _problem(
            "broken-texts", "error" if is_most else "warning", count=len(broken),
            example=shown(first[place:]),
        )  # fmt: skip


def _is_number_or_id(text: str) -> bool:
    """Say whether a text is nothing but digits and signs, or one word with several digits."""
    if not any(map(str.isalpha, text)):
        return any(map(str.isdigit, text))
    is_word = text.isascii() and text.replace("-", "").replace("_", "").isalnum()
    return is_word and sum(map(str.isdigit, text)) * 2 >= len(text)


def _duplicates(examples: Sequence[Example]) -> Iterable[Problem]:
    first: dict[tuple[str, ...], Example] = {}
    num_exact = num_contradictory = 0
    exact = ""
    conflict: tuple[Example, Example] | None = None
    for example in examples:
        texts = key_of(example)
        earlier = first.get(texts)
        if earlier is None or not any(texts):
            first[texts] = example
        elif answer_of(earlier) == answer_of(example):
            num_exact += 1
            exact = exact or texts_of(example)[0]
        else:
            num_contradictory += 1
            conflict = conflict or (earlier, example)
    if num_exact:
        share = _percent(num_exact, len(examples))
        yield _problem("duplicates", "note", count=num_exact, share=share, example=shown(exact))
    if conflict:
        yield _problem(
            "contradictions",
            "warning",
            count=num_contradictory,
            example=shown(" | ".join(texts_of(conflict[0]))),
            first=_answer(conflict[0]),
            second=_answer(conflict[1]),
        )


def _answer(example: Example) -> str:
    if isinstance(example, TaggedText):
        spans = (f"{example.text[s.start : s.end]}={s.label}" for s in example.spans)
        return shown(", ".join([*([example.intent] if example.intent else []), *spans])) or "—"
    return ", ".join(labels_of(example)) or "—"


def _leaks(examples: Sequence[Example], held_out: Sequence[Example]) -> Iterable[Problem]:
    if not held_out:
        return
    known = {key_of(example) for example in examples}
    leaked = [example for example in held_out if key_of(example) in known]
    if leaked:
        fields = {
            "count": len(leaked),
            "share": _percent(len(leaked), len(held_out)),
            "example": shown(" | ".join(texts_of(leaked[0]))),
        }
        yield Problem("corpora.labelled-leaks", "warning", fields)


def _spans(examples: Sequence[Example]) -> Iterable[Problem]:
    tagged = [example for example in examples if isinstance(example, TaggedText)]
    looks: tuple[tuple[str, Callable[[TaggedText], bool]], ...] = (
        ("spans-outside", _has_outside),
        ("spans-overlapping", _has_overlapping),
    )
    for name, look in looks:
        bad = [example for example in tagged if look(example)]
        if bad:
            yield _problem(name, "error", count=len(bad), example=shown(bad[0].text))
    if tagged and tagged[0].intent is not None and not any(one.spans for one in tagged):
        yield _problem("no-spans", "warning", number=len(tagged))


def _has_outside(example: TaggedText) -> bool:
    return any(not 0 <= span.start < span.end <= len(example.text) for span in example.spans)


def _has_overlapping(example: TaggedText) -> bool:
    ordered = sorted(example.spans)
    return any(b.start < a.end for a, b in pairwise(ordered))


def _pairs(examples: Sequence[Example]) -> Iterable[Problem]:
    pairs = [example for example in examples if isinstance(example, TextPair)]
    equal = [pair for pair in pairs if pair.first.strip() == pair.second.strip()]
    if equal:
        yield _problem("equal-sides", "warning", count=len(equal), example=shown(equal[0].first))
