"""CoNLL files: a token and its tag on every line, an empty line between sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled.examples import TaggedText, TaskKind
from sparrowlm.corpora.labelled.joining import is_cut_into_characters
from sparrowlm.corpora.labelled.opening import OpenedFile
from sparrowlm.corpora.labelled.plans import ReadingPlan
from sparrowlm.corpora.labelled.problems import ProblemTally
from sparrowlm.corpora.labelled.settings import Columns
from sparrowlm.corpora.labelled.tagged_rows import TagScheme, tagged_text
from sparrowlm.corpora.labelled.tags import (
    BARE_LABEL,
    TAG,
    WORD_LABEL,
    has_beginnings,
    is_segmentation,
)
from sparrowlm.corpora.records import lines_of

_DOCUMENT_MARK = "-DOCSTART-"
_TAGGED_SHARE = 0.98
_SUFFIXES = ("conll", "bio", "bioes", "bmes", "iob", "iob2", "ner")
# A sentence without end is a file of another kind: it is cut, so that memory stays bounded.
_LONGEST_SENTENCE_TOKENS = 100_000


def plan_conll(
    opened: OpenedFile, tally: ProblemTally, report: ReadingReport
) -> ReadingPlan | None:
    """Recognise lines of a token and a tag.

    Args:
        opened: the file.
        tally: counts what is repaired.
        report: counts lines without a tag.

    Returns:
        The plan; None when the lines are not tagged.
    """
    lines = opened.head.split("\n")
    cells = [_cells(line) for line in lines if line.strip() and not _is_skipped(line)]
    tagged = [row for row in cells if len(row) >= 2 and TAG.fullmatch(row[-1])]
    if not tagged or len(tagged) < _TAGGED_SHARE * len(cells) or len({*map(len, tagged)}) > 2:
        return None
    tags = [row[-1] for row in tagged]
    has_gaps = any(not line.strip() for line in lines[:-1])
    is_named = any(opened.name.lower().split(".")[i] in _SUFFIXES for i in _ends(opened.name))
    # "word B" on every line and no sentence: rather a table of short texts and one-letter classes.
    is_clear = any(tag[1:2] in ("-", "_") for tag in tags) or is_segmentation(tags)
    if not (has_gaps or is_named) or not (is_clear or is_named or set(tags) <= {"O", "B", "I"}):
        return None
    is_words = is_segmentation(tags)
    scheme = TagScheme(
        of_characters=is_cut_into_characters(row[0] for row in tagged),
        marks_beginnings=has_beginnings(tags),
        bare_label=WORD_LABEL if is_words else BARE_LABEL,
    )
    task: TaskKind = "segment" if is_words else "tag"
    return ReadingPlan(
        format="conll",
        task=task,
        columns=Columns(),
        read=lambda: _examples(opened.blocks, scheme, tally, report),
        evidence="labelled-evidence-conll",
    )


def _ends(name: str) -> range:
    """Return the positions of the last two suffixes (train.conll.xz)."""
    number = name.count(".") + 1
    return range(max(number - 2, 0), number)


def _cells(line: str) -> list[str]:
    line = line.rstrip("\r\n")
    if "\t" in line:
        return line.rstrip("\t").split("\t")
    cells = line.split()
    # The token of " O" is a space.
    return [line[0], *cells] if len(cells) == 1 and line[0].isspace() else cells


def _is_skipped(line: str) -> bool:
    is_comment = line.startswith("# ") and not TAG.fullmatch(line.rsplit(maxsplit=1)[-1])
    return line.startswith(_DOCUMENT_MARK) or is_comment


def _examples(
    blocks: Iterable[str], scheme: TagScheme, tally: ProblemTally, report: ReadingReport
) -> Iterator[TaggedText]:
    tokens: list[str] = []
    tags: list[str] = []
    for line in lines_of(blocks):
        if line is None:
            report.num_bad_records += 1
            continue
        is_gap = not line.strip() or (line[0] in "-#" and _is_skipped(line))
        if tokens and (is_gap or len(tokens) >= _LONGEST_SENTENCE_TOKENS):
            yield tagged_text(tokens, tags, tally, scheme=scheme)
            tokens, tags = [], []
        if is_gap:
            continue
        cells = _cells(line)
        if len(cells) < 2:
            report.num_bad_records += 1
        tokens.append(cells[0] or " ")
        tags.append(cells[-1].strip() if len(cells) > 1 else "O")
    if tokens:
        yield tagged_text(tokens, tags, tally, scheme=scheme)
