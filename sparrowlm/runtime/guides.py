"""Which tokens keep a text within a pattern: every token's bytes are read by the automaton."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from sparrowlm.foundation.array_types import Bool
from sparrowlm.runtime.characters import WholeCharacters
from sparrowlm.text.patterns import Automaton
from sparrowlm.text.patterns.automaton import DEAD
from sparrowlm.text.tokenizers import SEPARATOR_ID

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@runtime_checkable
class Follower(Protocol):
    """Moves along with one text, token by token."""

    def first(self, begun: bytes, allowed_V: Bool[np.ndarray, " vocab"]) -> Mask:
        """Return which tokens the text may begin with.

        Args:
            begun: bytes of the prompt that the first token repeats.
            allowed_V: tokens that do.
        """

    def allowed(self) -> Bool[np.ndarray, " vocab"]:
        """Return which tokens may follow; the separator where the text may end."""

    def take(self, piece: bytes) -> None:
        """Go on by the bytes of an allowed token."""

    def is_over(self) -> bool:
        """Say whether the text can only end."""


@runtime_checkable
class TextGuide(Protocol):
    """Keeps any number of texts within one form."""

    def follow(self) -> Follower:
        """Begin a text."""


class Guide:
    """Follows an automaton token by token; what was found out about a state is kept.

    Args:
        automaton: of whole texts.
        characters: the bytes of all tokens.
    """

    def __init__(self, automaton: Automaton, characters: WholeCharacters) -> None:
        self._automaton = automaton
        self._characters = characters
        self._masks: dict[int, Mask] = {}

    def follow(self) -> AutomatonFollower:
        """Begin a text."""
        return AutomatonFollower(self)

    def first(self, begun: bytes, allowed_V: Bool[np.ndarray, " vocab"]) -> Mask:
        """Return which tokens a text may begin with.

        Args:
            begun: bytes of the prompt that the first token repeats.
            allowed_V: tokens that do.
        """
        mask = np.zeros(len(allowed_V), dtype=np.bool_)
        for token_id in np.flatnonzero(allowed_V).tolist():
            piece = self._characters.piece(token_id)[len(begun) :]
            mask[token_id] = bool(piece) and self._automaton.read(0, piece) != DEAD
        # A token that only repeats the prompt says nothing yet, but may be all there is.
        if begun:
            whole = [self._characters.piece(token_id) == begun for token_id in range(len(mask))]
            mask |= np.array(whole) & allowed_V
        mask[SEPARATOR_ID] = not begun and self._automaton.is_end(0)
        return mask

    def allowed(self, state: int) -> Bool[np.ndarray, " vocab"]:
        """Return which tokens may follow; the separator where the text may end."""
        if state not in self._masks:
            mask = np.zeros(len(self._characters.lengths_V), dtype=np.bool_)
            self._descend(self._characters.tree, state, mask)
            mask[SEPARATOR_ID] = self._automaton.is_end(state)
            self._masks[state] = mask
        return self._masks[state]

    def after(self, state: int, piece: bytes) -> int:
        """Return the state after the bytes of an allowed token."""
        return self._automaton.read(state, piece)

    def is_over(self, state: int) -> bool:
        """Say whether the text can only end."""
        return not self._automaton.can_go_on(state)

    def _descend(self, node: dict[int, Any], state: int, mask: Mask) -> None:
        """Mark the tokens below a node of the tree whose bytes the automaton reads."""
        waiting = [(node, state)]
        while waiting:
            node, state = waiting.pop()
            for byte, inner in node.items():
                if byte < 0:
                    mask[inner] = True
                    continue
                behind = self._automaton.step(state, byte)
                if behind != DEAD:
                    waiting.append((inner, behind))


class AutomatonFollower:
    """Follows one text; all it has of its own is the number of a state.

    Args:
        guide: knows the automaton.
    """

    def __init__(self, guide: Guide) -> None:
        self._guide = guide
        self._state = 0

    def first(self, begun: bytes, allowed_V: Bool[np.ndarray, " vocab"]) -> Mask:
        """Return which tokens the text may begin with; see Follower."""
        return self._guide.first(begun, allowed_V)

    def allowed(self) -> Bool[np.ndarray, " vocab"]:
        """Return which tokens may follow; the separator where the text may end."""
        return self._guide.allowed(self._state)

    def take(self, piece: bytes) -> None:
        """Go on by the bytes of an allowed token."""
        self._state = self._guide.after(self._state, piece)

    def is_over(self) -> bool:
        """Say whether the text can only end."""
        return self._guide.is_over(self._state)
