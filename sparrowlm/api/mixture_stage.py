"""The n-gram's part of a training, and the gate that makes one model of two."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.corpora.token_files import TokenSplit
from sparrowlm.foundation.progress import Progress
from sparrowlm.models.mixture import Gate, gate_features
from sparrowlm.models.network import Network
from sparrowlm.models.ngram import NgramModel, recount_ngram, train_ngram
from sparrowlm.models.recent_text import score_by_recent
from sparrowlm.training.mixture import constant_gate, constant_weights, learn_gate
from sparrowlm.training.scoring import log_probabilities

# Positions the gate is learnt from: more cost time and no longer change it; with fewer than the
# least it knows too little.
MOST_GATE_TOKENS, LEAST_GATE_TOKENS = 60_000, 10_000

Ids = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the parts are worth on held-out text, nats per token.

    Attributes:
        ngram_nats: the n-gram alone.
        neural_nats: the network alone.
        mixture_nats: both, cross-validated.
        gate: learnt weights.
    """

    ngram_nats: float
    neural_nats: float
    mixture_nats: float
    gate: Gate

    def winner(self) -> str:
        """Return the kind of the best: "ngram", "transformer"-like "neural", or "mixture"."""
        figures = {
            "ngram": self.ngram_nats,
            "neural": self.neural_nats,
            "mixture": self.mixture_nats,
        }
        return min(figures, key=lambda name: figures[name])


def held_out_nats(ngram: NgramModel, ids: Ids) -> float:
    """Return the n-gram's loss per token; the separator in front is given, not predicted."""
    probabilities_T = ngram.score(np.asarray(ids)).probabilities_TN[1:, -1]
    return float(-np.log(probabilities_T).mean())


def recent_text_gain(ngram: NgramModel, ids: Ids, most_tokens: int = MOST_GATE_TOKENS) -> float:
    """Measure by which share the recent text lowers the n-gram's loss on held-out text.

    Constant weights, so that the network's share of a plan costs no time: a gate gains as much.

    Args:
        ngram: counted on the training text only.
        ids: held out, at least two.
        most_tokens: positions to look at.

    Returns:
        0 to below 1.
    """
    ids = _spread(np.asarray(ids), most_tokens)
    counted_TN = ngram.score(ids).probabilities_TN[1:]
    recent_T, _known = _recent_scores(ids, ngram.vocab_size)
    experts_TK = np.stack([counted_TN[:, -1], recent_T], axis=1).astype(np.float32)
    mixed_T = experts_TK @ constant_weights(experts_TK)
    alone = float(-np.log(experts_TK[:, 0]).mean())
    return max(1.0 + float(np.log(mixed_T).mean()) / alone, 0.0) if alone > 0 else 0.0


def count_ngrams(
    split: TokenSplit,
    held_out: TokenSplit,
    vocab_size: int,
    max_bytes: int | None,
    work: Path,
    progress: Progress,
) -> NgramModel:
    """Count the training text; the order is chosen on the held-out text.

    Args:
        split: training ids.
        held_out: its ids choose the order, where there are any.
        vocab_size: V.
        max_bytes: largest file.
        work: for checkpoints.
        progress: told about orders.
    """
    choosing = np.asarray(held_out.ids) if len(held_out.ids) > 1 else None
    return train_ngram(
        split.ids,
        vocab_size,
        held_out=choosing,
        max_bytes=max_bytes,
        progress=progress,
        checkpoint_directory=work / "ngram",
    )


def recount_everything(
    ngram: NgramModel,
    split: TokenSplit,
    held_out: TokenSplit,
    max_bytes: int | None,
    work: Path,
    progress: Progress,
) -> NgramModel:
    """Count training and held-out text together, in the order already chosen.

    The gate knows how much to trust a count; where the counts come from does not matter to it.
    """
    both = np.concatenate([np.asarray(split.ids), np.asarray(held_out.ids)])
    return recount_ngram(
        ngram,
        both,
        max_bytes=max_bytes,
        progress=progress,
        checkpoint_directory=work / "ngram-all",
    )


def weigh(
    ngram: NgramModel,
    network: Network,
    held_out: TokenSplit,
    seed: int,
    *,
    is_training_text: bool,
    most_tokens: int = MOST_GATE_TOKENS,
) -> Verdict:
    """Measure the experts on held-out text and learn the gate.

    Args:
        ngram: counted on the training text only.
        network: in evaluation mode, float32.
        held_out: at least two ids.
        seed: the run's.
        is_training_text: the held-out text was trained on (tiny corpora): nothing can be learnt
            from it about trust, so both are heard equally.
        most_tokens: positions to look at, spread over the held-out text.
    """
    ids = _spread(np.asarray(held_out.ids), most_tokens)
    scores = ngram.score(ids)
    recent_T, recent_TF = _recent_scores(ids, ngram.vocab_size)
    known = scores.context_counts_TN[1:], scores.num_continuations_TN[1:], recent_TF
    neural_T, features_TF = _neural_view(network, ids, known)
    ngram_TN = scores.probabilities_TN[1:]
    experts_TK = np.concatenate([ngram_TN, recent_T[:, None], neural_T[:, None]], axis=1)
    ngram_nats = float(-np.log(ngram_TN[:, -1]).mean())
    neural_nats = float(-np.log(neural_T).mean())
    if is_training_text:
        weights_K = np.full(experts_TK.shape[1], 1e-9, dtype=np.float32)
        weights_K[[ngram_TN.shape[1] - 1, -1]] = 0.5
        gate = constant_gate(weights_K, features_TF.shape[1])
        mixture_nats = float(-np.log(experts_TK @ weights_K).mean())
    else:
        learnt = learn_gate(experts_TK, features_TF, seed)
        gate, mixture_nats = learnt.gate, learnt.mixture_nats
    return Verdict(
        ngram_nats=ngram_nats, neural_nats=neural_nats, mixture_nats=mixture_nats, gate=gate
    )


def _recent_scores(ids: Ids, vocab_size: int) -> tuple[Ids, Ids]:
    """Return what score_by_recent yields, as a whole: probabilities_T and features_TF."""
    probabilities_T, features_TF = (
        np.concatenate(parts) for parts in zip(*score_by_recent(ids, vocab_size), strict=True)
    )
    return probabilities_T, features_TF


def _spread(ids: Ids, most_tokens: int) -> Ids:
    """Take pieces from all over the held-out text; each begins like a document."""
    if len(ids) <= most_tokens:
        return ids
    num_pieces = 8
    length = most_tokens // num_pieces
    starts = np.linspace(0, len(ids) - length, num_pieces).astype(np.int64)
    separator = ids[:1]
    pieces = [piece for start in starts for piece in (separator, ids[start : start + length])]
    return np.concatenate([*pieces, separator])


def _neural_view(
    network: Network, ids: Ids, known: tuple[Ids, Ids, Ids]
) -> tuple[np.ndarray[Any, np.dtype[np.float32]], np.ndarray[Any, np.dtype[np.float32]]]:
    """Score ids with the network, piece by piece; keep targets and features, not distributions."""
    targets: list[Ids] = []
    features: list[Ids] = []
    done = 0
    for logs_TV in log_probabilities(network, ids):
        rows = slice(done, done + len(logs_TV))
        wanted_T = ids[1:][rows].astype(np.int64)
        targets.append(np.exp(logs_TV[np.arange(len(logs_TV)), wanted_T]))
        counts, continuations, recent = (part[rows] for part in known)
        features.append(gate_features(counts, continuations, recent, logs_TV))
        done += len(logs_TV)
    return np.concatenate(targets).astype(np.float32), np.concatenate(features)
