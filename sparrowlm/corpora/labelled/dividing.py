"""Examples to train on and examples to evaluate on, so that nothing leaks and no label is lost.

groups      equal texts (but for white space) stay together; of pairs everything that shares
            a text, however far the chain goes
strata      groups are drawn label by label, so that both sides have the labels in the same
            shares; what rounding takes from one label is given back at the next
last one    the last group of a label always stays in the training part
order       both sides keep the order of the data; the draw depends on the texts and the seed
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

from sparrowlm.corpora.labelled.contents import key_of, labels_of, texts_of
from sparrowlm.corpora.labelled.examples import Example, TextPair
from sparrowlm.corpora.splitting import derived_share
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.randomness import derive_seed

_UNLABELLED = ""


def divide(
    examples: Sequence[Example], share: float | int | None = None, seed: int = 0
) -> tuple[list[Example], list[Example]]:
    """Divide examples into a training and a held-out part.

    Args:
        examples: of any kind.
        share: share of the examples to hold out, 0 to below 1; None derives it from their size.
        seed: same seed and same examples, same parts.

    Returns:
        (train, held_out). Every label of two or more examples is in train; held_out is smaller
        than asked for where equal texts and labels leave no choice.

    Raises:
        SettingError: the share or the seed is out of range.
    """
    if share is None:
        share = derived_share(sum(len(t) for example in examples for t in texts_of(example)))
    if not 0 <= share < 1:
        raise SettingError("corpora.setting", name="share", received=share, allowed="0 … < 1")
    groups = _groups(examples)
    chosen = _chosen(examples, groups, float(share), derive_seed(seed, "divide"))
    held_out = {index for group in chosen for index in groups[group]}
    train = [one for index, one in enumerate(examples) if index not in held_out]
    return train, [one for index, one in enumerate(examples) if index in held_out]


def _groups(examples: Sequence[Example]) -> list[list[int]]:
    """Return the indices of examples that must stay together, in order of their first one."""
    roots: dict[str, str] = {}

    def root(text: str) -> str:
        while (above := roots.setdefault(text, text)) != text:
            roots[text] = roots[above]  # shorten the way for the next search
            text = above
        return text

    keys = [key_of(example) for example in examples]
    for key in keys:
        for other in key[1:]:
            roots[root(other)] = root(key[0])
    groups: dict[str, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        groups[root(key[0])].append(index)
    return list(groups.values())


def _chosen(
    examples: Sequence[Example], groups: list[list[int]], share: float, seed: int
) -> list[int]:
    """Return the groups to hold out."""
    totals = Counter(label for example in examples for label in set(labels_of(example)))
    labels = [Counter(x for i in group for x in set(labels_of(examples[i]))) for group in groups]
    strata: dict[str, list[int]] = defaultdict(list)
    for number, counts in enumerate(labels):
        # The rarest label decides: it is the one that could be lost.
        strata[min(counts, key=lambda x: (totals[x], x), default=_UNLABELLED)].append(number)
    remaining = totals.copy()
    chosen: list[int] = []
    # Where anything is asked for, one example at least.
    wanted = max(1 - share * len(examples), 0.0) if share else 0.0
    taken = 0
    for name in sorted(strata, key=lambda x: (len(strata[x]), x)):
        members = strata[name]
        wanted += share * sum(len(groups[number]) for number in members)
        for number in sorted(members, key=lambda n: _key(examples[groups[n][0]], seed)):
            size = len(groups[number])
            # To the nearest: a group that overshoots by less than half of itself still goes.
            if taken + size / 2 <= wanted and _can_go(
                labels[number], remaining, is_last=number == members[-1]
            ):
                chosen.append(number)
                remaining -= labels[number]
                taken += size
    return chosen


def _can_go(counts: Counter[str], remaining: Counter[str], is_last: bool) -> bool:
    """Say whether every label of a group stays in the training part without it."""
    if not counts:  # without labels at least one group is left to train on
        return not is_last
    return all(remaining[label] > count for label, count in counts.items())


def _key(example: Example, seed: int) -> bytes:
    texts = "\0".join(texts_of(example))
    if isinstance(example, TextPair):
        texts = "\0".join(sorted(texts_of(example)))
    text = f"{seed}\0{texts}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8).digest()
