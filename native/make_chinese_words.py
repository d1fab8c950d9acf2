"""Write chinese_words.bin: jieba's dictionary and what it knows of unknown words, in 1.7 MB.

    python native/make_chinese_words.py dict.txt hmm.model sparrowlm/text/chinese_words.bin

The two files are those of jieba-rs, which rjieba is made of (dict.txt of jieba; MIT licence,
copyright Sun Junyi and contributors). What native/engine/chinese_words.cpp cuts with the file is
what rjieba cuts: tests/native/test_chinese_words.py compares them.

    chars [C]        all characters, rising; a symbol is a place among them
    symbols [N]      of the nodes of a tree of words, level by level, children rising
    lasts, parents, words   a bit a node: the last child, has children, ends a word
    ranks, rare      of every word: which of the logarithms its frequency has; 255: see rare
    logs, log_total  natural logarithms of frequencies, and of their sum
    signs [S], emissions [S, 4], begins [4], moves [4, 4]   a hidden Markov model of characters:
                     begin, end, middle, single; emissions in millionths, the least where unknown
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sparrowlm.models.array_file import write_arrays

KIND = "chinese-words"
_ESCAPE = 255
_UNKNOWN = -(2**31)
# What the model of characters is asked about.
_FIRST_SIGN, _LAST_SIGN = 0x4E00, 0x9FD5


class Tree(NamedTuple):
    """A tree of words.

    Attributes:
        order: the words by their numbers.
        arrays: chars, symbols, lasts, parents and words.
    """

    order: list[str]
    arrays: dict[str, np.ndarray]


def tree(words: Collection[str]) -> Tree:
    """Return the tree of some words, level by level."""
    chars = sorted({character for word in words for character in word})
    symbol = {character: number for number, character in enumerate(chars)}
    children: dict[str, list[str]] = {}
    for prefix in {word[:end] for word in words for end in range(1, len(word) + 1)}:
        children.setdefault(prefix[:-1], []).append(prefix)
    level = [""]
    order: list[str] = []
    lasts: list[bool] = []
    while level:
        below = []
        for node in level:
            own = sorted(children.get(node, ()))
            below += own
            lasts += [place == len(own) - 1 for place in range(len(own))]
        order += below
        level = below
    arrays = {
        "chars": np.array([ord(one) for one in chars], dtype=np.uint16),
        "symbols": np.array([symbol[node[-1]] for node in order], dtype=np.uint16),
        "lasts": np.packbits(lasts, bitorder="little"),
        "parents": np.packbits([node in children for node in order], bitorder="little"),
        "words": np.packbits([node in words for node in order], bitorder="little"),
    }
    return Tree([node for node in order if node in words], arrays)


def frequencies(given: list[int]) -> dict[str, np.ndarray]:
    """Return ranks, rare, logs and log_total; log is that of the machine's C library."""
    common = [value for value, _ in Counter(given).most_common()]
    rank = {value: number for number, value in enumerate(common)}
    ranks = [rank[value] for value in given]
    return {
        "ranks": np.array([min(one, _ESCAPE) for one in ranks], dtype=np.uint8),
        "rare": np.array([one for one in ranks if one >= _ESCAPE], dtype=np.uint16),
        "logs": np.array([math.log(value) for value in common]),
        "log_total": np.array([math.log(sum(given))]),
    }


def hidden_markov(path: Path) -> dict[str, np.ndarray]:
    """Return signs, emissions, begins and moves."""
    lines = path.read_text(encoding="utf-8").splitlines()
    own = [line for line in lines if line and not line.startswith("#")]
    states = []
    for line in own[5:9]:
        pairs = (pair.split(":") for pair in line.split(","))
        states.append({ord(sign): round(float(value) * 1e6) for sign, value in pairs})
    signs = sorted(sign for sign in set().union(*states) if _FIRST_SIGN <= sign <= _LAST_SIGN)
    emissions = [[state.get(sign, _UNKNOWN) for state in states] for sign in signs]
    return {
        "signs": np.array(signs, dtype=np.uint16),
        "emissions": np.array(emissions, dtype=np.int32),
        "begins": np.array(own[0].split(), dtype=np.float64),
        "moves": np.array([line.split() for line in own[1:5]], dtype=np.float64),
    }


def main() -> None:
    """Read and write what the command line names."""
    dictionary, model, output = map(Path, sys.argv[1:4])
    lines = (line.split() for line in dictionary.read_text(encoding="utf-8").splitlines())
    words = {line[0]: int(line[1]) for line in lines}
    found = tree(words)
    arrays = found.arrays | frequencies([words[word] for word in found.order])
    arrays |= hidden_markov(model)
    write_arrays(output, KIND, {"source": "jieba"}, arrays)
    sys.stdout.write(f"{output}  {output.stat().st_size / 1e3:.0f} kB\n")


if __name__ == "__main__":
    main()
