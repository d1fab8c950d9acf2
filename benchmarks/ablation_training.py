"""One training of benchmarks/ablations.py: a recipe and a seed in, nats per character out."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from benchmarks.ablation_networks import (
    ExperimentalModel,
    Features,
    Moment,
    Objective,
    causal,
    seed_of_dropout,
)
from benchmarks.data import read_text
from sparrowlm.api.mixture_stage import MOST_GATE_TOKENS, weigh
from sparrowlm.corpora.token_files import TokenSplit
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.ngram import NgramModel, train_ngram
from sparrowlm.text.tokenizers import train_tokenizer
from sparrowlm.training.batches import WindowBatches
from sparrowlm.training.memory import keep_freed_memory
from sparrowlm.training.optimizers import HybridOptimizer, OptimizerSettings, WeightAverage
from sparrowlm.training.schedule import Schedule
from sparrowlm.training.scoring import log_probabilities

WINDOW, UNIT_WINDOWS, BATCH_WINDOWS = 128, 8, 16
_HEAD = 64

Ids = np.ndarray[Any, np.dtype[np.int64]]


class Scale(Protocol):
    """A schedule: the share of the top rate at a step."""

    def scale(self, step: int, num_steps: int) -> float: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Cosine:
    """Warm up, then half a cosine down to zero."""

    warm_up_steps: int

    def scale(self, step: int, num_steps: int) -> float:
        up = min((step + 1) / max(self.warm_up_steps, 1), 1.0)
        return up * (1 + math.cos(math.pi * step / num_steps)) / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """All that a variant may change; as it stands, the product's recipe for a short run.

    Attributes:
        vocabulary: ids of a byte-pair tokenizer; None for characters.
        counts_characters: equal characters seen, not equal ids, whatever the vocabulary.
        text_share: only the beginning of the training text is used.
        length: times the targets of the base.
        width: D.
        layers: number of blocks.
        head_width: E.
        feed_forward: F; None for three times the width.
        kv_heads: heads of keys and values; None for as many as queries.
        features: what else the network has.
        objective: the loss.
        optimizer: "muon", "cautious" (the same, see CautiousDecay) or "adamw" for all weights.
        matrix_rate: Muon's.
        other_rate: AdamW's.
        weight_decay: of matrices.
        cool_down_share: of the trapezoid; None for a cosine.
        batches: windows per step, one number for each equal part of the run.
        dropout: share dropped.
        average_decays: the first makes the result, the others are scored beside it.
        is_mixed: also score the mixture with an n-gram model.
    """

    vocabulary: int | None = None
    counts_characters: bool = True
    text_share: float = 1.0
    length: float = 1.0
    width: int = 128
    layers: int = 4
    head_width: int = _HEAD
    feed_forward: int | None = None
    kv_heads: int | None = None
    features: Features = field(default_factory=Features)
    objective: Objective = causal
    optimizer: Literal["muon", "cautious", "adamw"] = "muon"
    matrix_rate: float = 0.01
    other_rate: float = 0.004
    weight_decay: float = 0.0
    cool_down_share: float | None = 0.6
    batches: tuple[int, ...] = (BATCH_WINDOWS,)
    dropout: float = 0.0
    average_decays: tuple[float, ...] = (0.98,)
    is_mixed: bool = False

    def shape(self, vocab_size: int) -> TransformerShape:
        heads = self.width // self.head_width
        return TransformerShape(
            vocab_size=vocab_size + self.features.num_extra_ids, width=self.width,
            num_layers=self.layers, num_heads=heads, num_kv_heads=self.kv_heads or heads,
            head_width=self.head_width,
            feed_forward_width=self.feed_forward or 3 * self.width, context_tokens=WINDOW,
        )  # fmt: skip

    def schedule(self, num_steps: int) -> Scale:
        warm_up = min(20, max(num_steps // 10, 1))
        if self.cool_down_share is None:
            return Cosine(warm_up_steps=warm_up)
        return Schedule(warm_up_steps=warm_up, cool_down_share=self.cool_down_share)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Training and validation ids, the separator in front."""

    train: Ids
    validation: Ids
    vocab_size: int
    train_characters: int
    validation_characters: int


@cache
def corpus(vocabulary: int | None) -> Corpus:
    train, validation = (
        read_text(f"lm/tinyshakespeare/{name}") for name in ("train.txt.xz", "val.txt")
    )
    kind: Literal["character", "bpe"] = "character" if vocabulary is None else "bpe"
    codec = train_tokenizer(kind, lambda: [train], len(train), vocabulary)
    ids = [np.array([0, *codec.encode(text)], dtype=np.int64) for text in (train, validation)]
    return Corpus(ids[0], ids[1], codec.vocab_size, len(train), len(validation))


class Optimizer(Protocol):
    """What a training needs of an optimizer."""

    def step(self, rate_scale: float) -> None: ...


class AdamW:
    """AdamW for all weights; those with rows and columns decay."""

    def __init__(self, model: ExperimentalModel, recipe: Recipe) -> None:
        self._rate = recipe.other_rate
        weights = list(model.parameters())
        groups = [
            {"params": [w for w in weights if w.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0},
        ]
        self._adam = torch.optim.AdamW(groups, lr=self._rate, betas=(0.9, 0.95))

    def step(self, rate_scale: float) -> None:
        for group in self._adam.param_groups:
            group["lr"] = self._rate * rate_scale
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)


class CautiousDecay:
    """Muon, and a matrix decays only where the step went towards zero anyway.

    Source: Chen et al. 2025, "Cautious weight decay", arXiv:2510.12402.
    """

    def __init__(self, model: ExperimentalModel, recipe: Recipe, inner: Optimizer) -> None:
        self._matrices = [matrix for matrix, _joined in model.matrices()]
        self._share = recipe.matrix_rate * recipe.weight_decay
        self._inner = inner

    @torch.no_grad()
    def step(self, rate_scale: float) -> None:
        before = [matrix.clone() for matrix in self._matrices]
        self._inner.step(rate_scale)
        for matrix, old in zip(self._matrices, before, strict=True):
            goes_down = (matrix - old) * old < 0
            matrix.sub_(old * goes_down, alpha=rate_scale * self._share)


def optimizer(model: ExperimentalModel, recipe: Recipe) -> Optimizer:
    if recipe.optimizer == "adamw":
        return AdamW(model, recipe)
    is_cautious = recipe.optimizer == "cautious"
    settings = OptimizerSettings(
        matrix_rate=recipe.matrix_rate,
        other_rate=recipe.other_rate,
        weight_decay=0.0 if is_cautious else recipe.weight_decay,
    )
    muon = HybridOptimizer(model, settings, model.compute_dtype)
    return CautiousDecay(model, recipe, muon) if is_cautious else muon


def step_sizes(num_windows: int, batches: Sequence[int]) -> Iterator[int]:
    """Yield the windows of every step: each of the batches for an equal part of the windows."""
    for part, size in enumerate(batches, start=1):
        end = round(num_windows * part / len(batches))
        start = round(num_windows * (part - 1) / len(batches))
        yield from [size] * round((end - start) / size)


@dataclass(frozen=True, slots=True)
class Trained:
    """A network with its averages of weights, and the processor seconds of its training."""

    model: ExperimentalModel
    averages: list[WeightAverage]
    seconds: float


def train(recipe: Recipe, seed: int, num_steps: int, networks: Path) -> Trained:
    """Train once.

    Args:
        recipe: how.
        seed: of weights, order and dropout.
        num_steps: of the base; a recipe of another batch takes more or fewer.
        networks: folder of the base's networks.
    """
    keep_freed_memory()
    text = corpus(recipe.vocabulary)
    model = ExperimentalModel(recipe.shape(text.vocab_size), seed, recipe.features)
    model.compute_dtype, model.dropout = torch.bfloat16, recipe.dropout
    updating = optimizer(model, recipe)
    averages = [WeightAverage(model.parameters(), decay) for decay in recipe.average_decays]
    ids = text.train[: round(len(text.train) * recipe.text_share)]
    units = WindowBatches(ids, WINDOW, UNIT_WINDOWS, seed)
    num_windows = recipe.length * num_steps * BATCH_WINDOWS
    if recipe.counts_characters:
        num_windows *= (len(text.train) - 1) / text.train_characters
    sizes = list(step_sizes(round(num_windows), recipe.batches))
    schedule = recipe.schedule(len(sizes))
    done = 0
    model.train()
    began = time.process_time()
    for index, size in enumerate(sizes):
        moment = Moment(seed, index, networks)
        torch.manual_seed(seed_of_dropout(moment))
        parts = range(done // UNIT_WINDOWS, (done + size) // UNIT_WINDOWS)
        windows = torch.cat([units.batch(part) for part in parts])
        recipe.objective(model, windows, moment).backward()  # type: ignore[no-untyped-call]
        updating.step(schedule.scale(round(done / sum(sizes) * len(sizes)), len(sizes)))
        for average in averages:
            average.update(index)
        done += size
    return Trained(model.eval(), averages, time.process_time() - began)


def nats_per_character(model: ExperimentalModel, vocabulary: int | None) -> float:
    """Score the validation text as the product does, in half-overlapping windows."""
    text = corpus(vocabulary)
    total, done = 0.0, 1
    for logs_TV in log_probabilities(model, text.validation):
        targets_T = text.validation[done : done + len(logs_TV)]
        total -= float(logs_TV[np.arange(len(logs_TV)), targets_T].sum(dtype=np.float64))
        done += len(logs_TV)
    return total / text.validation_characters


@cache
def ngram(vocabulary: int | None) -> NgramModel:
    text = corpus(vocabulary)
    return train_ngram(text.train, text.vocab_size)


def mixture_nats(
    model: ExperimentalModel,
    seed: int,
    vocabulary: int | None,
    most_tokens: int = MOST_GATE_TOKENS,
) -> float:
    """Mix with an n-gram model; the gate is cross-validated on most_tokens validation ids."""
    text = corpus(vocabulary)
    starts = np.zeros(1, dtype=np.int64)
    split = TokenSplit(text.validation, starts, text.validation_characters, 1)
    verdict = weigh(
        ngram(vocabulary), model, split, seed, is_training_text=False, most_tokens=most_tokens
    )
    return verdict.mixture_nats * (len(text.validation) - 1) / text.validation_characters


def window_nats(models: Sequence[ExperimentalModel], length: int, stride: int) -> float:
    """Score the validation text with the average of networks, in windows of any overlap."""
    ids = torch.from_numpy(corpus(None).validation)
    starts = list(range(0, max(len(ids) - 1 - length, 0) + stride, stride))
    losses: list[Tensor] = []
    done = 0
    for first in range(0, len(starts), 64):
        chunk = [min(start, len(ids) - 1 - length) for start in starts[first : first + 64]]
        windows = torch.stack([ids[start : start + length + 1] for start in chunk])
        with torch.no_grad():
            each = [model(windows[:, :-1]).float().log_softmax(-1) for model in models]
        logs_BTV = torch.stack(each).logsumexp(0) - math.log(len(models))
        logs_BT = logs_BTV.gather(2, windows[:, 1:, None])[..., 0]
        for row, start in enumerate(chunk):
            losses.append(-logs_BT[row, done - start :])
            done = start + length
    return float(torch.cat(losses).double().mean())
