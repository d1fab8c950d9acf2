"""Some examples for choosing, the rest for learning."""

from __future__ import annotations

from collections.abc import Sequence

from sparrowlm.corpora.labelled.examples import TaggedText
from sparrowlm.foundation.randomness import random_generator

_SHARE, _MOST_HELD_OUT = 0.1, 3000
# Neighbours often come from one document, and share its names: they stay together.
_MOST_NEIGHBOURS = 32


def divided(
    data: Sequence[TaggedText], seed: int, share: float = _SHARE
) -> tuple[list[TaggedText], list[TaggedText]]:
    """Return the examples to learn from and those that choose; equal texts stay together.

    Args:
        data: all examples; a single one does both.
        seed: draws the groups of neighbours.
        share: of the examples that choose, a tenth unless said.
    """
    wanted = min(round(share * len(data)), _MOST_HELD_OUT)
    if wanted == 0:
        return list(data), list(data[-1:])
    size = max(1, min(_MOST_NEIGHBOURS, wanted // 20))
    num_groups = -(-len(data) // size)
    order = random_generator(seed, "held-out examples").permutation(num_groups)
    chosen: set[int] = set()
    for group in order.tolist():
        if len(chosen) >= wanted:
            break
        chosen |= set(range(group * size, min((group + 1) * size, len(data))))
    texts = {data[index].text for index in chosen}
    train = [one for one in data if one.text not in texts]
    held_out = [one for one in data if one.text in texts]
    return (train, held_out) if train else (list(data), held_out)
