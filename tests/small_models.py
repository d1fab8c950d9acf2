"""Model directories of every kind, small enough to be made inside a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sparrowlm.export.model_directory import ModelParts, write_model
from sparrowlm.models.architectures import RecurrentShape, TransformerShape
from sparrowlm.models.mixture import Gate, num_experts, num_gate_features
from sparrowlm.models.ngram import NgramModel, train_ngram
from sparrowlm.models.word_vectors import WordVectors
from sparrowlm.text.tokenizers import TokenCodec, train_tokenizer

KINDS = ("ngram", "vectors", "rnn", "lstm", "transformer", "mixture")
ENGLISH = [
    "The cat sat on the mat. The cat saw the dog, and the dog saw the cat.",
    "The dog sat on the log. A bird sang, and the cat sat still.",
    "When the cat sat down, the dog ran to the bird on the log.",
] * 4
CHINESE = ["你好，我是人工智能模型。", "我喜欢学习新技术。", "人工智能将改变世界。"]


def small_codec(kind: str = "character", texts: list[str] | None = None) -> TokenCodec:
    texts = texts or [*ENGLISH, *CHINESE]
    return train_tokenizer(kind, lambda: texts, sum(map(len, texts)))


def token_file(codec: TokenCodec, texts: list[str]) -> np.ndarray:
    parts = [part for text in texts for part in ([0], codec.encode(text))]
    return np.concatenate([*parts, [0]]).astype(np.int64)


def small_ngram(codec: TokenCodec, texts: list[str] | None = None, order: int = 4) -> NgramModel:
    ids = token_file(codec, texts or [*ENGLISH, *CHINESE])
    return train_ngram(ids, codec.vocab_size, order=order)


def small_shape(vocab_size: int, **changes) -> TransformerShape:
    sizes = {
        "vocab_size": vocab_size, "width": 24, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2,
        "head_width": 6, "feed_forward_width": 40, "context_tokens": 32,
    }  # fmt: skip
    return TransformerShape(**{**sizes, **changes})


def transformer_tensors(shape: TransformerShape, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    queries, keys = shape.num_heads * shape.head_width, shape.num_kv_heads * shape.head_width
    sizes = {"model.embed_tokens": (shape.vocab_size, shape.width), "model.norm": (shape.width,)}
    for layer in range(shape.num_layers):
        prefix = f"model.layers.{layer}."
        sizes |= {
            prefix + "input_layernorm": (shape.width,),
            prefix + "self_attn.q_proj": (queries, shape.width),
            prefix + "self_attn.k_proj": (keys, shape.width),
            prefix + "self_attn.v_proj": (keys, shape.width),
            prefix + "self_attn.o_proj": (shape.width, queries),
            prefix + "self_attn.q_norm": (shape.head_width,),
            prefix + "self_attn.k_norm": (shape.head_width,),
            prefix + "post_attention_layernorm": (shape.width,),
            prefix + "mlp.gate_proj": (shape.feed_forward_width, shape.width),
            prefix + "mlp.up_proj": (shape.feed_forward_width, shape.width),
            prefix + "mlp.down_proj": (shape.width, shape.feed_forward_width),
        }
    return {f"{name}.weight": _drawn(rng, size) for name, size in sizes.items()}


def recurrent_tensors(shape: RecurrentShape, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    state, width, rows = shape.state_width, shape.embedding_width, 0
    rows = shape.num_gates * state
    sizes = {
        "embedding.weight": (shape.vocab_size, width),
        "projection.weight": (width, state),
        "output.bias": (shape.vocab_size,),
    }
    for layer in range(shape.num_layers):
        inputs = state if layer else width
        sizes |= {
            f"recurrent.weight_ih_l{layer}": (rows, inputs),
            f"recurrent.weight_hh_l{layer}": (rows, state),
            f"recurrent.bias_ih_l{layer}": (rows,),
            f"recurrent.bias_hh_l{layer}": (rows,),
        }
    return {name: _drawn(rng, size) for name, size in sizes.items()}


def small_gate(num_orders: int, seed: int = 0) -> Gate:
    rng = np.random.default_rng(seed)
    features, experts = num_gate_features(num_orders), num_experts(num_orders)
    return Gate(
        mean_F=rng.normal(0, 1, features).astype(np.float32),
        scale_F=rng.uniform(0.5, 1.5, features).astype(np.float32),
        hidden_HF=rng.normal(0, 0.3, (5, features)).astype(np.float32),
        hidden_bias_H=rng.normal(0, 0.3, 5).astype(np.float32),
        output_KH=rng.normal(0, 0.5, (experts, 5)).astype(np.float32),
        output_bias_K=rng.normal(0, 0.5, experts).astype(np.float32),
    )


def small_vectors(vocab_size: int, seed: int = 0) -> WordVectors:
    rng = np.random.default_rng(seed)
    noise_V = rng.uniform(0.5, 1.5, vocab_size)
    return WordVectors(
        vectors_VD=rng.normal(0, 0.5, (vocab_size, 8)).astype(np.float32),
        output_VD=rng.normal(0, 0.5, (vocab_size, 8)).astype(np.float32),
        log_noise_V=np.log(noise_V / noise_V.sum()).astype(np.float32),
        window=4,
        settings={},
    )


def small_parts(kind: str, tokenizer: str = "character", seed: int = 0, **sizes: int) -> ModelParts:
    codec = small_codec(tokenizer)
    shape, tensors = None, {}
    if kind in ("transformer", "mixture"):
        shape = small_shape(codec.vocab_size, **sizes)
        tensors = transformer_tensors(shape, seed)
    elif kind in ("rnn", "lstm"):
        shape = RecurrentShape(
            cell=kind, vocab_size=codec.vocab_size, embedding_width=10, state_width=12, num_layers=2
        )
        tensors = recurrent_tensors(shape, seed)
    ngram = small_ngram(codec, order=3 + seed % 2) if kind in ("ngram", "mixture") else None
    return ModelParts(
        kind=kind,
        codec=codec,
        shape=shape,
        tensors=tensors,
        ngram=ngram,
        gate=small_gate(ngram.order, seed) if ngram and kind == "mixture" else None,
        vectors=small_vectors(codec.vocab_size, seed) if kind == "vectors" else None,
        texts={"README.md": f"seed {seed}\n", "report.html": "<p>report</p>"},
        facts={"seed": seed, "recipe": {"text": "你好"}},
    )


def small_model(
    directory: Path, kind: str, tokenizer: str = "character", seed: int = 0, **sizes: int
) -> Path:
    write_model(directory, small_parts(kind, tokenizer, seed, **sizes))
    return directory


def _drawn(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    if len(size) == 1:
        return rng.normal(1.0, 0.2, size).astype(np.float32)
    return rng.normal(0.0, 1.2 / np.sqrt(size[-1]), size).astype(np.float32)
