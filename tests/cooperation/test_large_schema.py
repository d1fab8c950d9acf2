from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.cooperation.large.schema import fits, json_in, refuse_unknown, value_in
from sparrowlm.foundation.errors import SettingError

LABEL = {
    "type": "object",
    "properties": {"label": {"enum": ["a", "b"]}, "why": {"type": "string", "maxLength": 3}},
    "required": ["label"],
    "additionalProperties": False,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def schema_of(value):
    """The narrowest schema of one value."""
    if isinstance(value, dict):
        known = {k: schema_of(v) for k, v in value.items()}
        rest = {"required": list(value), "additionalProperties": False}
        return {"type": "object", "properties": known, **rest}
    if isinstance(value, list):
        return {"type": "array", "minItems": len(value), "maxItems": len(value)}
    return {"const": value}


@given(JSON)
def test_schema_every_value_fits_its_own_schema(value):
    refuse_unknown(schema_of(value))
    assert fits(value, schema_of(value))


@given(JSON, JSON)
def test_schema_tells_scalars_apart(a, b):
    if not isinstance(a, dict | list) and not isinstance(b, dict | list):
        same = a == b and isinstance(a, bool) == isinstance(b, bool)
        assert fits(b, schema_of(a)) == same


@pytest.mark.parametrize(
    ("value", "is_right"),
    [
        ({"label": "a"}, True),
        ({"label": "b", "why": "xyz"}, True),
        ({"label": "c"}, False),
        ({"label": "a", "why": "long"}, False),
        ({"why": "x"}, False),
        ({"label": "a", "more": 1}, False),
        (["a"], False),
    ],
)
def test_schema_of_labels(value, is_right):
    assert fits(value, LABEL) is is_right


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"type": "integer", "minimum": 1, "exclusiveMaximum": 3}, [1, 2, 2.0], [0, 3, 1.5, True]),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, [None, ""], [1]),
        ({"oneOf": [{"minimum": 2}, {"maximum": 4}]}, [1, 5], [3]),
        ({"allOf": [{"minimum": 2}, {"maximum": 4}]}, [3], [1, 5]),
        ({"items": {"$ref": "#/$defs/x"}, "$defs": {"x": {"const": 1}}}, [[1], []], [[2]]),
        ({"pattern": "^a+$"}, ["aa", 5], ["b"]),
        ({"uniqueItems": True}, [[1, 2]], [[1, 1]]),
        ({"type": ["string", "null"]}, ["", None], [0]),
        ({"additionalProperties": {"type": "integer"}}, [{"a": 1}], [{"a": "1"}]),
        (False, [], [1, None]),
    ],
)
def test_schema_keywords(schema, right, wrong):
    refuse_unknown(schema)
    assert all(fits(value, schema) for value in right)
    assert not any(fits(value, schema) for value in wrong)


@pytest.mark.parametrize("schema", [{"not": {}}, {"items": {"if": {}}}, {"pattern": "("}])
def test_schema_that_cannot_be_checked_is_refused(schema):
    with pytest.raises(SettingError, match="cannot be checked"):
        refuse_unknown(schema)


@pytest.mark.parametrize(
    "prose",
    [
        '{"label": "a"}',
        '```json\n{"label": "a"}\n```',
        'Sure! Here it is: {"label": "a"}. Anything else?',
        'I thought of {"label": "zzz"} first, but: {"label": "a"}',
        '{{"label": "a"}',
    ],
)
def test_schema_json_is_found_among_prose(prose):
    assert value_in(prose, LABEL) == (True, {"label": "a"})


def test_schema_nothing_is_found_where_nothing_is():
    assert value_in("no JSON {at all} [here", LABEL) == (False, None)


@pytest.mark.parametrize("hostile", ["[" * 200_000, "{" * 200_000, '{"a":' * 50_000])
def test_schema_hostile_text_is_read_quickly(hostile):
    began = time.perf_counter()
    assert list(json_in(hostile)) == []
    assert time.perf_counter() - began < 2


@given(JSON, st.text(alphabet="abc 我。:!", max_size=20))
def test_schema_objects_survive_prose_around_them(value, prose):
    wrapped = {"value": value}
    assert wrapped in list(json_in(prose + json.dumps(wrapped) + prose))
