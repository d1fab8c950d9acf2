"""Versions of a model with fewer tokens: which of them is worth a search of its own.

Rounding a version and pruning its table takes minutes, so only the one is tried that promises the
least loss at the wished size: what it loses by itself, measured, and what is lost by storing it in
so many bytes, taken over from the whole model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sparrowlm.api.compressing_text import OWN_TEXT, Ids, TextCompression, token_ids
from sparrowlm.api.compression_figures import text_losses
from sparrowlm.compression.choices import Choice, best_choices, least_bytes
from sparrowlm.compression.counts import NGRAM
from sparrowlm.compression.inputs import EMBEDDING
from sparrowlm.compression.parts import TextParts
from sparrowlm.compression.samples import every_fifth_apart, first_characters
from sparrowlm.compression.vocabulary import RARE_SHARES, token_counts, without_rare_tokens
from sparrowlm.foundation.array_types import Int64
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.runtime.directory import TENSORS_FILE, VECTORS_FILE

_PROBED_CHARACTERS = 20_000
# Shares of a model's loss: what may lie between a promise and the truth, for which rare tokens come
# up is chance; and what is too little to be saved.
_DOUBTED_SHARE, _NOTHING_SHARE = 0.02, 0.001
# A name, its length and its kind in a GGUF file; the merge that makes it costs as much again.
_BYTES_BESIDE_A_NAME = 16


@dataclass(frozen=True)
class _Trim:
    parts: TextParts
    nats_per_token: float


class Vocabularies:
    """A model with fewer and fewer tokens.

    Args:
        whole: the model with all tokens.
        progress: told about everything.
    """

    def __init__(self, whole: TextCompression, progress: Progress) -> None:
        self._whole, self._progress = whole, progress
        self._trims: list[_Trim] = []
        self._nats_per_token = 0.0
        self._find()

    def best(self, most_bytes: int, fixed_bytes: int) -> TextCompression | None:
        """Return the version that promises least loss; None where that is the whole model.

        Args:
            most_bytes: of the file.
            fixed_bytes: what the file of the whole model takes beside its choices.
        """
        everything = _Trim(self._whole.parts, 0.0)
        losses = [
            self._promised(trim, most_bytes, fixed_bytes) for trim in (everything, *self._trims)
        ]
        whole, *fewer = losses
        promised = [(loss, place) for place, loss in enumerate(fewer) if loss is not None]
        loss, place = min(promised, default=(0.0, len(self._trims) - 1))
        if whole is not None and not self._is_worth_trying(loss, whole):
            return None
        return self._version(place + 1)

    def _is_worth_trying(self, fewer: float, whole: float) -> bool:
        """Say whether a version may lose less, as far as a promise can be relied on."""
        doubt = _DOUBTED_SHARE * self._nats_per_token
        return whole > _NOTHING_SHARE * self._nats_per_token and fewer < whole + doubt

    def smallest(self, max_loss: float) -> TextCompression | None:
        """Return the version with fewest tokens that leaves half of a loss to rounding.

        Where none promises that, the one without tokens that never occur, unless it is far from it.

        Args:
            max_loss: share of what the whole model loses.
        """
        allowed = max_loss / 2 * self._nats_per_token
        good = [place for place, trim in enumerate(self._trims) if trim.nats_per_token <= allowed]
        doubt = _DOUBTED_SHARE * self._nats_per_token
        is_near = any(trim.nats_per_token <= doubt for trim in self._trims[:1])
        return self._version(max(good, default=0 if is_near else -1) + 1)

    def _version(self, number: int) -> TextCompression | None:
        if number == 0:
            return None
        parts = self._trims[number - 1].parts
        return self._whole.version(parts, {"tokens": parts.codec.vocab_size}, self._progress)

    def _find(self) -> None:
        whole, counts_V = self._whole.parts, self._counts(self._whole.documents)
        # Which tokens texts lack is seen on other texts than those that were counted.
        counted, apart = every_fifth_apart(self._whole.samples.seen)
        probed_V = self._counts([token_ids(whole, text) for text in counted])
        texts = first_characters(apart, _PROBED_CHARACTERS)
        before = float(text_losses(whole.engine(), whole.codec, texts).nats_N.sum())
        num_tokens = sum(len(whole.codec.encode(text)) for text in texts)
        self._nats_per_token = before / num_tokens
        stage = say("compression.trimming")
        self._progress.start(stage, len(RARE_SHARES), say("compression.unit-sizes"))
        fewest = whole.codec.vocab_size
        for share in RARE_SHARES:
            parts = without_rare_tokens(whole, counts_V, share)
            self._progress.advance(1)
            if parts.codec.vocab_size == fewest:
                continue
            fewest = parts.codec.vocab_size
            probed = without_rare_tokens(whole, probed_V, share)
            after = float(text_losses(probed.engine(), probed.codec, texts).nats_N.sum())
            self._trims.append(_Trim(parts, (after - before) / num_tokens))
        self._progress.finish()

    def _counts(self, documents: Sequence[Ids]) -> Int64[np.ndarray, " vocab"]:
        is_own = self._whole.measured_on == OWN_TEXT
        return token_counts(self._whole.parts, documents, is_own=is_own)

    def _promised(self, trim: _Trim, most_bytes: int, fixed_bytes: int) -> float | None:
        """Return nats per token; None where the version does not become so small."""
        choices = _scaled(self._whole.choices, self._whole.parts, trim.parts)
        saved = _plain_bytes(self._whole.parts) - _plain_bytes(trim.parts)
        left = most_bytes - fixed_bytes + saved
        if left < least_bytes(choices):
            return None
        chosen = best_choices(choices, left).values()
        return trim.nats_per_token + sum(choice.cost for choice in chosen)


def _plain_bytes(parts: TextParts) -> int:
    """Return about what the names of tokens take."""
    codec = parts.codec
    own = sum(len(codec.token_bytes(token_id)) for token_id in range(codec.vocab_size))
    names = own + _BYTES_BESIDE_A_NAME * codec.vocab_size
    return 2 * names if codec.kind == "bpe" else names


def _scaled(
    choices: Mapping[str, Sequence[Choice]], whole: TextParts, part: TextParts
) -> dict[str, Sequence[Choice]]:
    """Return the choices of a version, as far as its tables are smaller."""
    left = part.codec.vocab_size / whole.codec.vocab_size
    shares = {EMBEDDING: left, VECTORS_FILE: left}
    if whole.network is not None and part.network is not None:
        shares[TENSORS_FILE] = part.network.num_bytes() / whole.network.num_bytes()
    if whole.ngram is not None and part.ngram is not None:
        shares[NGRAM] = part.ngram.size_bytes() / whole.ngram.size_bytes()
    return {
        name: [
            choice._replace(num_bytes=round(choice.num_bytes * shares.get(name, 1.0)))
            for choice in ways
        ]
        for name, ways in choices.items()
    }
