"""Every string comes back exactly; transformers gives the same ids; damage is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shared_data import shared_data

from sparrowlm.foundation.errors import DataError, SparrowError
from sparrowlm.text.tokenizers import SEPARATOR, TOKENIZER_KINDS, load_tokenizer, train_tokenizer

SAMPLE = (
    "你好，我是人工智能模型。我喜欢学习新技术。人工智能将改变世界。\n"
    "It was the best of times, it was the worst of times; it's 1859!\n"
    "  def f(x):\n\treturn x  # code\n床前明月光，疑是地上霜。\n"
) * 5
HOSTILE = [
    "", " ", "  ", "\n\n", "\r\n", "\x00", "\ufffd", "𠮷", "😀👩‍👩‍👧", SEPARATOR, f"a{SEPARATOR}b",
    "<0x41>", "<unk>", "▁", "Ġ", "<", "<<<", "a\u0301", "\ufeff", "  leading", "trailing  ",
    "it's", "我" * 3000, "x" * 3000, "\u2028", "٣٤", "1234567890", "A\x0bB", "ﬁ", "\U0010ffff",
]  # fmt: skip
TEXT = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("你好<|>ĠaB 1\n"))
)


@pytest.fixture(scope="module", params=TOKENIZER_KINDS)
def codec(request):
    return train_tokenizer(request.param, lambda: [SAMPLE], len(SAMPLE))


@pytest.fixture(scope="module")
def peer(codec, tmp_path_factory):
    directory = tmp_path_factory.mktemp(codec.kind)
    codec.save(directory)
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(str(directory))


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text)[:16])
def test_tokenizers_hostile_strings_come_back(codec, text):
    ids = codec.encode(text)
    assert codec.decode(ids) == text
    assert codec.separator_id not in ids
    assert b"".join(codec.token_bytes(i) for i in ids).decode() == text


@settings(max_examples=150)
@given(text=TEXT)
@example("\U0001f3f4\U000e0067")
def test_tokenizers_every_string_comes_back(codec, text):
    ids = codec.encode(text)
    assert codec.decode(ids) == text
    assert all(0 < i < codec.vocab_size for i in ids)


@settings(max_examples=60)
@given(texts=st.lists(TEXT, max_size=5))
def test_tokenizers_batches_give_what_single_texts_give(codec, texts):
    batch = codec.encode_batch(texts)
    assert [ids.tolist() for ids in batch] == [codec.encode(text) for text in texts]
    assert all(ids.dtype == np.int32 for ids in batch)


@settings(max_examples=60)
@given(text=TEXT)
def test_tokenizers_transformers_gives_the_same_ids(codec, peer, text):
    assert peer.encode(text, add_special_tokens=False) == codec.encode(text)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text)[:16])
def test_tokenizers_transformers_agrees_on_hostile_strings(codec, peer, text):
    ids = codec.encode(text)
    assert peer.encode(text, add_special_tokens=False) == ids
    assert peer.bos_token_id == peer.eos_token_id == codec.separator_id == 0


def test_tokenizers_naughty_strings_come_back(codec):
    path = shared_data("robustness/blns/blns.json")
    for text in json.loads(path.read_text("utf-8")):
        assert codec.decode(codec.encode(text)) == text


def test_tokenizers_loaded_is_saved(codec, tmp_path):
    codec.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded.kind == codec.kind
    assert loaded.vocab_size == codec.vocab_size
    assert loaded.encode(SAMPLE) == codec.encode(SAMPLE)
    loaded.save(tmp_path / "again")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "remove"])
def test_tokenizers_damage_is_refused(codec, tmp_path, name, damage):
    codec.save(tmp_path)
    path = tmp_path / name
    data = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    elif damage == "flip":
        data[data.index(b"<|document|>") + 4] ^= 1
        path.write_bytes(data)
    else:
        path.write_bytes(data[: len(data) // 2] if damage == "truncate" else b"")
    with pytest.raises(SparrowError):
        load_tokenizer(tmp_path)


def test_tokenizers_half_a_surrogate_pair_is_refused_clearly(codec):
    with pytest.raises(DataError, match=r"U\+D83D"):
        codec.encode("a\ud83d")


def test_tokenizers_training_twice_gives_the_same_bytes(codec, tmp_path):
    for name in ("one", "two"):
        again = train_tokenizer(codec.kind, lambda: [SAMPLE], len(SAMPLE))
        again.save(tmp_path / name)
    one, two = ((tmp_path / name / "tokenizer.json").read_bytes() for name in ("one", "two"))
    assert one == two


def test_tokenizers_user_words_are_one_token():
    words = ["小语言模型", "麻雀虽小"]
    texts = ["我的小语言模型，麻雀虽小，五脏俱全。"] * 3
    codec = train_tokenizer("word", lambda: texts, 60, user_words=words)
    for word in words:
        assert len(codec.encode(word)) == 1
        assert len(codec.encode(f"这个{word}好")) <= len("这个好".encode()) + 1


def test_tokenizers_bpe_tokens_stay_short():
    text = "人工智能将改变世界人工智能将改变世界。" * 50
    codec = train_tokenizer("bpe", lambda: [text], len(text), 600)
    assert max(len(codec.token_bytes(i)) for i in range(codec.vocab_size)) <= 16


@pytest.mark.parametrize("outside", [-1, 10**6])
def test_tokenizers_ids_outside_the_vocabulary_are_refused(codec, outside):
    with pytest.raises(DataError, match=str(outside)):
        codec.decode([1, outside])
