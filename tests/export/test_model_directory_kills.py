"""A model directory is whole at every moment: killed writers, full disks, read-only directories."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small_models import KINDS, small_model, small_parts

from sparrowlm.export import model_directory
from sparrowlm.export.model_directory import write_model
from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import ResourceError
from sparrowlm.runtime.directory import INCOMING, has_model
from sparrowlm.runtime.loading import open_model


class KilledError(BaseException):
    """Stands for kill -9: nothing after it runs, not even clean-up."""


def seed_of(directory: Path) -> int:
    return open_model(directory).manifest["seed"]


def write_until(directory: Path, parts, monkeypatch, moment: int) -> bool:
    """Write, dying at the given change of the file system; False when it got through."""
    count = 0

    def dying(change):
        def changed(*arguments, **keywords):
            nonlocal count
            count += 1
            if count > moment:  # from here on the process does not exist
                raise KilledError
            return change(*arguments, **keywords)

        return changed

    with monkeypatch.context() as patch:
        for name in ("replace", "rename", "unlink", "chmod"):
            patch.setattr(Path, name, dying(getattr(Path, name)))
        patch.setattr(model_directory.shutil, "rmtree", dying(model_directory.shutil.rmtree))
        try:
            write_model(directory, parts)
        except KilledError:
            return True
    return False


@pytest.mark.parametrize(
    ("first", "second"), [("mixture", "transformer"), ("ngram", "vectors"), ("lstm", "ngram")]
)
def test_model_directory_is_old_or_new_at_every_moment(tmp_path, monkeypatch, first, second):
    old, new = small_parts(first, seed=1), small_parts(second, seed=2)
    seen = []
    for moment in range(200):
        directory = tmp_path / str(moment)
        write_model(directory, old)
        was_killed = write_until(directory, new, monkeypatch, moment)
        seen.append(seed_of(directory))
        if moment % 5 == 0:  # whoever comes next finds everything in order
            write_model(directory, small_parts(second, seed=3))
            assert seed_of(directory) == 3
            assert not (directory / INCOMING).exists()
            assert not list(directory.glob(f".*{atomic.TEMPORARY_SUFFIX}"))
        if not was_killed:
            break
    assert seen == sorted(seen)
    assert set(seen) == {1, 2}


def test_model_directory_first_write_is_nothing_or_whole(tmp_path, monkeypatch):
    parts = small_parts("mixture", seed=2)
    seen = []
    for moment in range(200):
        directory = tmp_path / str(moment)
        was_killed = write_until(directory, parts, monkeypatch, moment)
        seen.append(has_model(directory))
        if seen[-1]:
            assert seed_of(directory) == 2
        if not was_killed:
            break
    assert seen == sorted(seen)
    assert seen[-1]


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from small_models import small_parts
from sparrowlm.export.model_directory import write_model
all_parts = [small_parts("mixture", seed=seed) for seed in (1, 2)]
sys.stdout.write("ready\\n")
sys.stdout.flush()
while True:
    for parts in all_parts:
        write_model(Path(sys.argv[1]), parts)
"""


@pytest.mark.slow
def test_model_directory_survives_real_kills(tmp_path):
    directory = small_model(tmp_path / "model", "mixture", seed=1)
    root = Path(__file__).parents[2]
    rng = np.random.default_rng(0)
    for _kill in range(8):
        writer = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(directory), str(root / "tests")],
            stdout=subprocess.PIPE, cwd=root, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(float(rng.uniform(0.0, 0.2)))
        writer.send_signal(signal.SIGKILL)
        writer.wait(timeout=60)
        writer.stdout.close()
        assert seed_of(directory) in (1, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_model_directory_replaces_any_kind_and_keeps_strangers(tmp_path, kind):
    directory = small_model(tmp_path / "model", "mixture", seed=1)
    (directory / "notes.txt").write_text("mine")
    small_model(directory, kind, seed=2)
    model = open_model(directory)
    assert (model.kind, model.manifest["seed"]) == (kind, 2)
    assert (directory / "notes.txt").read_text() == "mine"
    listed = set(model.manifest["files"])
    assert {name for name in model_directory.CHECKED_FILES if (directory / name).exists()} == listed
    for path in directory.iterdir():
        assert path.stat().st_mode & 0o777 == 0o644, path


@pytest.mark.parametrize("call", [1, 3, 5, 8])
def test_model_directory_full_disk_keeps_the_old_model(tmp_path, monkeypatch, call):
    directory = small_model(tmp_path / "model", "mixture", seed=1)
    count = 0
    fsync = os.fsync

    def full(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count >= call:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ResourceError) as refused:
            write_model(directory, small_parts("mixture", seed=2))
    assert refused.value.code == "foundation.disk-full"
    assert "\n" not in refused.value.sentence("en")
    assert seed_of(directory) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_model_directory_read_only_is_one_sentence(tmp_path):
    directory = small_model(tmp_path / "model", "ngram", seed=1)
    directory.chmod(0o555)
    try:
        with pytest.raises(ResourceError):
            write_model(directory, small_parts("ngram", seed=2))
        assert seed_of(directory) == 1
    finally:
        directory.chmod(0o755)
