"""How much of a generated text stands word for word in the training text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sparrowlm.foundation.array_types import UInt64

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so it has an inverse modulo 2**64
_CHUNK_CHARACTERS = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyReport:
    """Shares of copies.

    Attributes:
        copied_share: share of the pieces that stand verbatim in the training text, 0 to 1.
        longest_run_characters: length of the longest stretch of generated text that does.
        longest_run: that stretch.
    """

    copied_share: float
    longest_run_characters: int
    longest_run: str


def copied_share(pieces: Sequence[str], training_texts: Sequence[str]) -> CopyReport:
    """Look for generated pieces (sentences, or whole stories) in the training texts.

    Args:
        pieces: generated sentences or stories; empty ones are left out.
        training_texts: the texts that the model was trained on.

    Returns:
        Share 0 and an empty run when there is nothing to compare.
    """
    wanted = [piece for piece in pieces if piece]
    training_chunks = _chunks(training_texts)
    copied = {piece for piece in set(wanted) if any(piece in chunk for chunk in training_chunks)}
    longest = longest_common_run(wanted, training_chunks)
    return CopyReport(
        copied_share=sum(piece in copied for piece in wanted) / len(wanted) if wanted else 0.0,
        longest_run_characters=len(longest),
        longest_run=longest,
    )


def _chunks(texts: Sequence[str]) -> list[str]:
    """Join texts to chunks that bound the memory of the arrays below; no text is cut."""
    chunks: list[str] = []
    waiting: list[str] = []
    num_characters = 0
    for text in texts:
        waiting.append(text)
        num_characters += len(text)
        if num_characters >= _CHUNK_CHARACTERS:
            chunks.append("\n".join(waiting))
            waiting, num_characters = [], 0
    return [*chunks, "\n".join(waiting)]


def longest_common_run(pieces: Sequence[str], training_texts: Sequence[str]) -> str:
    """Find the longest stretch of one piece that stands in one of the training texts.

    Binary search over the length, comparing rolling hashes of every window; what is found is
    compared character by character, so a clash of hashes cannot lengthen the answer.

    Args:
        pieces: generated texts.
        training_texts: texts to look in.

    Returns:
        The stretch, "" when the two share no character.

    Source: Karp and Rabin 1987, "Efficient randomized pattern-matching algorithms".
    """
    # NUL between pieces, line ends between texts: no run reaches over either.
    generated = _HashedText("\0".join(pieces))
    found = ""
    for text in training_texts:
        training = _HashedText(text)
        shortest = len(found)
        longest = min(len(generated.text), len(text))
        # Most texts hold nothing longer than what was found before: ask for that first.
        length = shortest + 1
        while shortest < longest:
            run = _common_window(generated, training, length)
            if run is None:
                longest = length - 1
            else:
                shortest, found = length, run
            length = (shortest + longest + 1) // 2
    return found


class _HashedText:
    """A text whose windows of any length can be hashed in three vector operations."""

    def __init__(self, text: str) -> None:
        self.text = text
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        powers = _powers(int(_BASE), len(codes))
        first = np.zeros(1, dtype=np.uint64)
        self._sums = np.concatenate([first, np.cumsum(codes * powers, dtype=np.uint64)])
        self._inverse_powers = _powers(pow(int(_BASE), -1, 2**64), len(codes))

    def window_hashes(self, length: int) -> UInt64[np.ndarray, " windows"]:
        """Hash every window of the given length: sum of code * base**offset modulo 2**64."""
        num_windows = max(len(self.text) - length + 1, 0)
        hashes: UInt64[np.ndarray, " windows"] = self._sums[length:] - self._sums[:num_windows]
        hashes *= self._inverse_powers[:num_windows]
        return hashes


def _powers(base: int, num_powers: int) -> UInt64[np.ndarray, " num_powers"]:
    powers = np.full(num_powers, base, dtype=np.uint64)
    powers[:1] = 1
    return np.cumprod(powers, dtype=np.uint64)


def _common_window(generated: _HashedText, training: _HashedText, length: int) -> str | None:
    wanted, first_at = np.unique(generated.window_hashes(length), return_index=True)
    in_training = training.window_hashes(length)
    # A table of 2**20 flags sorts out nearly all windows before the slower search.
    is_wanted = np.zeros(1 << 20, dtype=np.bool_)
    is_wanted[wanted >> np.uint64(44)] = True
    candidates = np.flatnonzero(is_wanted[in_training >> np.uint64(44)])
    hashes = in_training[candidates]
    found_at = np.minimum(np.searchsorted(wanted, hashes), len(wanted) - 1)
    is_equal = wanted[found_at] == hashes
    for at, begin in zip(candidates[is_equal], first_at[found_at[is_equal]], strict=True):
        run = generated.text[begin : begin + length]
        if "\0" not in run and training.text.startswith(run, int(at)):
            return run
    return None
