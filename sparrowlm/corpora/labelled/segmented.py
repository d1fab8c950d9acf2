"""Text whose words are divided by spaces, read only when word segmentation is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled.examples import Span, TaggedText
from sparrowlm.corpora.labelled.opening import OpenedFile
from sparrowlm.corpora.labelled.plans import ReadingPlan
from sparrowlm.corpora.labelled.settings import Columns
from sparrowlm.corpora.labelled.tags import WORD_LABEL
from sparrowlm.corpora.records import lines_of


def plan_segmented(opened: OpenedFile, report: ReadingReport) -> ReadingPlan | None:
    """Take every line as a sentence of words.

    Args:
        opened: the file.
        report: counts lines that cannot be read.

    Returns:
        The plan; None when no line holds more than one word.
    """
    if not any(len(line.split()) > 1 for line in opened.head.split("\n")):
        return None
    return ReadingPlan(
        format="segmented",
        task="segment",
        columns=Columns(),
        read=lambda: _examples(opened.blocks, report),
        evidence="labelled-evidence-segmented",
    )


def _examples(blocks: Iterable[str], report: ReadingReport) -> Iterator[TaggedText]:
    for line in lines_of(blocks):
        if line is None:
            report.num_bad_records += 1
        elif line.strip():
            words = line.split()
            ends = accumulate(len(word) for word in words)
            spans = (Span(e - len(w), e, WORD_LABEL) for w, e in zip(words, ends, strict=True))
            yield TaggedText("".join(words), tuple(spans))
