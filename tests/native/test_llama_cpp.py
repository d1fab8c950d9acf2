"""llama.cpp opens our files: the same ids for a text, and the same likeliest continuation.

Needs llama-cpp-python (with a compiler: pip install llama-cpp-python); skipped without it.
"""

from __future__ import annotations

import numpy as np
import pytest
from gguf_models import bytes_alone, gguf_model
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_data import shared_data
from small_models import CHINESE, ENGLISH, small_codec

from sparrowlm.foundation.native_part import native_part
from sparrowlm.runtime.gguf_reading import GgufFile

llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
pytestmark = pytest.mark.slow
# Rows of whole blocks, which llama.cpp asks for.
SIZES = {"width": 64, "feed_forward_width": 96, "context_tokens": 512}
TEXTS = [
    *ENGLISH[:3], *CHINESE, "你好😀world 123", "  two  spaces\nnew line\t tab", "don't CAN'T I'LL",
    "𠮷野家，“引号”——破折号……", "ｆｕｌｌ　ｗｉｄｔｈ", "👨‍👩‍👧 e\u0301 1234.5", "a\r\n\r\n b",
]  # fmt: skip


def opened(path):
    return llama_cpp.Llama(str(path), n_ctx=0, n_threads=1, verbose=False, logits_all=True)


@pytest.fixture(scope="module", params=["bpe", "bytes alone", "character"])
def pair(request, tmp_path_factory):
    codec = bytes_alone() if request.param == "bytes alone" else small_codec(request.param)
    path = gguf_model(tmp_path_factory.mktemp("llama") / "m.gguf", codec=codec, **SIZES)
    return opened(path), codec


@pytest.mark.parametrize("text", TEXTS)
def test_texts_have_the_same_ids(pair, text):
    model, codec = pair
    assert model.tokenize(text.encode(), add_bos=False, special=False) == list(codec.encode(text))


@settings(max_examples=300, deadline=None)
@given(st.text(min_size=1, max_size=40).filter(lambda text: "\x00" not in text))
def test_any_text_has_the_same_ids(pair, text):
    model, codec = pair
    assert model.tokenize(text.encode(), add_bos=False, special=False) == list(codec.encode(text))


@pytest.mark.parametrize("name", ["novels_zh/xiyou.test.txt", "gutenberg_novels_en/test.txt"])
def test_whole_novels_have_the_same_ids(pair, name):
    model, codec = pair
    text = shared_data(f"lm/{name}").read_text(encoding="utf-8")[:60_000]
    assert model.tokenize(text.encode(), add_bos=False, special=False) == list(codec.encode(text))


@pytest.mark.parametrize("form", ["float32", "bfloat16", "int8", "int5", "int4"])
def test_the_likeliest_continuation_is_the_same(tmp_path, form):
    path = gguf_model(tmp_path / "m.gguf", form, codec=small_codec("bpe"), **SIZES)
    model, decoder = opened(path), native_part().Decoder(GgufFile(path).content)
    random = np.random.default_rng(0)
    for _prompt in range(5):
        prompt = random.integers(1, decoder.vocab_size, 12).astype(np.int32)
        session = decoder.start()
        decoder.read(session, prompt[:-1], True)
        own = decoder.continue_greedily(session, int(prompt[-1]), 40)
        whole = np.concatenate([prompt, own])
        model.reset()
        model.eval(whole[:-1].tolist())
        scores = np.array(model.scores[: len(whole) - 1])[len(prompt) - 1 :]
        # Both round activations to 8 bits, each in its own order: where two ids are as good as
        # equal, either may be first. A wrong rotation or scale is a hundred times farther off.
        behind = scores.max(axis=1) - scores[np.arange(len(own)), own]
        assert (behind <= 0.2 * scores.std()).all()
        assert (behind == 0).mean() > 0.8
