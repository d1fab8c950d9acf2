"""The guide of runtime.guides in the compiled part: the same masks, a hundred times as fast."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Bool
from sparrowlm.runtime.characters import WholeCharacters
from sparrowlm.runtime.guides import UNLIMITED, Guide, Mask, TextGuide, most_left
from sparrowlm.text.patterns import Automaton
from sparrowlm.text.patterns.automaton import DEAD
from sparrowlm.text.tokenizers import SEPARATOR_ID

_FULL = -2


def pattern_guide(automaton: Automaton, characters: WholeCharacters) -> TextGuide:
    """Return the fastest guide that there is.

    Args:
        automaton: of whole texts.
        characters: the bytes of all tokens.
    """
    tree = characters.compiled_tree
    if tree is None:
        return Guide(automaton, characters)
    return CompiledGuide(automaton, characters, tree)


class CompiledGuide:
    """Keeps texts within an automaton; what was found out about a state is kept.

    Where states take more room than they may have, all are forgotten, and every text is read anew.

    Args:
        automaton: of whole texts.
        characters: the bytes of all tokens.
        tree: the same for the compiled part.
    """

    def __init__(
        self,
        automaton: Automaton,
        characters: WholeCharacters,
        tree: Any,  # noqa: ANN401 - of the compiled part
    ) -> None:
        self._automaton = automaton
        self._tree = tree
        self.characters = characters
        self.generation = 0
        self.states: Any = None
        self.renew()

    def renew(self) -> None:
        """Forget all states."""
        self.states = self._automaton.compiled()
        self.generation += 1

    def follow(self) -> CompiledFollower:
        """Begin a text."""
        return CompiledFollower(self)

    def mask(self, state: int, num_tokens: int) -> Mask | None:
        """Return which tokens may follow a state; None where there is no room for more states."""
        marks = self.states.mask(self._tree, state, num_tokens)
        return None if marks is None else _as_mask(marks)

    def go_on(
        self, state: int, piece: bytes, num_tokens: int, allowed_V: Bool[np.ndarray, " vocab"]
    ) -> tuple[int, Mask | None]:
        """Return the state after a token, and which of some tokens may follow it; see mask."""
        state, marks = self.states.go_on(self._tree, state, piece, num_tokens, allowed_V)
        return state, None if marks is None else _as_mask(marks)


def _as_mask(marks: np.ndarray[Any, np.dtype[np.uint8]]) -> Mask:
    mask: Mask = marks.view(np.bool_)
    return mask


class CompiledFollower:
    """Follows one text; see guides.Follower.

    Args:
        guide: knows the automaton.
    """

    def __init__(self, guide: CompiledGuide) -> None:
        self._guide = guide
        self._text = bytearray()
        self._generation = 0
        self._state = DEAD
        self._catch_up()

    def first(
        self,
        begun: bytes,
        allowed_V: Bool[np.ndarray, " vocab"],
        num_tokens: int = UNLIMITED,
    ) -> Mask:
        """Return which tokens the text may begin with; see Follower."""
        mask = self._first_mask(begun, allowed_V, num_tokens) if begun else None
        if mask is None:
            mask = self.allowed(num_tokens) & allowed_V
        mask[SEPARATOR_ID] = not begun and self._guide.states.is_end(self._state)
        return mask

    def allowed(self, num_tokens: int = UNLIMITED) -> Bool[np.ndarray, " vocab"]:
        """Return which tokens may follow, none where the pattern is too much; see Follower."""
        self._catch_up()
        if self._state >= 0:
            mask = self._guide.mask(self._state, num_tokens)
            if mask is not None:
                return mask
            self._guide.renew()
            self._catch_up()
        if self._state >= 0:
            mask = self._guide.mask(self._state, num_tokens)
            if mask is not None:
                return mask
        return np.zeros(len(self._guide.characters.lengths_V), dtype=np.bool_)

    def take(self, piece: bytes) -> None:
        """Go on by the bytes of an allowed token."""
        self._catch_up()
        self._text += piece
        self._state = self._guide.states.read(self._state, piece) if self._state >= 0 else DEAD
        if self._state == _FULL:
            self._guide.renew()
            self._catch_up()

    def go_on(
        self, piece: bytes, num_tokens: int, allowed_V: Bool[np.ndarray, " vocab"]
    ) -> Bool[np.ndarray, " vocab"]:
        """Take a token and return which of some tokens may follow it; see Follower."""
        self._catch_up()
        if self._state >= 0:
            self._text += piece
            self._state, mask = self._guide.go_on(self._state, piece, num_tokens, allowed_V)
            if mask is not None:
                return mask
            if self._state == _FULL:
                self._guide.renew()
        both: Mask = allowed_V & self.allowed(num_tokens)
        return both

    def is_over(self) -> bool:
        """Say whether the text can only end."""
        self._catch_up()
        return self._state < 0 or not self._guide.states.can_go_on(self._state)

    def _first_mask(
        self, begun: bytes, allowed_V: Bool[np.ndarray, " vocab"], num_tokens: int
    ) -> Mask:
        states, characters = self._guide.states, self._guide.characters
        nearest = most_left(states, self._state, num_tokens)
        may_repeat = states.left(self._state) <= nearest
        mask = np.zeros(len(allowed_V), dtype=np.bool_)
        for token_id in np.flatnonzero(allowed_V).tolist():
            piece = characters.piece(token_id)[len(begun) :]
            # A token that only repeats the prompt says nothing yet, but may be all there is.
            state = states.read(self._state, piece) if piece else DEAD
            is_near = state >= 0 and states.left(state) <= nearest
            mask[token_id] = is_near if piece else may_repeat
        return mask

    def _catch_up(self) -> None:
        """Read the text anew where all states were forgotten."""
        if self._generation == self._guide.generation:
            return
        self._generation = self._guide.generation
        self._state = self._guide.states.start()
        if self._state >= 0 and self._text:
            self._state = self._guide.states.read(self._state, bytes(self._text))
