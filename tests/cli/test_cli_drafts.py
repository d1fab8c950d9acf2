"""`sparrow generate --draft`: the same text, and sentences where two models do not fit."""

from __future__ import annotations

import pytest
from gguf_models import gguf_model
from small_models import small_codec

import sparrowlm as sp
from sparrowlm.foundation.errors import ModelError
from sparrowlm.foundation.native_part import native_part

pytestmark = pytest.mark.skipif(native_part() is None, reason="drafts need the compiled engine")


def test_generate_with_a_draft_writes_the_same(sparrow, tmp_path):
    gguf_model(tmp_path / "large.gguf")
    gguf_model(tmp_path / "small.gguf", num_layers=1)
    gguf_model(tmp_path / "other.gguf", codec=small_codec("word"))
    dials = ("--prompt", "他", "--seed", "3", "--max-tokens", "60")
    plain = sparrow("generate", "large.gguf", *dials)
    assert plain.returncode == 0, plain.stderr
    for more in ((), ("--stream",), ("--num-samples", "1")):
        drafted = sparrow("generate", "large.gguf", "--draft", "small.gguf", *dials, *more)
        assert (drafted.returncode, drafted.stdout) == (0, plain.stdout), drafted.stderr
    streamed = sparrow("generate", "large.gguf", *dials, "--stream")
    assert (streamed.returncode, streamed.stdout) == (0, plain.stdout)
    wrong = sparrow("generate", "large.gguf", "--draft", "other.gguf", *dials)
    assert wrong.returncode == 1
    assert "other tokens" in wrong.stderr
    both = sparrow("generate", "large.gguf", "--draft", "small.gguf", "--log-probabilities")
    assert both.returncode == 2
    assert "--draft" in both.stderr
    missing = sparrow("generate", "large.gguf", "--draft", "none.gguf", *dials)
    assert missing.returncode == 1
    assert "Traceback" not in wrong.stderr + both.stderr + missing.stderr


def test_drafts_of_a_loaded_model(tmp_path):
    large = sp.load(gguf_model(tmp_path / "large.gguf"))
    small = gguf_model(tmp_path / "small.gguf", num_layers=1)
    for dials in ({"temperature": 0.0}, {"seed": 5}, {"seed": 5, "num_samples": 3}):
        assert large.generate("他", draft=small, **dials) == large.generate("他", **dials)
    assert "".join(large.stream("他", draft=str(small), seed=2)) == large.generate("他", seed=2)[0]
    with pytest.raises(ModelError):
        large.generate("他", draft=tmp_path / "none")
