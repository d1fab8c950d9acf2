"""A tokenizer out of the lists that a GGUF file holds."""

from __future__ import annotations

from collections.abc import Sequence

from sparrowlm.text.tokenizers.byte_pair import BytePairCodec, rebuilt_byte_pairs
from sparrowlm.text.tokenizers.character import CharacterCodec
from sparrowlm.text.tokenizers.codec import TokenCodec
from sparrowlm.text.tokenizers.uncased import UncasedCodec
from sparrowlm.text.tokenizers.word import WordCodec, build_word_codec

# The separator and 256 bytes.
_NUM_OTHERS = 257
# How a space inside a token is written there.
SPACE_SIGN = "\u2581"


def codec_from_parts(
    *,
    kind: str,
    names: Sequence[str],
    scores: Sequence[float],
    merges: Sequence[str],
    is_uncased: bool,
) -> TokenCodec:
    """Rebuild a tokenizer.

    Args:
        kind: "character", "bpe" or "word".
        names: of all tokens; spaces in characters and words are written U+2581.
        scores: of all tokens, natural logarithms (words).
        merges: see rebuilt_byte_pairs (byte pairs).
        is_uncased: it reads lower case.

    Raises:
        ValueError: the lists do not fit each other, or the kind is unknown.
    """
    spelled = [name.replace(SPACE_SIGN, " ") for name in names[_NUM_OTHERS:]]
    if kind == "character":
        return CharacterCodec(spelled)
    codec: BytePairCodec | WordCodec
    if kind == "bpe":
        codec = rebuilt_byte_pairs(names, merges)
    elif kind == "word":
        words = [
            (name, float(score)) for name, score in zip(spelled, scores[_NUM_OTHERS:], strict=True)
        ]
        codec = build_word_codec(words)
    else:
        raise ValueError(f"kind {kind!r}")
    return UncasedCodec(codec) if is_uncased else codec
