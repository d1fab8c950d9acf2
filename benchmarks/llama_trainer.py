"""A Llama of transformers, trained with its own Trainer for a given time: the usual way.

AdamW at 1e-3 with cosine decay and 5 % warm-up, weight decay 0.1, gradient clipping 1.0, batches of
the same number of targets as ours, bfloat16 where this machine is faster in it. The number of steps
is measured first, so that the schedule ends with the time.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from sparrowlm.foundation.hardware import probe_machine

WINDOW, BATCH = 128, 16
_PROBE_STEPS = 20


@dataclass(frozen=True)
class LlamaResult:
    parameters: int
    steps: int
    seconds: float
    nats_per_token: float


def build(vocab_size: int, parameters: int):  # noqa: ANN201 - transformers is imported late
    """Find the Llama whose number of weights is nearest, width and depth as ours would have."""
    from transformers import LlamaConfig, LlamaForCausalLM

    def make(width: int, layers: int) -> LlamaForCausalLM:
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=vocab_size,
                hidden_size=width,
                num_hidden_layers=layers,
                num_attention_heads=max(width // 64, 1),
                intermediate_size=8 * width // 3,
                max_position_embeddings=WINDOW,
                tie_word_embeddings=True,
                use_cache=False,
            )
        )

    choices = [
        make(width, layers) for width in (64, 128, 192, 256, 320, 384) for layers in (3, 4, 6)
    ]
    return min(choices, key=lambda m: abs(m.num_parameters() - parameters))


def run(
    train_ids: np.ndarray, test_texts_ids: list[np.ndarray], vocab_size: int, parameters: int,
    seconds: float,
) -> LlamaResult:  # fmt: skip
    torch.manual_seed(0)
    model = build(vocab_size, parameters)
    count = (len(train_ids) - 1) // WINDOW
    rows = torch.from_numpy(train_ids[: count * WINDOW].reshape(count, WINDOW).astype(np.int64))
    dataset = [{"input_ids": row, "labels": row} for row in rows]
    began = time.perf_counter()
    per_step = _train(build(vocab_size, parameters), dataset, _PROBE_STEPS) / _PROBE_STEPS
    left = seconds - (time.perf_counter() - began)
    steps = max(int(left / per_step), 1)
    took = _train(model, dataset, steps)
    nats = _score(model.float().eval(), test_texts_ids)
    return LlamaResult(model.num_parameters(), steps, took, nats)


def _train(model: torch.nn.Module, dataset: list, steps: int) -> float:
    from transformers import Trainer, TrainingArguments

    with tempfile.TemporaryDirectory() as directory:
        arguments = TrainingArguments(
            output_dir=directory, max_steps=steps, per_device_train_batch_size=BATCH,
            learning_rate=1e-3, lr_scheduler_type="cosine", warmup_steps=max(steps // 20, 1),
            weight_decay=0.1, max_grad_norm=1.0, logging_strategy="no", save_strategy="no",
            report_to=[], use_cpu=True, disable_tqdm=True,
            bf16=probe_machine().precision == "bfloat16",
        )  # fmt: skip
        began = time.perf_counter()
        Trainer(model=model, args=arguments, train_dataset=dataset).train()
        return time.perf_counter() - began


@torch.no_grad()
def _score(model: torch.nn.Module, texts: list[np.ndarray]) -> float:
    """Windows that overlap by half, only the second half of each counting, as for our network."""
    total, count, stride = 0.0, 0, WINDOW // 2
    for ids in texts:
        done = 0
        for start in range(0, max(len(ids) - 1 - stride, 1), stride):
            piece = torch.from_numpy(ids[start : start + WINDOW + 1].astype(np.int64))
            logits = model(piece[None, :-1]).logits[0]
            losses = functional.cross_entropy(logits, piece[1:], reduction="none")
            fresh = losses[done - start :]
            total += float(fresh.sum())
            count += len(fresh)
            done += len(fresh)
    return total / count
