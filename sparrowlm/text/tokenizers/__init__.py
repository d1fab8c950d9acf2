"""Text to token ids and back: characters, byte-level pairs (BPE), words.

    character   one id per character; characters outside the vocabulary become their UTF-8 bytes
    bpe         byte-level byte-pair encoding, split like Qwen2 ("tokenizer.ggml.pre": "qwen2")
    word        words of the corpus, most probable cut; characters and bytes below them

Every kind keeps three promises: ``decode(encode(text)) == text`` for every string (but for models
that only understand, see uncased.py), the separator
``<|document|>`` is id 0 and never comes out of user text, and the saved directory loads in
transformers' ``AutoTokenizer`` to the same ids.
"""

from __future__ import annotations

from sparrowlm.text.tokenizers.codec import SEPARATOR, SEPARATOR_ID, TokenCodec
from sparrowlm.text.tokenizers.files import load_tokenizer
from sparrowlm.text.tokenizers.training import (
    SAMPLE_TEXTS,
    TOKENIZER_KINDS,
    TokenizerKind,
    derived_vocabulary_size,
    kind_for_reading,
    train_tokenizer,
)

__all__ = [
    "SAMPLE_TEXTS",
    "SEPARATOR",
    "SEPARATOR_ID",
    "TOKENIZER_KINDS",
    "TokenCodec",
    "TokenizerKind",
    "derived_vocabulary_size",
    "kind_for_reading",
    "load_tokenizer",
    "train_tokenizer",
]
