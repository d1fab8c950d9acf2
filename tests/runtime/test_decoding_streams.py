"""Streams of text: whole characters, stop strings, seeds, ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import CHINESE, ENGLISH, small_codec, small_ngram, small_parts

from sparrowlm.foundation.errors import SettingError
from sparrowlm.runtime.characters import WholeCharacters, unfinished
from sparrowlm.runtime.continuation import DecodingSettings
from sparrowlm.runtime.decoding import Decoder
from sparrowlm.runtime.ngram_engine import NgramEngine
from sparrowlm.runtime.prompts import make_prompt
from sparrowlm.runtime.sampling import SamplingSettings
from sparrowlm.runtime.stopping import StopWatch
from sparrowlm.runtime.transformer_engine import TransformerEngine
from sparrowlm.text.tokenizers.byte_pair import train_byte_pairs


def settings_of(max_tokens=60, stop=(), **sampling) -> DecodingSettings:
    return DecodingSettings(
        sampling=SamplingSettings(**sampling), max_tokens=max_tokens, stop=tuple(stop)
    )


def random_decoder(tokenizer: str = "character") -> Decoder:
    """A network that knows nothing: it draws bytes and characters of every kind."""
    parts = small_parts("transformer", tokenizer)
    return Decoder(TransformerEngine(parts.shape, parts.tensors, "x"), parts.codec)


def counting_decoder() -> Decoder:
    codec = small_codec()
    return Decoder(NgramEngine(small_ngram(codec)), codec)


@given(st.text(max_size=40), st.lists(st.text(min_size=1, max_size=4), max_size=3), st.data())
def test_decoding_stop_strings_never_leak(text, stop, data):
    watch, shown, rest = StopWatch(stop), "", text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        shown += watch.feed(rest[:size])
        rest = rest[size:]
    shown += watch.finish() if not watch.has_stopped else ""
    places = [text.find(s) for s in stop if s in text]
    assert shown == (text[: min(places)] if places else text)


@given(st.text(alphabet="ab", max_size=30), st.lists(st.text("ab", min_size=1, max_size=5)))
def test_decoding_holds_back_no_more_than_it_must(text, stop):
    watch = StopWatch(stop)
    shown = ""
    for position, sign in enumerate(text):
        shown += watch.feed(sign)
        if watch.has_stopped:
            return
        held = text[len(shown) : position + 1]
        assert held == "" or any(s.startswith(held) for s in stop)


@given(st.binary(max_size=8))
def test_characters_know_what_can_become_utf8(data):
    found = unfinished(data)
    endings = [b"", b"\x80", b"\xbf", b"\x80\x80", b"\xbf\xbf", b"\x90\x80\x80", b"\x8f\xbf\xbf"]
    endings += [b"\xa0\x80", b"\x9f\xbf", b"\x80\x80\x80", b"\xbf\xbf\xbf"]

    def decodes(candidate: bytes) -> bool:
        try:
            candidate.decode("utf-8")
        except UnicodeDecodeError:
            return False
        return True

    assert (found is not None) == any(decodes(data + ending) for ending in endings)
    if found is not None:
        assert data.endswith(found)
        assert decodes(data[: len(data) - len(found)])


@pytest.mark.parametrize("tokenizer", ["character", "bpe", "word"])
def test_decoding_shows_whole_characters_only(tokenizer):
    decoder = random_decoder(tokenizer)
    total = ""
    for seed in range(12):
        for piece in decoder.stream("我", settings_of(80, seed=seed, temperature=3.0)):
            assert "\ufffd" not in piece
            piece.encode("utf-8")
            total += piece
    assert any(ord(sign) > 0x7F for sign in total)  # bytes did make characters


def test_decoding_stream_is_the_text_in_pieces():
    decoder = counting_decoder()
    choice = settings_of(50, seed=5)
    pieces = list(decoder.stream("The ", choice))
    assert len(pieces) > 5
    assert "".join(pieces) == decoder.texts("The ", choice, 1)[0]


def test_decoding_seed_decides_and_samples_differ():
    decoder = counting_decoder()
    first = decoder.texts("The ", settings_of(40, seed=1), 4)
    assert first == decoder.texts("The ", settings_of(40, seed=1), 4)
    assert first[:2] == decoder.texts("The ", settings_of(40, seed=1), 2)
    assert len(set(first)) > 1
    assert first != decoder.texts("The ", settings_of(40, seed=2), 4)
    unseeded = {decoder.texts("", settings_of(40), 1)[0] for _ in range(6)}
    assert len(unseeded) > 1


@pytest.mark.parametrize("make", [random_decoder, counting_decoder])
def test_decoding_side_by_side_is_one_after_another(make):
    decoder = make()
    choice = settings_of(45, ["at"], seed=4, temperature=0.9)
    together = decoder.texts("The ", choice, 66)
    alone = ["".join(decoder.stream("The ", choice, number)) for number in range(66)]
    assert together == alone
    assert len({len(text) for text in together}) > 3  # they end at different times


def test_decoding_ends_with_the_document():
    decoder = counting_decoder()
    texts = decoder.texts("人工智能将", settings_of(300, temperature=0), 1)
    assert texts == ["改变世界。"]


@pytest.mark.parametrize("max_tokens", [0, 1, 7])
def test_decoding_stops_after_max_tokens(max_tokens):
    decoder = random_decoder()
    ids = list(decoder.ids("The", settings_of(max_tokens, seed=0)))
    assert len(ids) == max_tokens


def test_decoding_stops_before_a_stop_string():
    decoder = counting_decoder()
    whole = decoder.texts("The cat ", settings_of(60, temperature=0), 1)[0]
    stop = whole[7:10]
    cut = decoder.texts("The cat ", settings_of(60, [stop], temperature=0), 1)[0]
    assert cut == whole[: whole.index(stop)]
    assert len(cut) > 0


@pytest.mark.parametrize(
    "wrong", [{"max_tokens": -1}, {"stop": ["", "x"]}], ids=["max_tokens", "stop"]
)
def test_decoding_refuses_settings_without_meaning(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        settings_of(**wrong)
    with pytest.raises(SettingError, match="num_samples"):
        counting_decoder().texts("", settings_of(), 0)


def test_decoding_greedy_is_what_transformers_generates(tmp_path):
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    parts = small_parts("transformer")
    config = parts.shape.hugging_face_config()
    config.pop("architectures")
    peer = Qwen3ForCausalLM(Qwen3Config(**config)).eval()
    weights = {name: torch.from_numpy(tensor) for name, tensor in parts.tensors.items()}
    peer.load_state_dict({**weights, "lm_head.weight": weights["model.embed_tokens.weight"]})
    decoder = Decoder(TransformerEngine(parts.shape, parts.tensors, "x"), parts.codec)
    prompt = [0, *parts.codec.encode("The cat")]
    found = list(decoder.ids("The cat", settings_of(20, temperature=0)))
    row = torch.tensor([prompt])
    characters, open_bytes = WholeCharacters(parts.codec), b""
    with torch.no_grad():
        for token_id in found:
            scores = peer(row).logits[0, -1]
            # Broken characters are ruled out; among the other ids the likeliest was taken.
            allowed = torch.from_numpy(characters.allowed(open_bytes))
            assert scores[token_id] >= scores[allowed].max() - 1e-4
            open_bytes = characters.after(open_bytes, token_id)
            row = torch.cat([row, torch.tensor([[token_id]])], dim=1)


def test_prompts_take_back_a_token_that_could_be_longer():
    codec = train_byte_pairs(ENGLISH, 400)
    characters = WholeCharacters(codec)
    prompt = make_prompt("The ca", codec, characters)
    assert prompt.begun
    assert codec.decode(prompt.ids) + prompt.begun.decode() == "The ca"
    assert characters.beginning_with(prompt.begun).sum() > 1
    assert make_prompt("", codec, characters).ids == [0]


@given(st.sampled_from(["The ca", "The cat sa", "Th", "人工", "The cat s"]), st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_decoding_continues_inside_a_token(prompt, seed):
    codec = train_byte_pairs(ENGLISH + CHINESE, 420)
    decoder = Decoder(NgramEngine(small_ngram(codec)), codec)
    [text] = decoder.texts(prompt, settings_of(3, seed=seed, temperature=0.2), 1)
    drawn = list(decoder.ids(prompt, settings_of(3, seed=seed, temperature=0.2)))
    begun = make_prompt(prompt, codec, WholeCharacters(codec)).begun
    whole = codec.decode(drawn)
    assert whole.startswith(begun.decode())
    assert whole[len(begun.decode()) :].startswith(text)


def test_decoding_survives_a_window_many_times_over():
    decoder = random_decoder()
    ids = list(decoder.ids("The cat " * 40, settings_of(100, seed=3)))
    assert len(ids) == 100
    assert np.isfinite(ids).all()
