"""Write letters.h: what Unicode says of code points, as ranges, as this Python's tables have it.

python make_letters.py letters.h
"""

import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

_FIRST, _END = 0x80, 0x110000


def ranges(holds: Callable[[str], bool]) -> list[tuple[int, int]]:
    """Return (first, last) of every run of code points of which something holds."""
    found: list[tuple[int, int]] = []
    for code in range(_FIRST, _END):
        if holds(chr(code)):
            if found and found[-1][1] == code - 1:
                found[-1] = (found[-1][0], code)
            else:
                found.append((code, code))
    return found


def lower_runs() -> list[tuple[int, int, int, int]]:
    """Return (first, last, step, difference) of runs whose small letters are so far away.

    Capitals whose small form is more than one code point are in none.
    """
    found: list[tuple[int, int, int, int]] = []
    for code in range(_FIRST, _END):
        lower = chr(code).lower()
        if len(lower) != 1 or ord(lower) == code:
            continue
        difference = ord(lower) - code
        if found and found[-1][3] == difference:
            first, last, step, _ = found[-1]
            if code - last == step or (first == last and code - last in (1, 2)):
                found[-1] = (first, code, code - last, difference)
                continue
        found.append((code, code, 1, difference))
    return found


def is_cased(letter: str) -> bool:
    """Say whether a sigma behind a letter ends a word."""
    return f"{letter}Σ".lower()[-1] == "ς"


def is_ignorable(letter: str) -> bool:
    """Say whether a sign is passed over where a sigma looks for its neighbours."""
    return not is_cased(letter) and f"A{letter}Σ".lower()[-1] == "ς"


def category(start: str) -> Callable[[str], bool]:
    """Return what says whether a code point's category begins so."""
    return lambda letter: unicodedata.category(letter).startswith(start)


TABLES: dict[str, Callable[[str], bool]] = {
    "kLetters": category("L"),
    "kNumbers": category("N"),
    "kDecimals": category("Nd"),
    "kCapitals": lambda letter: unicodedata.category(letter) in ("Lu", "Lt"),
    "kMarks": category("M"),
    "kPunctuation": category("P"),
    "kCased": is_cased,
    "kIgnorable": is_ignorable,
}


def table(name: str, rows: list[tuple[int, ...]], kind: str, width: int) -> str:
    """Return a C++ array."""
    text = ",".join("{" + ",".join(map(str, row)) + "}" for row in rows)
    return f"[[maybe_unused]] constexpr {kind} {name}[][{width}] = {{{text}}};\n"


def main() -> None:
    """Write the header that the command line names."""
    text = "#pragma once\n#include <cstdint>\nnamespace engine {\n"
    for name, holds in TABLES.items():
        text += table(name, [*ranges(holds)], "std::uint32_t", 2)
    text += table("kSmall", [*lower_runs()], "std::int32_t", 4) + "}\n"
    Path(sys.argv[1]).write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
