"""Spend a number of bytes where they save most: one choice for every part of a model.

Source: Everett 1963, "Generalized Lagrange multiplier method": along the lower hulls of the parts,
what saves most per byte comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Way = int | tuple[int, int]


class Choice(NamedTuple):
    """One way to store a part.

    Attributes:
        way: number of bits of a code, or a percentage, or a percentage and a number of bits.
        num_bytes: what it takes.
        cost: what it is expected to lose, >= 0.
    """

    way: Way
    num_bytes: int
    cost: float


def least_bytes(choices: Mapping[str, Sequence[Choice]]) -> int:
    """Return what all parts take at the least."""
    return sum(min(choice.num_bytes for choice in ways) for ways in choices.values())


def best_choices(choices: Mapping[str, Sequence[Choice]], most_bytes: int) -> dict[str, Choice]:
    """Choose for every part so that little is lost.

    Args:
        choices: at least one for every part.
        most_bytes: of all parts together, at least least_bytes.

    >>> small, large = Choice(3, 3, 1.0), Choice(8, 8, 0.0)
    >>> ways = {"a": [small, large], "b": [small._replace(cost=9.0), large]}
    >>> {part: choice.way for part, choice in best_choices(ways, 12).items()}
    {'a': 3, 'b': 8}
    """
    hulls = {part: _lower_hull(ways) for part, ways in choices.items()}
    places = dict.fromkeys(hulls, 0)
    left = most_bytes - sum(hull[0].num_bytes for hull in hulls.values())
    steps = sorted(
        (_saved_per_byte(hull, place), part, place)
        for part, hull in hulls.items()
        for place in range(len(hull) - 1)
    )
    for _saved, part, place in reversed(steps):
        hull = hulls[part]
        added = hull[place + 1].num_bytes - hull[place].num_bytes
        # A step that did not fit bars those behind it.
        if places[part] == place and added <= left:
            places[part], left = place + 1, left - added
    return {part: hull[places[part]] for part, hull in hulls.items()}


def _saved_per_byte(hull: Sequence[Choice], place: int) -> float:
    here, after = hull[place], hull[place + 1]
    return (here.cost - after.cost) / (after.num_bytes - here.num_bytes)


def _lower_hull(ways: Sequence[Choice]) -> list[Choice]:
    """Return the choices that are best for some price of a byte, smallest first."""
    hull: list[Choice] = []
    for choice in sorted(ways, key=lambda way: (way.num_bytes, way.cost)):
        if hull and (choice.cost >= hull[-1].cost or choice.num_bytes == hull[-1].num_bytes):
            continue
        hull.append(choice)
        while len(hull) > 2 and _saved_per_byte(hull, -3) <= _saved_per_byte(hull, -2):
            del hull[-2]
    return hull
