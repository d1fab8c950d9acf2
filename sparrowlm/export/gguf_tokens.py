"""A tokenizer as the settings of a GGUF file.

    bpe         llama.cpp's "gpt2", cut as "qwen2", whose expression ours is
    character   "llama": pieces without merges, unknown characters as bytes
    word        "t5": the cut of the highest probability; llama.cpp knows no bytes there

Our own engine asks for "sparrow.tokenizer.kind" and follows our rules.
"""

from __future__ import annotations

from typing import NamedTuple

from sparrowlm.text.tokenizers import TokenCodec
from sparrowlm.text.tokenizers.byte_pair import byte_alphabet
from sparrowlm.text.tokenizers.codec import SEPARATOR, byte_token_name
from sparrowlm.text.tokenizers.rebuilding import SPACE_SIGN
from sparrowlm.text.tokenizers.uncased import Described, UncasedCodec

_NORMAL, _CONTROL, _BYTE = 1, 3, 6
_NUM_BYTES = 256


class TokenSettings(NamedTuple):
    """What stands in the file.

    Attributes:
        kind: of the codec.
        is_uncased: it reads lower case.
        model: llama.cpp's kind.
        pre: its way of cutting; "" where it has none.
        names: of all tokens.
        types: of all tokens.
        scores: of all tokens, or none.
        merges: of byte pairs, the two parts with a space between.
    """

    kind: str
    is_uncased: bool
    model: str
    pre: str
    names: list[str]
    types: list[int]
    scores: list[float]
    merges: list[str]


def token_settings(codec: TokenCodec) -> TokenSettings:
    """Describe a tokenizer of ours."""
    is_uncased = isinstance(codec, UncasedCodec)
    described = codec.inner if isinstance(codec, UncasedCodec) else codec
    if codec.kind == "bpe" and isinstance(described, Described):
        return _byte_pairs(described, is_uncased=is_uncased)
    names = [SEPARATOR, *map(byte_token_name, range(_NUM_BYTES))]
    first = len(names)
    own = (codec.token_bytes(token_id) for token_id in range(first, codec.vocab_size))
    names += [piece.decode("utf-8").replace(" ", SPACE_SIGN) for piece in own]
    types = [_CONTROL] + [_BYTE] * _NUM_BYTES + [_NORMAL] * (codec.vocab_size - first)
    if not isinstance(described, Described):
        scores = [0.0] * codec.vocab_size
        return TokenSettings("character", is_uncased, "llama", "", names, types, scores, [])
    scores = [float(score) for _name, score in described.description["model"]["vocab"]]
    return TokenSettings("word", is_uncased, "t5", "", names, types, scores, [])


def _byte_pairs(codec: Described, *, is_uncased: bool) -> TokenSettings:
    signs = {byte: sign for sign, byte in byte_alphabet().items()}
    own = (codec.token_bytes(token_id) for token_id in range(1, codec.vocab_size))
    names = [SEPARATOR, *("".join(signs[byte] for byte in piece) for piece in own)]
    types = [_CONTROL] + [_NORMAL] * (codec.vocab_size - 1)
    merges = [
        pair if isinstance(pair, str) else " ".join(pair)
        for pair in codec.description["model"]["merges"]
    ]
    # llama.cpp opens no byte pairs without merges: one that no text can use stands for none.
    merges = merges or [f"{SEPARATOR} {SEPARATOR}"]
    return TokenSettings("bpe", is_uncased, "gpt2", "qwen2", names, types, [], merges)
