"""Saved directories: every kind loads, every damage is refused in one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_models import KINDS, small_model

from sparrowlm.export.model_directory import CHECKED_FILES
from sparrowlm.foundation.errors import DamagedFileError, ModelError
from sparrowlm.runtime.directory import MANIFEST_FILE, ModelDirectory, manifest_bytes
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.scoring import score_text


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("saved")
    return {kind: small_model(root / kind, kind) for kind in KINDS}


def one_sentence(error: ModelError) -> str:
    for language in ("en", "zh"):
        assert error.sentence(language)
        assert "\n" not in error.sentence(language)
    return error.sentence("en")


@pytest.mark.parametrize("kind", KINDS)
def test_loading_gives_back_what_was_saved(saved, kind):
    model = open_model(saved[kind])
    assert model.kind == kind
    assert model.manifest["recipe"] == {"text": "你好"}
    assert model.engine.vocab_size == model.codec.vocab_size
    assert score_text(model.engine, model.codec, "The cat sat. 我是").bits_per_character > 0


@pytest.mark.parametrize("kind", KINDS)
def test_loading_lists_every_file_it_reads(saved, kind, tmp_path, monkeypatch):
    listed = set(ModelDirectory(saved[kind]).manifest["files"])
    for path in saved[kind].iterdir():
        if path.name not in {*listed, MANIFEST_FILE}:
            continue
        copy = tmp_path / path.name
        shutil.copytree(saved[kind], copy)
        (copy / path.name).unlink()
        with pytest.raises(ModelError) as refused:
            open_model(copy)
        one_sentence(refused.value)
        shutil.rmtree(copy)
    # And nothing else: all other files may go.
    shutil.copytree(saved[kind], tmp_path / "bare")
    for path in (tmp_path / "bare").iterdir():
        if path.name not in {*listed, MANIFEST_FILE}:
            path.unlink()
    assert open_model(tmp_path / "bare").kind == kind


def damages(size: int, rng: np.random.Generator):
    """Truncations and single flipped bits, at the ends and in between."""
    for length in {0, 1, size // 2, size - 1}:
        yield f"cut to {length}", lambda data, length=length: data[:length]
    yield "longer", lambda data: data + b"\0"
    for place in {0, 8, size // 3, size - 1, *rng.integers(0, size, 12).tolist()}:
        mask = 1 << int(rng.integers(0, 8))

        def flip(data: bytes, place: int = place, mask: int = mask) -> bytes:
            return data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]

        yield f"bit at {place}", flip


@pytest.mark.parametrize("kind", KINDS)
def test_loading_refuses_every_damage(saved, kind, tmp_path):
    rng = np.random.default_rng(7)
    directory = tmp_path / "model"
    shutil.copytree(saved[kind], directory)
    for name in (MANIFEST_FILE, *CHECKED_FILES):
        path = directory / name
        if not path.exists():
            continue
        data = path.read_bytes()
        for what, damage in damages(len(data), rng):
            path.write_bytes(damage(data))
            with pytest.raises(ModelError) as refused:
                open_model(directory)
            assert name in one_sentence(refused.value), (name, what)
        path.write_bytes(data)
    assert open_model(directory).kind == kind


def test_loading_refuses_every_bit_of_the_manifest(saved, tmp_path):
    directory = tmp_path / "model"
    shutil.copytree(saved["ngram"], directory)
    path = directory / MANIFEST_FILE
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
        with pytest.raises(ModelError):
            ModelDirectory(directory)


def test_loading_refuses_files_of_another_model(saved, tmp_path):
    other = small_model(tmp_path / "other", "transformer", seed=1)
    shutil.copy(saved["transformer"] / "model.safetensors", other)
    with pytest.raises(DamagedFileError, match=r"model\.safetensors"):
        open_model(other)


@pytest.mark.parametrize("make", ["nothing", "empty", "file"])
def test_loading_says_where_there_is_no_model(tmp_path, make):
    path = tmp_path / "no-such-model"
    if make == "empty":
        path.mkdir()
    elif make == "file":
        path.write_text("text")
    with pytest.raises(ModelError, match="no-such-model") as refused:
        open_model(path)
    assert refused.value.code == "runtime.no-model"


def test_loading_refuses_newer_formats(saved, tmp_path):
    directory = tmp_path / "model"
    shutil.copytree(saved["ngram"], directory)
    manifest = json.loads((directory / MANIFEST_FILE).read_bytes())
    del manifest["checksum"]
    (directory / MANIFEST_FILE).write_bytes(manifest_bytes({**manifest, "format": 2}))
    with pytest.raises(ModelError) as refused:
        open_model(directory)
    assert refused.value.code == "runtime.newer-format"
