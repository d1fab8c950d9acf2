"""A tokenizer with fewer tokens that still reads every text.

The separator and the 256 bytes always stay, so whatever is left out is spelled by what is left. A
text that needs wanted tokens alone is cut as before, token by token:

    character, word   the rest of the vocabulary takes no part in such a cut
    byte pairs        with a token stay those that it grows out of. Every merge of such a text makes
                      one of these, and of those that could be made next the first learnt still is

Source of the idea: Abdaoui, Pradel and Sigel 2020, "Load what you need: smaller versions of
multilingual BERT", arXiv:2010.05609.

Shape letters: V vocabulary before, K vocabulary after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Bool, Int64
from sparrowlm.text.tokenizers.byte_pair import byte_alphabet, rebuilt_byte_pairs
from sparrowlm.text.tokenizers.character import CharacterCodec
from sparrowlm.text.tokenizers.codec import SEPARATOR, TokenCodec
from sparrowlm.text.tokenizers.uncased import Described, UncasedCodec
from sparrowlm.text.tokenizers.word import build_word_codec

# The separator and 256 bytes stand first in vocabularies of characters and words.
_NUM_ALWAYS = 257

Pair = tuple[str, str]


class Trimmed(NamedTuple):
    """A smaller tokenizer.

    Attributes:
        codec: the tokenizer.
        kept_K: ids that its tokens had before, ascending; the first is the separator's.
    """

    codec: TokenCodec
    kept_K: Int64[np.ndarray, " kept"]


def trimmed(codec: TokenCodec, is_wanted_V: Bool[np.ndarray, " vocab"]) -> Trimmed:
    """Leave out tokens.

    Args:
        codec: one of ours.
        is_wanted_V: the tokens to keep; bytes and whatever they are made of are kept anyway.
    """
    described = codec.inner if isinstance(codec, UncasedCodec) else codec
    if isinstance(described, Described) and codec.kind == "bpe":
        found = _byte_pairs(described, is_wanted_V)
    else:
        found = _listed(described, is_wanted_V)
    if isinstance(codec, UncasedCodec) and isinstance(found.codec, Described):
        return Trimmed(UncasedCodec(found.codec), found.kept_K)
    return found


def _listed(codec: TokenCodec, is_wanted_V: Bool[np.ndarray, " vocab"]) -> Trimmed:
    """Trim a vocabulary of characters or words, none of which needs another one."""
    is_kept_V = np.array(is_wanted_V, dtype=np.bool_)
    is_kept_V[:_NUM_ALWAYS] = True
    kept_K = np.flatnonzero(is_kept_V).astype(np.int64)
    own = kept_K[_NUM_ALWAYS:].tolist()
    if not isinstance(codec, Described):
        pieces = [codec.token_bytes(token_id).decode("utf-8") for token_id in own]
        return Trimmed(CharacterCodec(pieces), kept_K)
    vocabulary = codec.description["model"]["vocab"]
    words = [(str(name), float(score)) for name, score in (vocabulary[place] for place in own)]
    return Trimmed(build_word_codec(words), kept_K)


def _byte_pairs(codec: Described, is_wanted_V: Bool[np.ndarray, " vocab"]) -> Trimmed:
    model: Mapping[str, Any] = codec.description["model"]
    merges = [_pair(merge) for merge in model["merges"]]
    ranks = {merge: rank for rank, merge in enumerate(merges)}
    ids: Mapping[str, int] = model["vocab"]
    names = {token_id: name for name, token_id in ids.items()}
    kept = {SEPARATOR, *byte_alphabet()}
    for token_id in np.flatnonzero(is_wanted_V).tolist():
        if names[token_id] not in kept:
            kept |= _grown_out_of(names[token_id], ranks)
    kept_K = np.array(sorted(ids[name] for name in kept if name in ids), dtype=np.int64)
    left = [
        f"{first} {second}"
        for first, second in merges
        if first in kept and second in kept and first + second in kept
    ]
    return Trimmed(rebuilt_byte_pairs([names[one] for one in kept_K.tolist()], left), kept_K)


def _pair(merge: str | Sequence[str]) -> Pair:
    """Return the two parts of a merge, which stands in either of two ways."""
    first, second = merge.split(" ") if isinstance(merge, str) else merge
    return first, second


def _grown_out_of(name: str, ranks: Mapping[Pair, int]) -> set[str]:
    """Return all that merging makes on the way from single signs to a token, the token included.

    >>> sorted(_grown_out_of("abc", {("b", "c"): 0, ("a", "b"): 1, ("a", "bc"): 2}))
    ['abc', 'bc']
    """
    parts = list(name)
    made: set[str] = set()
    while True:
        pairs = [
            (ranks[pair], place) for place, pair in enumerate(pairwise(parts)) if pair in ranks
        ]
        if not pairs:
            return made | {name}
        place = min(pairs)[1]
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
        made.add(parts[place])
