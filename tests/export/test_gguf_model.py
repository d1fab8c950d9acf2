"""Every kind of model goes into one file and answers from it as from its directory."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import KINDS, small_model

import sparrowlm as sp
from sparrowlm.api.exporting import export_model
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


@pytest.mark.parametrize("kind", ["rnn", "lstm"])
def test_a_recurrent_network_stands_in_the_file_as_tensors(tmp_path, kind):
    directory = small_model(tmp_path / "model", kind)
    sizes = []
    for form in ("float32", "bfloat16", "int8", "int4"):
        path = tmp_path / f"{form}.gguf"
        facts = export_model(directory, path, form)
        assert facts["architecture"] == "sparrow" and facts["same_likeliest"] > 0.1
        assert facts.get("self_test", "passed") == "passed"
        file = GgufModelFiles(path)
        assert "rnn.1.state.weight" in file.file.tensors
        assert not file.holds("model.safetensors") and not file.holds("tokenizer.json")
        sizes.append(facts["bytes"])
    assert sizes[0] > sizes[2] > sizes[3]


@pytest.mark.parametrize("kind", ["rnn", "lstm", "ngram"])
def test_from_the_file_back_to_a_directory(tmp_path, kind):
    directory, path = small_model(tmp_path / "model", kind, "bpe"), tmp_path / "model.gguf"
    export_model(directory, path, "float32")
    export_model(path, tmp_path / "again.gguf", "float32")
    export_model(tmp_path / "again.gguf", tmp_path / "back")
    one, other = open_model(directory), open_model(tmp_path / "back")
    assert other.kind == kind
    ids = np.array([0, *one.codec.encode("The cat sat，猫")], dtype=np.int64)
    assert other.codec.encode("The cat sat，猫") == ids[1:].tolist()
    np.testing.assert_allclose(
        other.engine.step(ids, other.engine.start()),
        one.engine.step(ids, one.engine.start()),
        atol=1e-6,
    )


def test_a_counting_model_has_its_tokenizer_among_the_settings(tmp_path):
    path = tmp_path / "model.gguf"
    export_gguf(model_files(small_model(tmp_path / "model", "ngram", "word")), path)
    file = GgufModelFiles(path)
    assert file.file.settings["sparrow.tokenizer.kind"] == "word"
    assert file.holds("ngram.bin") and not file.holds("tokenizer.json")
