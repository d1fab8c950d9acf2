"""Which tokens keep a text within a pattern: every token's bytes are read by the automaton."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol, runtime_checkable

import numpy as np

from sparrowlm.foundation.array_types import Bool
from sparrowlm.runtime.characters import WholeCharacters
from sparrowlm.text.patterns import Automaton
from sparrowlm.text.patterns.automaton import DEAD, NEVER
from sparrowlm.text.tokenizers import SEPARATOR_ID

Mask = np.ndarray[Any, np.dtype[np.bool_]]
# More tokens than anybody asks for.
UNLIMITED = 2**31
_MASK_BYTES = 16 * 1024 * 1024


@runtime_checkable
class Follower(Protocol):
    """Moves along with one text, token by token."""

    def first(
        self,
        begun: bytes,
        allowed_V: Bool[np.ndarray, " vocab"],
        num_tokens: int = UNLIMITED,
    ) -> Mask:
        """Return which tokens the text may begin with.

        Args:
            begun: bytes of the prompt that the first token repeats.
            allowed_V: tokens that do.
            num_tokens: see allowed.
        """

    def allowed(self, num_tokens: int = UNLIMITED) -> Bool[np.ndarray, " vocab"]:
        """Return which tokens may follow; the separator where the text may end.

        Args:
            num_tokens: that may still come, this one counted: where the form could not end within
                as many tokens of one byte, those that lead to its end in time are allowed alone.
        """

    def take(self, piece: bytes) -> None:
        """Go on by the bytes of an allowed token."""

    def go_on(
        self, piece: bytes, num_tokens: int, allowed_V: Bool[np.ndarray, " vocab"]
    ) -> Bool[np.ndarray, " vocab"]:
        """Take a token and return which of some tokens may follow it.

        Args:
            piece: bytes of an allowed token.
            num_tokens: that may still come, >= 1; see allowed.
            allowed_V: tokens that may follow otherwise.
        """

    def is_over(self) -> bool:
        """Say whether the text can only end."""


class StepwiseFollower(ABC):
    """A follower that takes a token and then looks at what may follow."""

    @abstractmethod
    def take(self, piece: bytes) -> None:
        """See Follower."""

    @abstractmethod
    def allowed(self, num_tokens: int = UNLIMITED) -> Bool[np.ndarray, " vocab"]:
        """See Follower."""

    def go_on(
        self, piece: bytes, num_tokens: int, allowed_V: Bool[np.ndarray, " vocab"]
    ) -> Bool[np.ndarray, " vocab"]:
        """Take a token and return which of some tokens may follow it; see Follower."""
        self.take(piece)
        both: Mask = allowed_V & self.allowed(num_tokens)
        return both


@runtime_checkable
class TextGuide(Protocol):
    """Keeps any number of texts within one form."""

    def follow(self) -> Follower:
        """Begin a text."""


@runtime_checkable
class Ways(Protocol):
    """An automaton that knows how far its ends are: Automaton, or the compiled part's."""

    @property
    def longest_left(self) -> int:
        """The longest of all shortest ways to an end, in bytes."""

    def left(self, state: int) -> int:
        """Return how many bytes the shortest way from a state to an end has."""


def most_left(automaton: Ways, state: int, num_tokens: int) -> int:
    """Return how far from its end a form may be after the next token; NEVER for any distance.

    A token has at least one byte, so that as many tokens are enough for as many bytes.

    Args:
        automaton: of the form.
        state: before the token.
        num_tokens: that may still come, this one counted.
    """
    if num_tokens > automaton.longest_left or automaton.left(state) > num_tokens:
        return NEVER  # there is time, or it is cut off in any case
    return num_tokens - 1


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

    def first(
        self, begun: bytes, allowed_V: Bool[np.ndarray, " vocab"], num_tokens: int
    ) -> Bool[np.ndarray, " vocab"]:
        """Return which tokens a text may begin with; see Follower.first."""
        nearest = most_left(self._automaton, 0, num_tokens)
        mask = np.zeros(len(allowed_V), dtype=np.bool_)
        for token_id in np.flatnonzero(allowed_V).tolist():
            piece = self._characters.piece(token_id)[len(begun) :]
            state = self._automaton.read(0, piece) if piece else DEAD
            mask[token_id] = state != DEAD and self._automaton.left(state) <= nearest
        # A token that only repeats the prompt says nothing yet, but may be all there is.
        if begun and self._automaton.left(0) <= nearest:
            whole = [self._characters.piece(token_id) == begun for token_id in range(len(mask))]
            mask |= np.array(whole) & allowed_V
        mask[SEPARATOR_ID] = not begun and self._automaton.is_end(0)
        return mask

    def allowed(self, state: int, num_tokens: int) -> Bool[np.ndarray, " vocab"]:
        """Return which tokens may follow; see Follower.allowed."""
        nearest = most_left(self._automaton, state, num_tokens)
        if nearest != NEVER:
            return self._mask(state, nearest)
        if state not in self._masks:
            if len(self._masks) * len(self._characters.lengths_V) >= _MASK_BYTES:
                self._masks.clear()
            self._masks[state] = self._mask(state, NEVER)
        return self._masks[state]

    def after(self, state: int, piece: bytes) -> int:
        """Return the state after the bytes of an allowed token."""
        return self._automaton.read(state, piece)

    def is_over(self, state: int) -> bool:
        """Say whether the text can only end."""
        return not self._automaton.can_go_on(state)

    def _mask(self, state: int, most_left: int) -> Mask:
        mask = np.zeros(len(self._characters.lengths_V), dtype=np.bool_)
        waiting = [(self._characters.tree, state)]
        while waiting:
            node, behind = waiting.pop()
            for byte, inner in node.items():
                if byte < 0:
                    mask[inner] = self._automaton.left(behind) <= most_left
                    continue
                further = self._automaton.step(behind, byte)
                if further != DEAD:
                    waiting.append((inner, further))
        mask[SEPARATOR_ID] = self._automaton.is_end(state)
        return mask


class AutomatonFollower(StepwiseFollower):
    """Follows one text; all it has of its own is the number of a state.

    Args:
        guide: knows the automaton.
    """

    def __init__(self, guide: Guide) -> None:
        self._guide = guide
        self._state = 0

    def first(
        self,
        begun: bytes,
        allowed_V: Bool[np.ndarray, " vocab"],
        num_tokens: int = UNLIMITED,
    ) -> Mask:
        """Return which tokens the text may begin with; see Follower."""
        return self._guide.first(begun, allowed_V, num_tokens)

    def allowed(self, num_tokens: int = UNLIMITED) -> Bool[np.ndarray, " vocab"]:
        """Return which tokens may follow; see Follower."""
        return self._guide.allowed(self._state, num_tokens)

    def take(self, piece: bytes) -> None:
        """Go on by the bytes of an allowed token."""
        self._state = self._guide.after(self._state, piece)

    def is_over(self) -> bool:
        """Say whether the text can only end."""
        return self._guide.is_over(self._state)
