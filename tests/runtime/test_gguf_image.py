"""A model directory is run by the compiled engine, and answers as NumPy does."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import recurrent_tensors, small_model, small_shape, transformer_tensors

from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.architectures import RecurrentShape
from sparrowlm.runtime.gguf_loading import transformer_engine
from sparrowlm.runtime.gguf_recurrent import recurrent_engine
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.mixture_engine import MixtureEngine
from sparrowlm.runtime.native_engine import CompiledEngine
from sparrowlm.runtime.recurrent_engine import RecurrentEngine
from sparrowlm.runtime.transformer_engine import TransformerEngine

pytestmark = pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")

# The compiled engine keeps keys and values in float16.
NEAR = 2e-2
KINDS = ["transformer", "lstm", "rnn"]
WIDE = {"width": 32, "head_width": 16, "num_heads": 2, "num_kv_heads": 1}


def both(directory, monkeypatch):
    """Return what opens a directory with the compiled part and without it."""
    compiled = open_model(directory).engine
    with monkeypatch.context() as changed:
        changed.setenv("SPARROW_NATIVE", "0")
        return compiled, open_model(directory).engine


def model_of(tmp_path, kind):
    return small_model(tmp_path / "m", kind, **(WIDE if kind == "transformer" else {}))


@pytest.mark.parametrize("kind", KINDS)
def test_both_give_the_same_scores(tmp_path, monkeypatch, kind):
    compiled, plain = both(model_of(tmp_path, kind), monkeypatch)
    assert isinstance(compiled, CompiledEngine)
    assert isinstance(plain, TransformerEngine | RecurrentEngine)
    ids = np.arange(150) * 7 % plain.vocab_size
    one, other = compiled.start(), plain.start()
    np.testing.assert_allclose(compiled.step(ids, one), plain.step(ids, other), atol=NEAR)
    np.testing.assert_allclose(compiled.step(ids[:1], one), plain.step(ids[:1], other), atol=NEAR)
    np.testing.assert_allclose(compiled.surprisals(ids), plain.surprisals(ids), atol=NEAR)


def test_a_mixture_reads_with_both(tmp_path, monkeypatch):
    compiled, plain = both(small_model(tmp_path / "m", "mixture", **WIDE), monkeypatch)
    assert isinstance(compiled, MixtureEngine)
    assert isinstance(compiled.neural, CompiledEngine)
    ids = np.arange(40) * 3 % plain.vocab_size
    np.testing.assert_allclose(compiled.surprisals(ids), plain.surprisals(ids), atol=NEAR)


def test_nothing_depends_on_the_memory_that_was_given_back(tmp_path):
    engines = [open_model(model_of(tmp_path / str(n), "lstm")).engine for n in range(2)]
    ids = np.arange(50) % engines[0].vocab_size
    first = engines[0].step(ids, engines[0].start())
    np.testing.assert_array_equal(engines[1].step(ids, engines[1].start()), first)
    saved = engines[0].save(cache := engines[0].start())
    np.testing.assert_array_equal(
        engines[1].step(ids, engines[1].restore(saved)), engines[0].step(ids, cache)
    )


def test_what_does_not_fit_is_refused_by_the_name_of_the_file(tmp_path):
    shape = small_shape(40, **WIDE)
    tensors = transformer_tensors(shape)
    name = "model.layers.0.mlp.up_proj.weight"
    for damaged in ({**tensors, name: tensors[name].T}, {**tensors, name: tensors[name] * np.nan}):
        with pytest.raises(DamagedFileError, match=r"weights\.bin.*up_proj"):
            transformer_engine(shape, damaged, "weights.bin")
    lstm = RecurrentShape(
        cell="lstm", vocab_size=40, embedding_width=8, state_width=16, num_layers=1
    )
    tensors = recurrent_tensors(lstm)
    del tensors["recurrent.bias_hh_l0"]
    with pytest.raises(DamagedFileError, match="bias_hh_l0"):
        recurrent_engine(lstm, tensors, "weights.bin")
