from __future__ import annotations

import errno
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DamagedFileError, ResourceError


def test_atomic_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "state.bin"
    atomic.write_bytes(path, b"old")
    with pytest.raises(RuntimeError), atomic.opened(path) as handle:
        handle.write(b"half of the new")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "foundation.disk-full"), (errno.EROFS, "foundation.not-writable")],
)
def test_atomic_system_errors_become_one_sentence(tmp_path, number, code):
    path = tmp_path / "state.bin"
    atomic.write_bytes(path, b"old")
    with pytest.raises(ResourceError) as caught, atomic.replaced(path):
        raise OSError(number, os.strerror(number))
    assert caught.value.code == code
    assert path.read_bytes() == b"old"


def test_atomic_full_disk_is_reported():
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    with pytest.raises(OSError) as caught, open("/dev/full", "wb", buffering=0) as handle:
        handle.write(b"x")
    error = atomic.resource_error(caught.value, atomic.Path("model.bin"))
    assert error.code == "foundation.disk-full"


def test_atomic_files_are_readable_by_others(tmp_path):
    path = tmp_path / "deep" / "state.bin"
    atomic.write_bytes(path, b"x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers()))
def test_atomic_json_round_trip(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "value.json"
    atomic.write_json(path, value)
    assert atomic.read_json(path) == value


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"\xff\xfe", b'{"a": 1'])
def test_atomic_damaged_json_is_refused(tmp_path, data):
    path = tmp_path / "value.json"
    path.write_bytes(data)
    with pytest.raises(DamagedFileError) as caught:
        atomic.read_json(path)
    assert "value.json" in str(caught.value)


def test_atomic_leftovers_are_removed(tmp_path):
    kept = tmp_path / "state.bin"
    atomic.write_bytes(kept, b"x")
    atomic.temporary_path(kept).write_bytes(b"half")
    atomic.temporary_path(tmp_path / "folder").mkdir()
    atomic.remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == [kept]


def test_atomic_sha256_of_a_known_text(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert atomic.sha256(path).startswith("ba7816bf8f01cfea")


def test_lists_of_numbers_stand_on_one_line_and_strings_are_left_alone(tmp_path):
    value = {
        "a": [[1, -2.5], [3e-07, 4]],
        "words": ["[\n 1\n]", "2"],
        "mixed": [1, "x", None],
        "empty": [],
        "big": [10**20, 1e300],
    }
    path = tmp_path / "value.json"
    atomic.write_json(path, value)
    assert atomic.read_json(path) == value
    assert "[1, -2.5]" in path.read_text("utf-8").replace("[ ", "[").replace(" ]", "]")
