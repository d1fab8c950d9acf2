import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.models.sorted_keys import FEW, most_keys, packed_keys, unpacked_keys


@pytest.mark.parametrize("count", [0, 1, FEW - 1, FEW, 90_000])
def test_keys_come_back(count):
    keys = np.unique(np.random.default_rng(count).integers(0, 1 << 32, count, dtype=np.uint32))
    arrays = packed_keys(keys, "row")
    assert np.array_equal(unpacked_keys(arrays, "row"), keys)
    assert unpacked_keys(arrays, "row").dtype == np.uint32
    if len(keys) >= FEW:
        assert sum(array.nbytes for array in arrays.values()) < 66_000 + 2 * len(keys) + 65_536


@given(st.integers(0, 2_000_000), st.integers(1, 200))
def test_what_is_said_to_fit_fits(room, beside):
    count = most_keys(room, beside)
    fixed, per_key = (1 << 16, 2) if count >= FEW else (0, 4)
    assert fixed + count * (beside + per_key) <= room
