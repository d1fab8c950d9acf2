"""Which part of the data a file is by its name: training, or kept for evaluation."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_TRAIN = frozenset(("train", "training", "训练", "训练集"))
_HELD_OUT = frozenset((
    "test", "testing", "dev", "valid", "validation", "val", "eval", "evaluation", "heldout",
    "测试", "测试集", "验证", "验证集", "开发集",
))  # fmt: skip
_GAP = re.compile(r"[\s_\-.]+")


def is_part_name(folder: str) -> bool:
    """Say whether a folder is called like a part of the data and not like a label."""
    return folder.casefold() in _TRAIN | _HELD_OUT


def part_of(name: str) -> tuple[str, bool] | None:
    """Return the part that a path says.

    Args:
        name: path below the folder given, or name of the file.

    Returns:
        Name of the part and whether it is for training; None when the path says nothing.

    >>> part_of("train/体育/1.txt"), part_of("test_unseen.tsv.xz"), part_of("reviews.csv")
    (('train', True), ('test_unseen', False), None)
    """
    path = PurePosixPath(name)
    stem = path.name.split(".", 1)[0]
    for candidate in (stem, *path.parts[:-1]):
        first = _GAP.split(candidate.casefold())[0]
        if first in _TRAIN:
            return candidate, True
        if first in _HELD_OUT:
            return candidate, False
    return None
