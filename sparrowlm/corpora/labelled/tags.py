"""Tags of tokens to labelled stretches: BIO, BIOES, BMES, BILOU and IO.

The repair of illegal sequences is the usual lenient one: a stretch begins wherever an inside or
end tag has nothing of its own label before it, so "I-X" at the beginning, "I-X" after "B-Y" and
"E-X" after "O" each begin a new stretch. Every such place is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

TAG = re.compile(r"O|[BIESMLUW]-\S+|[BIESMLUW]_[A-Za-z]\S*|[BIESMLUW]")
WORD_LABEL = "WORD"
BARE_LABEL = "ENTITY"
_BEGINS = frozenset("BSUW")
_ENDS = frozenset("ESLUW")


def looks_like_tags(cells: Iterable[str]) -> bool:
    """Say whether every cell is a tag, at least one of them more than O."""
    found = set(cells)
    return any(cell != "O" for cell in found) and all(TAG.fullmatch(cell) for cell in found)


def is_segmentation(tags: Iterable[str]) -> bool:
    """Say whether the tags only cut words: B, M, E and S without labels, and no O."""
    found = set(tags)
    return bool(found) and found <= set("BMESIW") and bool(found & set("MESW"))


def has_beginnings(tags: Iterable[str]) -> bool:
    """Say whether beginnings are marked: where they are not (IO), I- alone is legal."""
    return any(tag[:1] in _BEGINS for tag in tags)


def decode_tags(
    tags: Sequence[str], bare_label: str = BARE_LABEL
) -> tuple[list[tuple[int, int, str]], int]:
    """Decode the tags of one sentence.

    Args:
        tags: one per token.
        bare_label: label of tags without one ("B", "M").

    Returns:
        (first token, behind the last token, label) of every stretch in order, and the number of
        illegal places that were repaired.

    >>> decode_tags(["B-PER", "I-PER", "O", "I-LOC"])
    ([(0, 2, 'PER'), (3, 4, 'LOC')], 1)
    """
    stretches: list[tuple[int, int, str]] = []
    open_at, open_label, num_repaired = -1, "", 0
    for position, tag in enumerate(tags):
        prefix, label = _parts(tag, bare_label)
        if prefix == "O" or (open_at >= 0 and (prefix in _BEGINS or label != open_label)):
            if open_at >= 0:
                stretches.append((open_at, position, open_label))
            was_open, open_at = open_at >= 0, -1
            num_repaired += was_open and prefix not in _BEGINS and prefix != "O"
        elif open_at < 0 and prefix not in _BEGINS:
            num_repaired += 1
        if prefix != "O" and open_at < 0:
            open_at, open_label = position, label
        if prefix in _ENDS:
            stretches.append((open_at, position + 1, open_label))
            open_at = -1
    if open_at >= 0:
        stretches.append((open_at, len(tags), open_label))
    return stretches, num_repaired


@lru_cache(maxsize=4096)  # there are few different tags, and millions of tokens
def _parts(tag: str, bare_label: str) -> tuple[str, str]:
    if tag in ("O", ""):
        return "O", ""
    if len(tag) == 1:
        return tag, bare_label
    if tag[1] in "-_" and tag[0] in "BIESMLUW":
        return tag[0], tag[2:]
    return "I", tag
