"""Write chinese_tags.bin: the parts of speech of jieba's dictionary, and how unknown words get one.

    python native/make_chinese_tags.py dict.txt posseg.txt sparrowlm/text/chinese_tags.bin

The two files are those of jieba-rs, which rjieba is made of (MIT licence, copyright Sun Junyi and
contributors). What native/engine/chinese_tags.cpp says with the file is what rjieba says:
tests/native/test_chinese_words.py compares them.

    names [T]             tag_number of sparrowlm/tasks/tag/lexicon.py, commonest first
    word_tags, rare       of every word, in the order of chinese_words.bin, two a byte: which name;
                          15: see rare
    kinds [3]             the names of what is no word, of numbers, of Latin words
    signs [S], counts [S] characters, rising, and how many states each has
    states [K], ranks [K] the states of all characters, rising, and which of the values each emits
    values [V]            logarithms
    begins [256], hidden [64]   of states: place (begin, middle, end, single) times 64 and name
    move_counts [256], moves [M], move_values [M]   from every state: to which, and their logarithms
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
from make_chinese_words import tree

from sparrowlm.models.array_file import write_arrays
from sparrowlm.tasks.tag.lexicon import tag_number

KIND = "chinese-tags"
_ESCAPE, _NUM_TAGS, _NUM_STATES = 15, 64, 256
_NEVER = -3.14e100
_NO_WORD, _NUMBER, _LATIN = "x", "m", "eng"

Arrays = dict[str, np.ndarray]
Pairs = dict[int, float]


def read_sections(path: Path) -> dict[str, list[str]]:
    """Return the lines of every section of posseg.txt."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in map(str.strip, path.read_text(encoding="utf-8").splitlines()):
        if line.startswith("@"):
            lines = sections.setdefault(line, [])
        elif line:
            lines.append(line)
    return sections


def state_of(pair: str) -> int:
    """Return the number of a state: "place,tag"."""
    place, tag = pair.split(",")[:2]
    return int(place) * _NUM_TAGS + int(tag)


def emissions(sections: dict[str, list[str]]) -> dict[str, Pairs]:
    """Return what the states of every character emit; a character without states has them all."""
    emitted: dict[str, Pairs] = {}
    for line in sections["@EMIT"]:
        first, *pairs = line.split("|")
        for pair in pairs:
            sign, value = pair.rsplit(",", 1)
            emitted.setdefault(sign[0], {})[state_of(first)] = float(value)
    for line in sections["@CHAR_STATE"]:
        sign, *states = line.split("|")
        known = emitted.get(sign[0], {})
        emitted[sign[0]] = {one: known.get(one, _NEVER) for one in map(state_of, states)}
    return emitted


def of_signs(emitted: dict[str, Pairs]) -> Arrays:
    """Return signs, counts, states, ranks and values."""
    signs = sorted(emitted)
    pairs = [pair for sign in signs for pair in sorted(emitted[sign].items())]
    values = sorted({value for _, value in pairs})
    rank = {value: number for number, value in enumerate(values)}
    return {
        "signs": np.array([ord(sign) for sign in signs], dtype=np.uint16),
        "counts": np.array([len(emitted[sign]) for sign in signs], dtype=np.uint8),
        "states": np.array([state for state, _ in pairs], dtype=np.uint8),
        "ranks": np.array([rank[value] for _, value in pairs], dtype=np.uint16),
        "values": np.array(values),
    }


def of_states(sections: dict[str, list[str]]) -> Arrays:
    """Return begins, move_counts, moves and move_values."""
    begins = np.full(_NUM_STATES, _NEVER)
    for line in sections["@START"]:
        begins[state_of(line)] = float(line.split(",")[2])
    moves: dict[int, list[tuple[int, float]]] = {}
    for line in sections["@TRANS"]:
        first, *pairs = line.split("|")
        rows = [(state_of(pair), float(pair.split(",")[2])) for pair in pairs if pair]
        moves[state_of(first)] = sorted(rows)
    every = [pair for state in range(_NUM_STATES) for pair in moves.get(state, ())]
    counts = [len(moves.get(state, ())) for state in range(_NUM_STATES)]
    return {
        "begins": begins,
        "move_counts": np.array(counts, dtype=np.uint8),
        "moves": np.array([state for state, _ in every], dtype=np.uint8),
        "move_values": np.array([value for _, value in every]),
    }


def of_words(tags: list[str], hidden: list[str]) -> Arrays:
    """Return names, word_tags, rare, kinds and hidden."""
    common = [tag for tag, _ in Counter(tags).most_common()]
    others = sorted({*hidden, _NO_WORD, _NUMBER, _LATIN} - set(common))
    rank = {tag: number for number, tag in enumerate([*common, *others])}
    ranks = np.array([rank[tag] for tag in tags], dtype=np.uint8)
    short = np.append(np.minimum(ranks, _ESCAPE), np.zeros(len(ranks) % 2, dtype=np.uint8))
    kinds = [rank[tag] for tag in (_NO_WORD, _NUMBER, _LATIN)]
    return {
        "names": np.array([tag_number(tag) for tag in rank], dtype=np.uint64),
        "word_tags": short[0::2] | short[1::2] << np.uint8(4),
        "rare": ranks[ranks >= _ESCAPE],
        "kinds": np.array(kinds, dtype=np.uint8),
        "hidden": np.array([rank[tag] for tag in hidden], dtype=np.uint8),
    }


def main() -> None:
    """Read and write what the command line names."""
    dictionary, model, output = map(Path, sys.argv[1:4])
    lines = [line.split() for line in dictionary.read_text(encoding="utf-8").splitlines()]
    words = {word: int(count) for word, count, _ in lines}
    tag_of = {word: tag for word, _, tag in lines}
    sections = read_sections(model)
    hidden = [tag.strip() for tag in sections["@TAGS"][0].split(",")]
    arrays = of_words([tag_of[word] for word in tree(words).order], hidden)
    arrays |= of_signs(emissions(sections)) | of_states(sections)
    write_arrays(output, KIND, {"source": "jieba"}, arrays)
    sys.stdout.write(f"{output}  {output.stat().st_size / 1e3:.0f} kB\n")


if __name__ == "__main__":
    main()
