"""Texts in blocks of units, and labels of units back into spans and words of the texts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float32, Int32
from sparrowlm.tasks.tag.dictionary import UserDictionary
from sparrowlm.tasks.tag.schemes import LabelSet, UnitSpan
from sparrowlm.tasks.tag.units import Tokens, Units, units_of

_BLOCK_CHARACTERS = 100_000


class FoundSpan(NamedTuple):
    """A span and how sure the model is of it.

    Args:
        start: first character.
        end: the character after the last.
        label: what it is.
        confidence: the least probability of its units' labels; 1 for entries of the dictionary.
    """

    start: int
    end: int
    label: str
    confidence: float


def blocks(
    texts: Sequence[str],
    tokens: Sequence[Tokens] | None,
    dictionary: UserDictionary | None,
    *,
    joins_runs: bool,
    most_characters: int = _BLOCK_CHARACTERS,
) -> Iterator[tuple[Units, list[UnitSpan]]]:
    """Yield some texts at a time, so that their arrays stay in the processor's caches.

    Args:
        texts: any texts.
        tokens: per text its tokens, where they are known.
        dictionary: of the user.
        joins_runs: whether runs of letters and digits are one unit.
        most_characters: a block ends where it has so many.

    Yields:
        The units of some texts, and where entries of the dictionary stand.
    """
    first, size = 0, 0
    for last, text in enumerate(texts, start=1):
        size += len(text)
        if size < most_characters and last < len(texts):
            continue
        some = None if tokens is None else tokens[first:last]
        units = units_of(texts[first:last], some, joins_runs=joins_runs)
        yield units, [] if dictionary is None else dictionary.find(units)
        first, size = last, 0


def words_of(
    labels: LabelSet, units: Units, labels_N: Int32[np.ndarray, " units"]
) -> list[list[str]]:
    """Return the words of every text."""
    firsts, stops = labels.borders(labels_N)
    begins, ends = units.begins[firsts], units.ends[stops - 1]
    words = [units.text[a:b] for a, b in zip(begins.tolist(), ends.tolist(), strict=True)]
    bounds = np.searchsorted(begins, units.text_starts).tolist()
    return [words[a:b] for a, b in zip(bounds, [*bounds[1:], len(words)], strict=True)]


def least_probable(
    labels: LabelSet,
    labels_N: Int32[np.ndarray, " units"],
    sure_NL: Float32[np.ndarray, "units labels"],
) -> Float32[np.ndarray, " spans"]:
    """Return, per span, the probability of its least probable label."""
    firsts, stops = labels.borders(labels_N)
    if not len(firsts):
        return np.ones(0, dtype=np.float32)
    chosen = np.append(sure_NL[np.arange(len(labels_N)), labels_N], np.float32(1.0))
    pairs = np.stack([firsts, stops], axis=1).ravel()
    return np.asarray(np.minimum.reduceat(chosen, pairs)[::2], dtype=np.float32)


def found_spans(
    labels: LabelSet,
    units: Units,
    labels_N: Int32[np.ndarray, " units"],
    own: list[UnitSpan],
    sure_NL: Float32[np.ndarray, "units labels"] | None,
) -> list[list[FoundSpan]]:
    """Return the spans of every text.

    Args:
        labels: what the numbers mean.
        units: of the texts.
        labels_N: legal labels.
        own: the user's entries, which outrank them.
        sure_NL: probability of every label; None where nobody wants to know.
    """
    firsts, stops = labels.borders(labels_N)
    sure = np.ones(len(firsts), dtype=np.float32)
    if sure_NL is not None:
        sure = least_probable(labels, labels_N, sure_NL)
    kinds = [labels.names[n].partition("-")[2] for n in labels_N[firsts].tolist()]
    found: list[list[FoundSpan]] = [[] for _ in units.text_starts]
    owners = np.searchsorted(units.text_starts, units.begins[firsts], side="right") - 1
    shift = units.text_starts[owners]
    begins, ends = units.begins[firsts] - shift, units.ends[stops - 1] - shift
    for owner, *one in zip(
        owners.tolist(), begins.tolist(), ends.tolist(), kinds, sure.tolist(), strict=True
    ):
        found[owner].append(FoundSpan(*one))
    return _with_own(units, found, own) if own else found


def _with_own(
    units: Units, found: list[list[FoundSpan]], own: list[UnitSpan]
) -> list[list[FoundSpan]]:
    entries: list[list[FoundSpan]] = [[] for _ in found]
    for first, stop, label in own:
        owner = int(np.searchsorted(units.text_starts, units.begins[first], side="right")) - 1
        shift = int(units.text_starts[owner])
        place = int(units.begins[first]) - shift, int(units.ends[stop - 1]) - shift
        entries[owner].append(FoundSpan(*place, label, 1.0))
    return [
        _outranked(spans, mine) if mine else spans
        for spans, mine in zip(found, entries, strict=True)
    ]


def _outranked(spans: list[FoundSpan], own: list[FoundSpan]) -> list[FoundSpan]:
    """Return the user's spans and those of the model that overlap none of them, in order."""
    starts = sorted(one.start for one in own)
    ends = sorted(one.end for one in own)
    # As many begin before its end as end before its start: nothing lies between.
    kept = [one for one in spans if bisect_left(starts, one.end) == bisect_right(ends, one.start)]
    return sorted([*kept, *own])
