"""Rows of a table that hold tokens and their tags in two cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled.examples import Span, TaggedText
from sparrowlm.corpora.labelled.joining import (
    align_tokens,
    cut_tokens,
    is_cut_into_characters,
    join_tokens,
)
from sparrowlm.corpora.labelled.problems import ProblemTally
from sparrowlm.corpora.labelled.settings import Columns
from sparrowlm.corpora.labelled.tags import BARE_LABEL, WORD_LABEL, decode_tags, is_segmentation


@dataclass(frozen=True, slots=True)
class TagScheme:
    """What holds for all sentences of a file.

    Args:
        of_characters: the tokens are single characters; None looks at every sentence.
        marks_beginnings: false for IO tags, where an inside tag may come first.
        bare_label: label of tags without one ("B", "M"); "" looks at every sentence.
    """

    of_characters: bool | None = None
    marks_beginnings: bool = True
    bare_label: str = ""


def tagged_text(
    tokens: Sequence[str],
    tags: Sequence[str],
    tally: ProblemTally,
    text: str | None = None,
    scheme: TagScheme | None = None,
) -> TaggedText:
    """Make a tagged text of tokens with tags.

    Args:
        tokens: none of them empty.
        tags: one per token.
        tally: counts illegal sequences of tags.
        text: the text the tokens were cut from, if the data hold it; it is used where the tokens
            really make it up.
        scheme: what holds for all sentences.

    Returns:
        The text with its spans and the borders of the tokens.
    """
    scheme = scheme or TagScheme()
    borders = None if text is None else align_tokens(text, tokens)
    if text is None or borders is None:
        of_characters = scheme.of_characters
        if of_characters is None:
            of_characters = is_cut_into_characters(tokens)
        text, borders = join_tokens(tokens, of_characters)
    bare = scheme.bare_label or (WORD_LABEL if is_segmentation(tags) else BARE_LABEL)
    stretches, num_repaired = decode_tags(tags, bare)
    for _ in range(num_repaired if scheme.marks_beginnings else 0):
        tally.add("corpora.labelled-tags-repaired", text)
    spans = tuple(Span(borders[a][0], borders[b - 1][1], name) for a, b, name in stretches)
    return TaggedText(text, spans, borders)


def tagged_rows(
    rows: Iterable[Sequence[str]],
    names: Sequence[str],
    columns: Columns,
    tally: ProblemTally,
    report: ReadingReport,
) -> Iterator[TaggedText]:
    """Read rows of (tokens, tags), and of the intent and the text where there are columns of them.

    Args:
        rows: below the header.
        names: the columns in order.
        columns: tokens and tags are set.
        tally: counts what was repaired.
        report: counts rows whose tokens and tags differ in number.
    """
    tokens_at, tags_at = names.index(columns.tokens or ""), names.index(columns.tags or "")
    text_at = names.index(columns.text[0]) if columns.text else None
    intent_at = names.index(columns.intent) if columns.intent else None
    last = max(tokens_at, tags_at, text_at or 0, intent_at or 0)
    for row in rows:
        tags = row[tags_at].split() if len(row) > last else []
        tokens = cut_tokens(row[tokens_at], len(tags)) if len(row) > last else []
        if len(tokens) != len(tags) or not tokens:
            report.num_bad_records += 1
            continue
        text = None if text_at is None else row[text_at]
        tagged = tagged_text(tokens, tags, tally, text)
        intent = None if intent_at is None else row[intent_at].strip() or None
        yield TaggedText(tagged.text, tagged.spans, tagged.tokens, intent)
