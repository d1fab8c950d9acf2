"""Training speed beside a transformers Llama and a plain PyTorch GPT, each at its best setting.

    python -m benchmarks.training_speed [--parameters 1M 3M 10M] [--seconds 6] [--json]

Every candidate trains whole steps (forward, backward, its optimizer) of the same number of targets
on the same random ids. The rivals run with AdamW (fused) in four settings: float32 and bfloat16
autocast, eager and torch.compile; the best counts. nanoGPT's recipe as published is the plain GPT
in float32, eager, with its own batch of 12 x 64. Ours runs as `sparrow train` would on this
machine. Rounds alternate, so that a machine whose speed drifts is fair to all; medians count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparrowlm.foundation.hardware import probe_machine
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.transformer import TransformerModel
from sparrowlm.training.memory import keep_freed_memory
from sparrowlm.training.objectives import cross_entropy
from sparrowlm.training.optimizers import HybridOptimizer, OptimizerSettings

VOCABULARY = 384
WINDOW, TARGETS = 128, 4096
Contestant = tuple[Callable[[], None], int, int]  # a step, its targets, the parameters


@dataclass(frozen=True)
class Size:
    name: str
    width: int
    layers: int


SIZES = {"1M": Size("1M", 128, 5), "3M": Size("3M", 256, 4), "10M": Size("10M", 384, 6)}


class PlainBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, bias=False)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.norm2 = nn.LayerNorm(width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        parts = self.qkv(self.norm1(x)).split(width, dim=2)
        q, k, v = (p.view(batch, length, self.heads, -1).transpose(1, 2) for p in parts)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


class PlainGpt(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        heads = max(size.width // 64, 1)
        self.embedding = nn.Embedding(VOCABULARY, size.width)
        self.positions = nn.Embedding(WINDOW, size.width)
        self.blocks = nn.ModuleList(PlainBlock(size.width, heads) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width, bias=False)
        self.head = nn.Linear(size.width, VOCABULARY, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids) + self.positions.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def llama(size: Size) -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=size.width, num_hidden_layers=size.layers,
        num_attention_heads=max(size.width // 64, 1), intermediate_size=8 * size.width // 3,
        max_position_embeddings=WINDOW, tie_word_embeddings=True, use_cache=False,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def rival_step(
    model: nn.Module, *, is_bfloat16: bool, is_compiled: bool, rows: int, length: int
) -> Contestant:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    run = torch.compile(model) if is_compiled else model
    ids = torch.randint(VOCABULARY, (rows, length + 1))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bfloat16):
            output = run(ids[:, :-1])
            logits = output if isinstance(output, Tensor) else output.logits
        loss = functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step, rows * length, sum(p.numel() for p in model.parameters())


def our_step(size: Size, dtype: torch.dtype) -> Contestant:
    heads = max(size.width // 64, 1)
    shape = TransformerShape(
        vocab_size=VOCABULARY, width=size.width, num_layers=size.layers, num_heads=heads,
        num_kv_heads=heads, head_width=size.width // heads,
        feed_forward_width=64 * round(8 * size.width / 3 / 64), context_tokens=WINDOW,
    )  # fmt: skip
    # The rival's width and depth, its number of parameters at least.
    while shape.num_parameters() < sum(p.numel() for p in PlainGpt(size).parameters()):
        shape = replace(shape, feed_forward_width=shape.feed_forward_width + 32)
    model = TransformerModel(shape, torch.Generator().manual_seed(0))
    model.compute_dtype = dtype
    optimizer = HybridOptimizer(model, OptimizerSettings(), dtype)
    ids = torch.randint(VOCABULARY, (TARGETS // WINDOW, WINDOW + 1))

    def step() -> None:
        cross_entropy(model(ids[:, :-1]), ids[:, 1:]).backward()
        optimizer.step(1.0)

    return step, TARGETS, shape.num_parameters()


def contestants(size: Size) -> dict[str, Contestant]:
    rows = TARGETS // WINDOW
    found = {
        "nanoGPT as published": rival_step(
            PlainGpt(size), is_bfloat16=False, is_compiled=False, rows=12, length=64
        )
    }
    for name, build in (("GPT", PlainGpt), ("Llama", llama)):
        for is_bfloat16 in (False, True):
            for is_compiled in (False, True):
                precision = "bfloat16" if is_bfloat16 else "float32"
                how = "compiled" if is_compiled else "eager"
                found[f"{name} {precision} {how}"] = rival_step(
                    build(size), is_bfloat16=is_bfloat16, is_compiled=is_compiled,
                    rows=rows, length=WINDOW,
                )  # fmt: skip
    dtype = torch.bfloat16 if probe_machine().precision == "bfloat16" else torch.float32
    found[f"Sparrow {str(dtype).removeprefix('torch.')}"] = our_step(size, dtype)
    return found


def measure(size: Size, seconds: float) -> dict[str, float]:
    steps = contestants(size)
    speeds: dict[str, list[float]] = {name: [] for name in steps}
    for step, _targets, _parameters in steps.values():
        step()
        step()
    rounds = 3
    for _round in range(rounds):
        for name, (step, targets, _parameters) in steps.items():
            began, done = time.perf_counter(), 0
            while time.perf_counter() - began < seconds / rounds or done < 2:
                step()
                done += 1
            speeds[name].append(done * targets / (time.perf_counter() - began))
    return {name: statistics.median(values) for name, values in speeds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--seconds", type=float, default=6.0, help="per contestant and size")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    machine = probe_machine()
    keep_freed_memory()  # for the rivals as well
    results = {name: measure(SIZES[name], options.seconds) for name in options.parameters}
    if options.json:
        print(json.dumps({"machine": str(machine), "tokens_per_second": results}))
        return
    print(machine)
    for name, speeds in results.items():
        ours = max(v for n, v in speeds.items() if n.startswith("Sparrow"))
        rivals = {n: v for n, v in speeds.items() if n.startswith(("GPT", "Llama"))}
        best = max(rivals, key=rivals.__getitem__)
        print(f"\n{name} parameters, tokens/s")
        for contestant, speed in sorted(speeds.items(), key=lambda pair: -pair[1]):
            print(f"  {contestant:28} {speed:10,.0f}")
        print(f"  ours / best rival ({best}): {ours / rivals[best]:.2f}")
        print(f"  ours / nanoGPT as published: {ours / speeds['nanoGPT as published']:.2f}")


if __name__ == "__main__":
    main()
