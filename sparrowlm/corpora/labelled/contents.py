"""What checks and divisions need to know of an example, whatever kind it is."""

from __future__ import annotations

import unicodedata

from sparrowlm.corpora.labelled.examples import Example, LabelledText, TextPair


def texts_of(example: Example) -> tuple[str, ...]:
    """Return the texts of an example: two of a pair, one of all others."""
    if isinstance(example, TextPair):
        return (example.first, example.second)
    return (example.text,)


def key_of(example: Example) -> tuple[str, ...]:
    """Return the texts of an example without white space: equal for what people call equal."""
    return tuple(["".join(text.split()) for text in texts_of(example)])


def labels_of(example: Example) -> tuple[str, ...]:
    """Return the classes of an example: of tagged texts the intent, else the labels of the spans.

    >>> labels_of(LabelledText("好", ("pos",))), labels_of(TextPair("a", "b", "1"))
    (('pos',), ('1',))
    """
    if isinstance(example, LabelledText):
        return example.labels
    if isinstance(example, TextPair):
        return () if example.label is None else (example.label,)
    if example.intent is not None:
        return (example.intent,)
    return tuple(dict.fromkeys(span.label for span in example.spans))


def is_answered(example: Example) -> bool:
    """Say whether an example was given an answer, also where that is "none of the labels"."""
    if isinstance(example, LabelledText) and example.probabilities:
        return True
    return bool(labels_of(example))


def answer_of(example: Example) -> tuple[object, ...]:
    """Return everything that was annotated, equal for equal annotations."""
    if isinstance(example, LabelledText):
        return tuple(sorted(example.labels))
    if isinstance(example, TextPair):
        return (example.label,)
    return (example.intent, example.spans)


def folded(label: str) -> str:
    """Return a label without differences of case, width and white space.

    >>> folded("Ｎｅｗｓ "), folded("new s")
    ('news', 'news')
    """
    return "".join(unicodedata.normalize("NFKC", label).casefold().split())
