"""Files are divided where people divide them; nothing but the dividers is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.corpora import dividing
from sparrowlm.corpora.dividing import divide, pieces


def documents(text, unit, size=7):
    found = []
    for piece in divide([text[i : i + size] for i in range(0, len(text), size)], unit):
        if piece.is_start:
            found.append("")
        found[-1] += piece.text
    return found


@pytest.mark.parametrize(
    ("text", "unit", "wanted"),
    [
        ("a\n\n\n\nb\n\nc", "auto", ["a", "b\n\nc"]),
        ("a\n<|endoftext|>\nb", "auto", ["a", "b"]),
        ("a\n==========\nb\n=====\nc", "auto", ["a", "b\n=====\nc"]),
        ("a\n\n\n\nb", "file", ["a\n\n\n\nb"]),
        ("a\nb\r\n\n c", "line", ["a", "b", " c"]),
        ("a\nb\n\nc\n \t\nd", "blank-line", ["a\nb", "c", "d"]),
        ("  \n \n", "auto", []),
        ("", "file", []),
    ],
)
def test_dividing_finds_the_documents(text, unit, wanted):
    assert documents(text, unit, size=max(len(text), 1)) == wanted


@given(st.text(st.sampled_from("ab \n。"), max_size=60), st.integers(1, 9))
def test_dividing_a_file_loses_nothing_however_it_arrives(text, size):
    assert "".join(documents(text, "file", size)) == (text if text.strip() else "")


@given(st.lists(st.text(st.sampled_from("ab 。"), max_size=9), max_size=9), st.integers(1, 9))
def test_dividing_lines_does_not_depend_on_the_blocks(lines, size):
    assert documents("\n".join(lines), "line", size) == [line for line in lines if line.strip()]


@given(st.text(st.sampled_from("ab \n。"), max_size=90))
def test_dividing_pieces_are_short_and_lose_nothing(text):
    before = dividing.PIECE_CHARACTERS
    dividing.PIECE_CHARACTERS = 10
    try:
        parts = list(pieces(text))
    finally:
        dividing.PIECE_CHARACTERS = before
    assert "".join(parts) == text
    assert all(0 < len(part) <= 10 for part in parts)
