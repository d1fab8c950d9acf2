"""Full-width letters and digits become ordinary, everything else stays where and what it is."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.text.width import narrowed


@given(st.text() | st.text("１Ａｚ1Az，！\u3000\ud800"))
def test_only_full_width_letters_and_digits_change(text):
    found = narrowed(text)
    assert len(found) == len(text)
    for before, after in zip(text, found, strict=True):
        folded = unicodedata.normalize("NFKC", before)
        is_wide = "\uff01" <= before <= "\uff5e" and folded.isalnum()
        assert after == (folded if is_wide else before)
