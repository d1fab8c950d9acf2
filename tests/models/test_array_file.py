"""Files of named arrays: what is written comes back, damage and full disks never go unnoticed."""

from __future__ import annotations

import errno

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.foundation.errors import DamagedFileError, ResourceError
from sparrowlm.models.array_file import file_bytes, read_arrays, write_arrays

DTYPES = st.sampled_from(["u1", "u2", "u4", "i8", "f4", "f8"])
SHAPES = st.lists(st.integers(0, 5), min_size=1, max_size=3)


@given(kinds=st.lists(st.tuples(DTYPES, SHAPES), max_size=5), text=st.text())
def test_arrays_and_metadata_come_back(kinds, text, tmp_path_factory):
    path = tmp_path_factory.mktemp("arrays") / "a.bin"
    generator = np.random.default_rng(0)
    arrays = {
        f"{i}.名": generator.integers(0, 99, shape).astype(dtype)
        for i, (dtype, shape) in enumerate(kinds)
    }
    # A lone surrogate is not text that JSON in UTF-8 can hold.
    metadata = {"text": text.encode("utf-8", "ignore").decode()}
    write_arrays(path, "kind", metadata, arrays)
    assert path.stat().st_size == file_bytes("kind", metadata, arrays)
    found = read_arrays(path, "kind")
    assert found.metadata == metadata
    assert found.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)


def test_mapped_arrays_cannot_be_changed_by_accident(tmp_path):
    write_arrays(tmp_path / "a.bin", "kind", {}, {"a": np.arange(3)})
    with pytest.raises(ValueError, match="read-only"):
        read_arrays(tmp_path / "a.bin", "kind").arrays["a"][0] = 1


def test_files_of_another_kind_are_refused(tmp_path):
    write_arrays(tmp_path / "a.bin", "one", {}, {})
    with pytest.raises(DamagedFileError):
        read_arrays(tmp_path / "a.bin", "other")


def test_every_cut_and_every_flipped_bit_is_refused(tmp_path):
    path = tmp_path / "a.bin"
    write_arrays(path, "kind", {"x": 1}, {"a": np.arange(3, dtype=np.uint8), "b": np.ones(2)})
    whole = path.read_bytes()
    damaged = [whole[:length] for length in range(len(whole))] + [whole + b"\0"]
    for position in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[position // 8] ^= 1 << position % 8
        damaged.append(bytes(flipped))
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(DamagedFileError):
            read_arrays(path, "kind")


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    write_arrays(path, "kind", {"version": 1}, {})

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ResourceError):
        write_arrays(path, "kind", {"version": 2}, {})
    assert read_arrays(path, "kind").metadata == {"version": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
