"""A stream shows whole characters only, whatever the pieces it arrives in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.text.streaming import StreamingDecoder


@given(st.text(), st.lists(st.integers(0, 5)))
def test_streaming_never_splits_a_character(text, sizes):
    data = text.encode("utf-8", "replace")
    decoder = StreamingDecoder()
    shown, position = [], 0
    for size in [*sizes, len(data)]:
        shown.append(decoder.feed(data[position : position + size]))
        position += size
        assert data.decode("utf-8").startswith("".join(shown))
    assert "".join(shown) + decoder.finish() == data.decode("utf-8")


@given(st.lists(st.binary(max_size=6)))
def test_streaming_any_bytes_give_what_decoding_at_once_gives(pieces):
    decoder = StreamingDecoder()
    shown = "".join(decoder.feed(piece) for piece in pieces) + decoder.finish()
    assert shown == b"".join(pieces).decode("utf-8", "replace")


def test_streaming_an_unfinished_character_is_shown_as_broken_and_then_forgotten():
    decoder = StreamingDecoder()
    assert decoder.feed("你".encode()[:2]) == ""
    assert decoder.finish() == "\ufffd"
    assert decoder.feed(b"a") == "a"
