from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.compression.choices import Choice, best_choices, least_bytes

WAYS = st.lists(
    st.builds(
        Choice, st.just(0), st.integers(1, 40), st.floats(0, 9).map(lambda cost: round(cost, 2))
    ),
    min_size=1,
    max_size=5,
)


@given(st.dictionaries(st.sampled_from("abc"), WAYS, min_size=1), st.integers(0, 60))
def test_choices_fit_and_none_is_worse_than_needed(ways: dict, more: int) -> None:
    room = least_bytes(ways) + more
    found = best_choices(ways, room)
    assert all(found[part] in ways[part] for part in ways)
    assert sum(choice.num_bytes for choice in found.values()) <= room
    smallest = [min(one, key=lambda way: (way.num_bytes, way.cost)) for one in ways.values()]
    total = sum(choice.cost for choice in found.values())
    assert total <= sum(choice.cost for choice in smallest) + 1e-9


@given(st.dictionaries(st.sampled_from("abc"), WAYS, min_size=1), st.integers(0, 60))
def test_what_is_chosen_is_best_for_the_bytes_it_takes(ways: dict, more: int) -> None:
    found = best_choices(ways, least_bytes(ways) + more)
    taken = sum(choice.num_bytes for choice in found.values())
    best = min(
        sum(choice.cost for choice in one)
        for one in product(*ways.values())
        if sum(choice.num_bytes for choice in one) <= taken
    )
    largest = max(choice.cost for one in ways.values() for choice in one)
    assert sum(choice.cost for choice in found.values()) <= best + largest + 1e-9


def test_room_for_everything_loses_nothing() -> None:
    ways = {name: [Choice(bits, bits * 10, 8.0 - bits) for bits in (3, 4, 8)] for name in "abcd"}
    assert {choice.way for choice in best_choices(ways, 320).values()} == {8}
    assert {choice.way for choice in best_choices(ways, 120).values()} == {3}


@pytest.mark.parametrize("room", [120, 200, 319])
def test_more_room_never_loses_more(room: int) -> None:
    ways = {
        name: [Choice(bits, bits * 10, factor * 2.0**-bits) for bits in (3, 4, 5, 6, 8)]
        for name, factor in zip("abcd", (1, 3, 9, 27), strict=True)
    }
    costs = [sum(c.cost for c in best_choices(ways, room + add).values()) for add in (0, 10, 40)]
    assert costs[0] >= costs[1] >= costs[2]
