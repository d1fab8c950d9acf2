"""A prompt as ids, when its end may lie inside a token.

"the ca" may end with the token "ca", although the model learnt "cat" as one token and has hardly
ever seen "ca" followed by "t". So where the last token could have been a longer one, it is taken
back, and the continuation must begin with its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Bool
from sparrowlm.runtime.characters import WholeCharacters
from sparrowlm.text.tokenizers import TokenCodec

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Prompt:
    """What the model reads, and how its answer must begin.

    Attributes:
        ids: the separator and the prompt, perhaps without its last token.
        begun: bytes of the token taken back; every continuation begins with them.
    """

    ids: list[int]
    begun: bytes


def make_prompt(text: str, codec: TokenCodec, characters: WholeCharacters) -> Prompt:
    """Encode a prompt; see the top of this module.

    Args:
        text: any text, also none.
        codec: the tokenizer.
        characters: the bytes of all tokens.
    """
    ids = [codec.separator_id, *codec.encode(text)]
    if len(ids) == 1:
        return Prompt(ids, b"")
    begun = characters.piece(ids[-1])
    longer = characters.beginning_with(begun) & (characters.lengths_V > len(begun))
    if not longer.any():
        return Prompt(ids, b"")
    return Prompt(ids[:-1], begun)


def first_tokens(prompt: Prompt, characters: WholeCharacters) -> Bool[np.ndarray, " vocab"]:
    """Return which ids may come first after a prompt."""
    if not prompt.begun:
        return characters.allowed(b"")
    return characters.beginning_with(prompt.begun)
