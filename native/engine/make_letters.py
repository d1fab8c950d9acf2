"""Write letters.h: the ranges of code points that are letters or numbers, as Unicode has them.

python make_letters.py letters.h
"""

import sys
import unicodedata
from pathlib import Path


def ranges(category: str) -> list[tuple[int, int]]:
    """Return (first, last) of every run of code points whose category begins so."""
    found: list[tuple[int, int]] = []
    for code in range(0x80, 0x110000):
        if unicodedata.category(chr(code)).startswith(category):
            if found and found[-1][1] == code - 1:
                found[-1] = (found[-1][0], code)
            else:
                found.append((code, code))
    return found


def table(name: str, category: str) -> str:
    """Return a C++ array of ranges."""
    rows = ",".join(f"{{{first},{last}}}" for first, last in ranges(category))
    return f"constexpr std::uint32_t {name}[][2] = {{{rows}}};\n"


def main() -> None:
    """Write the header that the command line names."""
    text = "#pragma once\n#include <cstdint>\nnamespace engine {\n"
    text += table("kLetters", "L") + table("kNumbers", "N") + table("kDigits", "Nd") + "}\n"
    Path(sys.argv[1]).write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
