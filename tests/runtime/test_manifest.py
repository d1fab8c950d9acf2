"""sparrow.json is for people too: a row of numbers is one line, all else is as it was."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.runtime.directory import manifest_bytes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text() | st.lists(st.integers(-99, 99)) | st.lists(st.floats(-1e30, 1e30)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.text(min_size=1).map("x".__add__), VALUES, max_size=5))
def test_it_says_what_was_given(fields):
    found = json.loads(manifest_bytes(fields))
    assert {name: found[name] for name in fields} == fields


def test_tables_do_not_cost_a_line_a_number():
    table = [[row * column % 7 for column in range(151)] for row in range(151)]
    data = manifest_bytes({"confusion": table, "quoted": "[\n  1,\n  2\n]", "one": [-1.5e-7]})
    assert len(data) < 3.2 * 151 * 151
    assert b'"one": [-1.5e-07]' in data
    assert json.loads(data)["quoted"] == "[\n  1,\n  2\n]"
