"""Every kind of model goes into one file and answers from it as from its directory."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import KINDS, small_model

import sparrowlm as sp
from sparrowlm.export.gguf_model import export_gguf
from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.runtime.gguf_files import GgufModelFiles, model_files
from sparrowlm.runtime.loading import open_model


@pytest.mark.parametrize("kind", KINDS)
def test_a_language_model_answers_as_from_its_directory(tmp_path, kind):
    directory = small_model(tmp_path / "model", kind)
    path = tmp_path / "model.gguf"
    export_gguf(model_files(directory), path, "float32")
    one, other = open_model(directory), open_model(path)
    assert (one.kind, one.codec.vocab_size) == (other.kind, other.codec.vocab_size)
    ids = np.array([0, *one.codec.encode("The cat sat")], dtype=np.int64)
    np.testing.assert_allclose(
        other.engine.step(ids, other.engine.start()),
        one.engine.step(ids, one.engine.start()),
        atol=2e-4,
    )
    assert sp.load(path).info()["kind"] == kind


def test_a_damaged_part_is_refused(tmp_path):
    path = tmp_path / "model.gguf"
    export_gguf(model_files(small_model(tmp_path / "model", "ngram")), path)
    tensor = GgufModelFiles(path).file.tensors["file/ngram.bin"]
    content = bytearray(path.read_bytes())
    place = content.index(tensor.data[:200].tobytes())
    content[place + 150] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="SHA-256"):
        sp.load(path)
