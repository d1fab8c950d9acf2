"""Which columns a profile has, and the templates over them.

    words         Latin and other words: spelling, shape, prefixes, suffixes, neighbours
    characters    Chinese: characters, kinds, rjieba's dictionary, its words and their tags
    segmentation  Chinese words: the same without tags and words: fast

Source of the character templates: Ng, Low 2004, "Chinese part-of-speech tagging: one-at-a-time or
all-at-once?"; Sun, Wang, Li 2012, "Fast online training with frequency-adaptive learning rates for
Chinese word segmentation" (repeated characters); of the word templates: Ratnaparkhi 1996, Lample's
and CRFsuite's customary windows.
"""

from __future__ import annotations

from typing import Literal

Profile = Literal["words", "characters", "segmentation"]
Names = list[tuple[str, int]]

PROFILES: tuple[Profile, ...] = ("words", "characters", "segmentation")
_AFFIXES = (1, 2, 3, 4)


def _window(name: str, *offsets: int) -> list[Names]:
    return [[(name, offset)] for offset in offsets]


def _pairs(name: str, *starts: int) -> list[Names]:
    return [[(name, start), (name, start + 1)] for start in starts]


GAZETTEER: dict[Profile, list[Names]] = {
    profile: [
        *_window("gazetteer", -1, 0, 1),
        [("gazetteer", 0), ("gazetteer", 1)],
        [("gazetteer", -1), ("gazetteer", 0)],
    ]
    for profile in PROFILES
}
GAZETTEER["words"] += [[("gazetteer", 0), ("lower", offset)] for offset in (-1, 0, 1)]

_DICTIONARY: list[Names] = [
    [("begins", 0), ("ends", 0), ("around", 0)],
    [("begins", -1), ("begins", 0), ("begins", 1)],
    [("ends", -1), ("ends", 0), ("ends", 1)],
    [("begins", 0), ("lower", 0)],
    [("ends", 0), ("lower", 0)],
]

COLUMNS: dict[Profile, tuple[str, ...]] = {
    "words": (
        "unit",
        "lower",
        "kind",
        "shape",
        "capital",
        *(f"prefix_{n}" for n in _AFFIXES),
        *(f"suffix_{n}" for n in _AFFIXES),
    ),
    "characters": (
        "lower",
        "kind",
        "word",
        "place",
        "tag",
        "place_tag",
        "word_before",
        "word_after",
        "word_length",
        "repeats",
        "begins",
        "ends",
        "around",
    ),
    "segmentation": ("lower", "kind", "place", "begins", "ends", "around", "repeats"),
}

TEMPLATES: dict[Profile, list[Names]] = {
    "words": [
        *_window("lower", -4, -3, -2, -1, 0, 1, 2, 3, 4),
        *_pairs("lower", -2, -1, 0, 1),
        [("lower", -1), ("lower", 1)],
        [("lower", -2), ("lower", -1), ("lower", 0)],
        [("lower", 0), ("lower", 1), ("lower", 2)],
        [("lower", -1), ("lower", 0), ("lower", 1)],
        [("unit", 0)],
        *_window("shape", -1, 0, 1),
        [("shape", -1), ("shape", 0), ("shape", 1)],
        *_window("capital", -1, 0, 1),
        *([(f"prefix_{n}", 0)] for n in _AFFIXES),
        *([(f"suffix_{n}", 0)] for n in _AFFIXES),
        [("suffix_3", -1)],
        [("suffix_3", 1)],
    ],
    "characters": [
        *_window("lower", -2, -1, 0, 1, 2),
        *_pairs("lower", -2, -1, 0, 1),
        [("lower", -1), ("lower", 1)],
        [("lower", -2), ("lower", -1), ("lower", 0)],
        [("lower", -1), ("lower", 0), ("lower", 1)],
        [("lower", 0), ("lower", 1), ("lower", 2)],
        [("kind", -1), ("kind", 0), ("kind", 1)],
        [("kind", 0)],
        [("word", 0), ("place", 0)],
        *_window("word_before", 0),
        *_window("word_after", 0),
        [("word_before", 0), ("place_tag", 0)],
        [("word_after", 0), ("place_tag", 0)],
        *_window("place_tag", -2, -1, 0, 1, 2),
        *_pairs("place_tag", -1, 0),
        [("place_tag", -1), ("place_tag", 0), ("place_tag", 1)],
        [("lower", 0), ("place_tag", 0)],
        [("word_length", 0), ("place_tag", 0)],
        [("repeats", 0)],
        *_DICTIONARY,
    ],
    "segmentation": [
        *_window("lower", -2, -1, 0, 1, 2),
        *_pairs("lower", -2, -1, 0, 1),
        [("lower", -1), ("lower", 1)],
        [("lower", -1), ("lower", 0), ("lower", 1)],
        [("kind", -1), ("kind", 0), ("kind", 1)],
        [("repeats", 0)],
        [("repeats", 1)],
        *_window("place", -1, 0, 1),
        [("place", -1), ("place", 0), ("place", 1)],
        [("place", 0), ("lower", 0)],
        *_DICTIONARY,
        [("begins", 0), ("ends", 0), ("place", 0)],
        [("begins", 0), ("begins", 1), ("place", 0)],
        [("ends", -1), ("ends", 0), ("place", 0)],
    ],
}

# What the network is told of a unit beside its id; it puts neighbours together by itself.
NETWORK_COLUMNS: dict[Profile, tuple[str, ...]] = {
    "words": (
        "lower",
        "shape",
        "capital",
        *(f"prefix_{n}" for n in _AFFIXES),
        *(f"suffix_{n}" for n in _AFFIXES),
    ),
    "characters": (
        "kind",
        "word",
        "place_tag",
        "word_before",
        "word_after",
        "word_length",
        "begins",
        "ends",
        "around",
        "repeats",
        "word_begins",
        "word_ends",
        "word_inside",
        "tag_begins",
        "tag_ends",
        "tag_inside",
        "name_places",
    ),
    "segmentation": ("kind", "place", "begins", "ends", "around", "repeats"),
}
