"""nanoGPT's CPU recipe for tinyshakespeare, rebuilt in plain PyTorch as the rival.

4 layers, 4 heads, 128 wide, context 64, batch 12, 2,000 iterations, AdamW at 1e-3 falling to
1e-4 on a cosine after 100 steps of warm-up, no dropout, float32, eager: the published command for
CPUs (https://github.com/karpathy/nanoGPT, README).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

CONTEXT, BATCH, LAYERS, HEADS, WIDTH = 64, 12, 4, 4, 128
ITERATIONS, WARM_UP, TOP_RATE, LAST_RATE = 2_000, 100, 1e-3, 1e-4


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, bias=False)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.norm2 = nn.LayerNorm(WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.down = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _width = x.shape
        parts = self.qkv(self.norm1(x)).split(WIDTH, dim=2)
        q, k, v = (p.view(batch, length, HEADS, -1).transpose(1, 2) for p in parts)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, WIDTH))
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, WIDTH)
        self.positions = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _layer in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        self.head = nn.Linear(WIDTH, vocabulary, bias=False)
        self.embedding.weight = self.head.weight
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                is_residual = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(weight, 0, 0.02 / math.sqrt(2 * LAYERS if is_residual else 1))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids) + self.positions.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


@dataclass(frozen=True)
class Rival:
    seconds: float
    nats_per_character: float
    tokens_per_second: float


def rate(step: int) -> float:
    if step < WARM_UP:
        return TOP_RATE * (step + 1) / (WARM_UP + 1)
    share = (step - WARM_UP) / (ITERATIONS - WARM_UP)
    return LAST_RATE + 0.5 * (1 + math.cos(math.pi * share)) * (TOP_RATE - LAST_RATE)


def run(train_text: str, validation_text: str, seed: int = 1337) -> Rival:
    torch.manual_seed(seed)
    began = time.perf_counter()
    characters = sorted(set(train_text + validation_text))
    number = {c: i for i, c in enumerate(characters)}
    train = torch.tensor([number[c] for c in train_text])
    model = Gpt(len(characters))
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=TOP_RATE, betas=(0.9, 0.99))
    for step in range(ITERATIONS):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        starts = torch.randint(len(train) - CONTEXT, (BATCH,)).tolist()
        rows = torch.stack([train[s : s + CONTEXT + 1] for s in starts])
        logits = model(rows[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    seconds = time.perf_counter() - began
    validation = torch.tensor([number[c] for c in validation_text])
    return Rival(seconds, _loss(model, validation), ITERATIONS * BATCH * CONTEXT / seconds)


@torch.no_grad()
def _loss(model: Gpt, ids: Tensor) -> float:
    """Windows without overlap, as nanoGPT's own evaluation sees them."""
    count = (len(ids) - 1) // CONTEXT
    inputs = ids[: count * CONTEXT].view(count, CONTEXT)
    targets = ids[1 : count * CONTEXT + 1].view(count, CONTEXT)
    return float(functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()))
