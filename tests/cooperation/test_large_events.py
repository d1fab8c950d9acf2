from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.cooperation.large.events import EventReader

TEXTS = st.lists(st.text(min_size=1).filter(lambda t: "\r" not in t and "\n" not in t), max_size=6)


def read(pieces):
    reader = EventReader()
    found = [data for piece in pieces if piece for data in reader.take(piece)]
    return found + list(reader.end())


@given(TEXTS, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 300)), st.booleans())
def test_events_are_the_same_however_bytes_are_cut(texts, end, cuts, is_ended):
    values = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    comments = [f": ping{end}{end}data: {value}{end}{end}" for value in values]
    whole = "".join(comments).encode("utf-8", "replace")
    if not is_ended:
        whole = whole.rstrip(b"\r\n")
    places = sorted({min(cut, len(whole)) for cut in cuts} | {0, len(whole)})
    pieces = [whole[a:b] for a, b in pairwise(places)]
    expected = [value.encode("utf-8", "replace").decode() for value in values]
    assert read(pieces) == expected
    assert read([whole[i : i + 1] for i in range(len(whole))]) == expected


def test_events_of_several_lines_are_joined_and_other_fields_passed_over():
    stream = b"event: delta\nid: 7\ndata: a\ndata:b\nretry: 10\n\n\n\ndata\n\n"
    assert read([stream]) == ["a\nb", ""]


def test_events_skip_a_byte_order_mark():
    assert read([b"\xef\xbb\xbfdata: x\n\n"]) == ["x"]
