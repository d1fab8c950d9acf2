"""Which tokenizer a model that reads gets, and how large."""

from __future__ import annotations

import pytest

from sparrowlm.corpora.preparation import prepare_corpus
from sparrowlm.corpora.settings import PreparationSettings
from sparrowlm.foundation.errors import SettingError
from sparrowlm.text.tokenizers import kind_for_reading, train_tokenizer
from sparrowlm.training.encoder_stage import EncoderSize


@pytest.mark.parametrize(
    ("text", "num_characters", "kind"),
    [
        ("今天天气很好", 100, "character"),
        ("我用 Python 写 code", 10**9, "character"),
        ("the weather is fine", 10_000, "word"),
        ("the weather is fine", 10**7, "bpe"),
        ("", 0, "word"),
    ],
)
def test_characters_for_chinese_and_words_of_one_subject(text, num_characters, kind):
    assert kind_for_reading([text], num_characters) == kind


def test_a_vocabulary_is_cut_to_what_there_is_room_for(tmp_path):
    words = [f"word{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(600)]
    path = tmp_path / "text.txt"
    path.write_text("\n".join(" ".join(words[i : i + 300] * 2) for i in (0, 300)), "utf-8")
    sizes = {}
    for most_ids in (None, 300):
        settings = PreparationSettings(purpose="understanding", most_ids=most_ids)
        corpus = prepare_corpus([path], tmp_path / f"corpus{most_ids}", settings)
        assert corpus.codec.kind == "word"
        sizes[most_ids] = corpus.codec.vocab_size
    assert sizes[None] > 500
    assert sizes[300] == 300


def test_settings_out_of_range_are_refused():
    with pytest.raises(SettingError, match="most_ids"):
        PreparationSettings(most_ids=10)


@pytest.mark.parametrize("kind", ["character", "word", "bpe"])
def test_what_a_tokenizer_takes_on_disk_is_known_before(tmp_path, kind):
    """Room is given to the other parts of a model by this; within a third is near enough."""
    syllables = ("ka", "to", "mi", "ren", "sol", "vi", "pur", "eth", "lo", "gan")
    words = [a + b + c for a in syllables for b in syllables for c in syllables]
    texts = [f"{chr(0x4E00 + i)} {words[i % 1000]} {words[i * 7 % 1000]}" for i in range(6000)]
    codec = train_tokenizer(kind, lambda: iter(texts), sum(map(len, texts)), 4000)
    codec.save(tmp_path)
    size = EncoderSize()
    told = size.directory_bytes(codec) - size.file_bytes(codec.vocab_size)
    assert told == pytest.approx((tmp_path / "tokenizer.json").stat().st_size, rel=0.4)
