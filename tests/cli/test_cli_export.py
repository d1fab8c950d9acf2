"""sparrow export and self-test: one file, compared before it is announced."""

from __future__ import annotations

import json

import numpy as np
import pytest
from gguf_models import gguf_model
from small_models import small_model

import sparrowlm as sp
from sparrowlm.api.exporting import export_model, self_tested
from sparrowlm.cli.guard import run_guarded as main
from sparrowlm.export.gguf_blocks import FORMS
from sparrowlm.foundation.errors import ModelError, SettingError
from sparrowlm.foundation.native_part import native_part

has_native = pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")


@pytest.mark.parametrize("kind", ["transformer", "mixture", "lstm", "ngram"])
def test_a_model_is_exported_and_answers(tmp_path, capsys, kind):
    model, output = small_model(tmp_path / "m", kind), tmp_path / "m.gguf"
    assert main(["export", str(model), "-o", str(output), "--form", "float32", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["bytes"] == output.stat().st_size
    assert facts["architecture"] == ("qwen3" if kind == "transformer" else "sparrow")
    if kind in ("transformer", "mixture"):
        assert facts["same_likeliest"] == 1.0
        assert facts["nats_per_token_after"] == pytest.approx(facts["nats_per_token_before"])
    wishes = ["--prompt", "The cat", "--seed", "1", "--max-tokens", "20"]
    assert main(["generate", str(model), *wishes]) == 0
    expected = capsys.readouterr().out
    assert main(["generate", str(output), *wishes]) == 0
    assert capsys.readouterr().out == expected
    assert sp.load(output).next("The", k=2)


@has_native
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_written_and_opened(tmp_path, form):
    model = small_model(tmp_path / "m", "transformer")
    facts = export_model(model, tmp_path / "m.gguf", form)
    assert facts["same_likeliest"] > 0.2
    assert facts["architecture"] == "sparrow" or form not in ("int6", "int3")


@has_native
def test_the_self_test_passes_and_fails(tmp_path, capsys):
    path = gguf_model(tmp_path / "m.gguf", width=64, feed_forward_width=96)
    assert main(["self-test", str(path)]) == 0
    assert "portable: passed" in capsys.readouterr().out
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    assert main(["self-test", str(path), "--json"]) == 1
    seen = capsys.readouterr()
    assert set(json.loads(seen.out).values()) == {"failed"}
    assert "portable" in seen.err


@has_native
def test_nothing_to_compare_with_is_said(tmp_path):
    export_model(small_model(tmp_path / "m", "vectors"), tmp_path / "m.gguf")
    with pytest.raises(ModelError, match=r"nothing|没有"):
        self_tested(tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("words", "known"), [(["--form", "int7"], "int8"), (["--form", ""], "int8")]
)
def test_unknown_forms_are_refused(tmp_path, capsys, words, known):
    model = small_model(tmp_path / "m", "ngram")
    assert main(["export", str(model), "-o", str(tmp_path / "m.gguf"), *words]) == 2
    assert known in capsys.readouterr().err


def test_another_ending_is_refused(tmp_path):
    model = small_model(tmp_path / "m", "ngram")
    with pytest.raises(SettingError, match=r"\.gguf"):
        export_model(model, tmp_path / "m.bin")
    with pytest.raises(SettingError, match=r"\.gguf"):
        self_tested(model)


@pytest.mark.parametrize("kind", ["transformer", "mixture", "lstm", "ngram"])
def test_a_file_becomes_a_directory_again(tmp_path, kind):
    model, file = small_model(tmp_path / "m", kind), tmp_path / "m.gguf"
    export_model(model, file, "float32")
    facts = export_model(file, tmp_path / "again")
    assert facts["bytes"] > 0
    wishes = {"max_tokens": 20, "seed": 1}
    before, after = (
        sp.load(path).generate("The cat", **wishes) for path in (model, tmp_path / "again")
    )
    assert before == after
    for name in ("config.json", "tokenizer.json", "ngram.bin"):
        if (model / name).exists() and kind != "transformer":
            assert (tmp_path / "again" / name).exists()
    with pytest.raises(SettingError, match="itself"):
        export_model(tmp_path / "again", tmp_path / "again")


@has_native
def test_transformers_loads_what_was_compressed_to_codes(tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = gguf_model(tmp_path / "m.gguf", "int4", width=64, feed_forward_width=96)
    facts = export_model(path, tmp_path / "m")
    assert facts["same_likeliest"] > 0.9
    peer = AutoModelForCausalLM.from_pretrained(tmp_path / "m").eval()
    text = "The cat sat"
    ids = AutoTokenizer.from_pretrained(tmp_path / "m")(text)["input_ids"]
    own = sp.load(tmp_path / "m")
    assert ids[-3:] == list(own._loaded.codec.encode(text))[-3:]
    with torch.no_grad():
        theirs = peer(torch.tensor([ids])).logits[0].numpy()
    mine = own.engine.step(np.array(ids), own.engine.start())
    # Ours keeps keys and values in float16.
    np.testing.assert_allclose(mine, theirs, atol=1e-2)


def test_onnx_is_written_beside(tmp_path, capsys):
    pytest.importorskip("onnx", reason="onnx is not installed")
    model = small_model(tmp_path / "m", "transformer")
    assert main(["export", str(model), "-o", str(tmp_path / "m.onnx"), "--json"]) == 0
    written = (tmp_path / "m.onnx").stat().st_size
    assert json.loads(capsys.readouterr().out) == {"bytes": written}
