"""A tokenizer for understanding: lower case, a first word like all others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.text.tokenizers import load_tokenizer, train_tokenizer
from sparrowlm.text.tokenizers.uncased import uncased

TEXT = (
    "Water is wet. The water was cold, and WATER again: don't drink water! "
    "Ψωμί και ΝΕΡΟ. Хлеб и ВОДА. Où est l'Été? İstanbul 我们喝水。OK 3 km "
)
EDGES = [
    "",
    " ",
    "water",
    "Water",
    " water",
    "\nWater",
    "水 Water",
    "«Été»",
    "ΣΑΣ",
    "İ",
    "<0x41>",
    "ß ẞ",
]


@pytest.fixture(scope="module", params=["word", "bpe"])
def codec(request):
    return _codecs()[("word", "bpe").index(request.param)]


def test_case_and_place_do_not_matter(codec):
    first, other, loud = codec.encode_batch(["Water", " water", " WATER"])
    assert first.tolist() == other.tolist() == loud.tolist()
    assert len(first) == 1
    assert codec.decode(first.tolist()) == " water"


def test_characters_stay_as_they_are():
    codec = train_tokenizer("character", lambda: iter([TEXT]), len(TEXT), is_uncased=True)
    assert codec.decode(codec.encode("Water")) == "Water"


@settings(deadline=None, max_examples=200)
@given(st.text())
def test_what_goes_in_comes_out_in_lower_case(text):
    codec = _codecs()[len(text) % 2]
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert codec.decode(codec.encode(whole)) == uncased(whole)


def _codecs(found=[]):  # noqa: B006 - one for all examples
    if not found:
        sample = [TEXT] * 30
        found += [
            train_tokenizer(kind, lambda: iter(sample), 30 * len(TEXT), 600, is_uncased=True)
            for kind in ("word", "bpe")
        ]
    return found


def test_it_is_saved_and_reads_alike_everywhere(codec, tmp_path):
    transformers = pytest.importorskip("transformers")
    codec.save(tmp_path)
    again = load_tokenizer(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in [*EDGES, TEXT]:
        ids = codec.encode(text)
        np.testing.assert_array_equal(again.encode(text), ids)
        assert theirs.encode(text, add_special_tokens=False) == ids, text
    assert again.kind == codec.kind
