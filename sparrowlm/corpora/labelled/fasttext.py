"""Lines of fastText: ``__label__sports __label__news the text``."""

from __future__ import annotations

from collections.abc import Iterator

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled.examples import LabelledText
from sparrowlm.corpora.labelled.opening import OpenedFile
from sparrowlm.corpora.labelled.plans import ReadingPlan
from sparrowlm.corpora.labelled.settings import Columns
from sparrowlm.corpora.records import lines_of

_MARK = "__label__"
_LINES_SHARE = 0.8


def plan_fasttext(opened: OpenedFile, report: ReadingReport) -> ReadingPlan | None:
    """Recognise lines that begin (or end) with __label__ words.

    Args:
        opened: the file.
        report: counts lines that cannot be read.

    Returns:
        The plan; None when too few lines are marked.
    """
    lines = [line for line in opened.head.split("\n") if line.strip()]
    marked = [line for line in lines if _MARK in line and _is_marked(line)]
    if not marked or len(marked) < _LINES_SHARE * len(lines):
        return None
    return ReadingPlan(
        format="fasttext",
        task="classify",
        columns=Columns(),
        read=lambda: _examples(opened.blocks, report),
        evidence="labelled-evidence-fasttext",
    )


def _is_marked(line: str) -> bool:
    words = line.split(None, 1)
    return words[0].startswith(_MARK) or line.rsplit(None, 1)[-1].startswith(_MARK)


def _examples(blocks: Iterator[str], report: ReadingReport) -> Iterator[LabelledText]:
    for line in lines_of(blocks):
        if line is None:
            report.num_bad_records += 1
        elif line.strip():
            yield _example(line)


def _example(line: str) -> LabelledText:
    labels: list[str] = []
    rest = line.strip()
    while rest.startswith(_MARK):
        word, _, rest = rest.partition(" ") if "\t" not in rest else _first_word(rest)
        labels.append(word.removeprefix(_MARK))
        rest = rest.lstrip()
    while not labels or _MARK in rest[-200:]:
        before, _, word = rest.rpartition(" ")
        if not word.startswith(_MARK):
            break
        labels.append(word.removeprefix(_MARK))
        rest = before.rstrip()
    return LabelledText(rest, tuple(dict.fromkeys(label for label in labels if label)))


def _first_word(text: str) -> tuple[str, str, str]:
    word = text.split(None, 1)
    return word[0], " ", word[1] if len(word) > 1 else ""
