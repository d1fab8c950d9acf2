"""One column per label: 0 and 1, or probabilities that add up to one.

text,fast,cheap      text,good,bad
…,1,0                …,0.9,0.1
…,0,0                …,0.2,0.8
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sparrowlm.corpora.labelled.column_names import is_never_label
from sparrowlm.corpora.labelled.examples import LabelledText

_YES, _NO = frozenset({"1", "1.0", "true"}), frozenset({"0", "0.0", "false", ""})
_LEAST_SHARE, _NEAR_ONE = 0.95, 0.02


def label_columns(
    names: Sequence[str], rows: Sequence[Sequence[str]], text: int
) -> tuple[int, ...]:
    """Return the columns that are labels, each for itself; none where there are not two.

    Args:
        names: the header.
        rows: the first rows below it.
        text: the column of the texts.
    """
    named = [i for i, name in enumerate(names) if name and not is_never_label(name)]
    free = [i for i in named if i != text]
    cells = {i: [row[i].strip() for row in rows if i < len(row)] for i in free}
    flags = [i for i in free if all(_is_flag(cell) for cell in cells[i])]
    said = {i for i in flags if any(_folded(cell) in _YES for cell in cells[i])}
    # A column without any 1 so far may be a rare label, an empty one is nothing.
    flags = [i for i in flags if i in said or all(cells[i])]
    if len(said) > 1:
        return tuple(flags)
    shares = [i for i in free if cells[i] and all(share_of(cell) is not None for cell in cells[i])]
    sums = [_sum(row, shares) for row in rows]
    fitting = sum(abs(one - 1) <= _NEAR_ONE for one in sums)
    is_shared = len(shares) > 1 and fitting >= _LEAST_SHARE * len(sums) > 0
    return tuple(shares) if is_shared else ()


def labelled_by_columns(
    text: str, labels: Sequence[str], cells: Sequence[str]
) -> LabelledText | None:
    """Return a text with the labels that its cells give it, possibly none of them.

    None where a cell holds no number from 0 to 1.

    Args:
        text: the text.
        labels: names of the columns.
        cells: of one row, as many.
    """
    shares = [share for share in map(share_of, cells) if share is not None]
    if len(shares) < len(cells):
        return None
    if all(_is_flag(cell) for cell in cells):
        said = tuple(label for label, share in zip(labels, shares, strict=True) if share)
        # "None of these" is an answer too, and no missing one.
        none = () if said else tuple((label, 0.0) for label in labels)
        return LabelledText(text, said, none)
    best = labels[shares.index(max(shares))]
    return LabelledText(text, (best,), tuple(zip(labels, shares, strict=True)))


def share_of(cell: str) -> float | None:
    """Return the number from 0 to 1 in a cell; None where there is none."""
    folded = _folded(cell)
    if folded in _YES or folded in _NO:
        return float(folded in _YES)
    try:
        share = float(folded)
    except ValueError:
        return None
    return share if math.isfinite(share) and 0 <= share <= 1 else None


def _is_flag(cell: str) -> bool:
    return _folded(cell) in _YES or _folded(cell) in _NO


def _folded(cell: str) -> str:
    return cell.strip().casefold()


def _sum(row: Sequence[str], columns: Sequence[int]) -> float:
    return math.fsum(share_of(row[i]) or 0.0 for i in columns if i < len(row))
