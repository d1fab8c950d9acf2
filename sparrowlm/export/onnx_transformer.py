"""A Transformer as a graph of ONNX: a decoder with keys and values kept, or an encoder.

Decoder   input_ids [batch, time], past.N.key and past.N.value [batch, heads, seen, width]
          -> logits [batch, time, vocab], present.N.key and present.N.value
Encoder   input_ids [batch, time], lengths [batch]
          -> states [batch, time, width] (those behind the end of a text mean nothing), pooled
             [batch, 2 width]; of a classifier logits [batch, labels]; of an encoder that fills gaps
             logits [batch, time, vocab]

Shape letters: see models/protocol.py; E width of a head, S positions seen, C context.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.export.onnx_graph import OnnxGraph
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.ngram_buckets import MASK, MULTIPLIER, SHIFT
from sparrowlm.runtime.encoder_engine import NgramTables
from sparrowlm.runtime.transformer_layers import rotary_tables

Tensors = Mapping[str, np.ndarray[Any, np.dtype[np.float32]]]


@dataclass(frozen=True)
class _Place:
    """What every layer needs beside its weights.

    Attributes:
        cosine, sine: of the new positions, [T, 1, E / 2].
        mask: added to the scores, [.., T, S].
    """

    cosine: str
    sine: str
    mask: str


class TransformerGraph:
    """Writes the layers.

    Args:
        graph: to write into.
        shape: of the network.
        tensors: weights by their names in model.safetensors, float32.
    """

    def __init__(self, graph: OnnxGraph, shape: TransformerShape, tensors: Tensors) -> None:
        self._graph, self._shape, self._tensors = graph, shape, tensors
        self._half = shape.head_width // 2
        self.embedding = graph.constant(tensors["model.embed_tokens.weight"], "embedding")

    def decoder(self) -> None:
        """Write a decoder, inputs and outputs included."""
        graph, shape = self._graph, self._shape
        ids = graph.input("input_ids", np.int64, ("batch", "time"))
        past = [self._past(layer) for layer in range(shape.num_layers)]
        time, seen = graph.size(ids, 1), graph.size(past[0][0], 2)
        total = graph.add("Add", seen, time)
        place = _Place(*self._angles(seen, total), self._causal_mask(seen, total))
        x, present = graph.add("Gather", self.embedding, ids), []
        for layer, kept in enumerate(past):
            x, now = self._layer(x, layer, place, kept)
            present.append(now)
        axes = ("batch", "time", shape.vocab_size)
        graph.output("logits", self.scores(self._norm(x, "model.norm")), np.float32, axes)
        kept_axes = ("batch", shape.num_kv_heads, "total", shape.head_width)
        for layer, (key, value) in enumerate(present):
            graph.output(f"present.{layer}.key", key, np.float32, kept_axes)
            graph.output(f"present.{layer}.value", value, np.float32, kept_axes)

    def encoder(self, tables: NgramTables, *, has_added: bool = False) -> tuple[str, str]:
        """Write an encoder, inputs included; return its states and the pooled ones.

        Args:
            tables: of the n-grams.
            has_added: a third input, added [batch, time, width], is added to what enters it.
        """
        graph, shape = self._graph, self._shape
        ids = graph.input("input_ids", np.int64, ("batch", "time"))
        lengths = graph.input("lengths", np.int64, ("batch",))
        time = graph.size(ids, 1)
        zero = graph.constant([0])
        places = self._range(zero, time)
        outside = graph.add("GreaterOrEqual", places, graph.reshaped(lengths, -1, 1))
        inside = graph.add("Not", outside)
        mask = self._minus_infinity(graph.add("Unsqueeze", outside, graph.constant([1, 2])))
        place = _Place(*self._angles(zero, time), mask)
        x = graph.add("Gather", self.embedding, ids)
        if tables.orders:
            x = graph.add("Add", x, self._ngrams(ids, inside, tables))
        if has_added:
            added = graph.input("added", np.float32, ("batch", "time", shape.width))
            x = graph.add("Add", x, added)
        for layer in range(shape.num_layers):
            x, _kept = self._layer(x, layer, place, None)
        states = self._norm(x, "model.norm")
        return states, self._pooled(states, inside, lengths)

    def scores(self, states: str) -> str:
        """Return the scores of all ids: the output is the embedding."""
        graph = self._graph
        return graph.add("MatMul", states, graph.add("Transpose", self.embedding, perm=[1, 0]))

    def _past(self, layer: int) -> tuple[str, str]:
        shape = self._shape
        axes = ("batch", shape.num_kv_heads, "seen", shape.head_width)
        key, value = (
            self._graph.input(f"past.{layer}.{part}", np.float32, axes) for part in ("key", "value")
        )
        return key, value

    def _range(self, first: str, end: str) -> str:
        graph = self._graph
        ends = [graph.add("Squeeze", one, graph.constant([0])) for one in (first, end)]
        return graph.add("Range", *ends, graph.constant(np.array(1, dtype=np.int64)))

    def _angles(self, first: str, end: str) -> tuple[str, str]:
        cosine_CE, sine_CE = rotary_tables(self._shape)
        graph = self._graph
        found = []
        for name, table in (("cosine", cosine_CE), ("sine", sine_CE)):
            rows = graph.add("Slice", graph.constant(table, name), first, end, graph.constant([0]))
            found.append(graph.add("Unsqueeze", rows, graph.constant([1])))
        return found[0], found[1]

    def _causal_mask(self, seen: str, total: str) -> str:
        graph = self._graph
        new = graph.reshaped(self._range(seen, total), -1, 1)
        return self._minus_infinity(
            graph.add("Greater", self._range(graph.constant([0]), total), new)
        )

    def _minus_infinity(self, is_hidden: str) -> str:
        graph = self._graph
        hidden, seen = (graph.constant(np.array(v, dtype=np.float32)) for v in (-np.inf, 0.0))
        return graph.add("Where", is_hidden, hidden, seen)

    def _layer(
        self, x: str, layer: int, place: _Place, past: tuple[str, str] | None
    ) -> tuple[str, tuple[str, str]]:
        graph, name = self._graph, f"model.layers.{layer}"
        normed = self._norm(x, f"{name}.input_layernorm")
        mixed, kept = self._attention(normed, f"{name}.self_attn", place, past)
        x = graph.add("Add", x, self._product(mixed, f"{name}.self_attn.o_proj"))
        normed = self._norm(x, f"{name}.post_attention_layernorm")
        gate, up = (self._product(normed, f"{name}.mlp.{part}_proj") for part in ("gate", "up"))
        silu = graph.add("Mul", gate, graph.add("Sigmoid", gate))
        inner = graph.add("Mul", silu, up)
        return graph.add("Add", x, self._product(inner, f"{name}.mlp.down_proj")), kept

    def _attention(
        self, x: str, name: str, place: _Place, past: tuple[str, str] | None
    ) -> tuple[str, tuple[str, str]]:
        graph, shape = self._graph, self._shape
        query = self._turned(self._heads(x, f"{name}.q", shape.num_heads), f"{name}.q_norm", place)
        key = self._turned(self._heads(x, f"{name}.k", shape.num_kv_heads), f"{name}.k_norm", place)
        value = graph.add(
            "Transpose", self._heads(x, f"{name}.v", shape.num_kv_heads), perm=[0, 2, 1, 3]
        )
        if past is not None:
            key = graph.add("Concat", past[0], key, axis=2)
            value = graph.add("Concat", past[1], value, axis=2)
        groups = shape.num_heads // shape.num_kv_heads
        time, axis = graph.size(x, 1), graph.constant([2])
        split = (0, shape.num_kv_heads, groups, time, shape.head_width)
        grouped = graph.reshaped(query, *split)
        keys = graph.add("Transpose", graph.add("Unsqueeze", key, axis), perm=[0, 1, 2, 4, 3])
        scale = graph.constant(np.array(1.0 / math.sqrt(shape.head_width), dtype=np.float32))
        scores = graph.add("MatMul", graph.add("Mul", grouped, scale), keys)
        mask = place.mask
        if past is None:
            mask = graph.add("Unsqueeze", mask, graph.constant([1]))
        shares = graph.add("Softmax", graph.add("Add", scores, mask), axis=-1)
        mixed = graph.add("MatMul", shares, graph.add("Unsqueeze", value, axis))
        mixed = graph.reshaped(mixed, 0, shape.num_heads, time, shape.head_width)
        mixed = graph.add("Transpose", mixed, perm=[0, 2, 1, 3])
        return graph.reshaped(mixed, 0, time, shape.num_heads * shape.head_width), (key, value)

    def _heads(self, x: str, name: str, count: int) -> str:
        projected = self._product(x, f"{name}_proj")
        return self._graph.reshaped(projected, 0, 0, count, self._shape.head_width)

    def _turned(self, heads: str, norm: str, place: _Place) -> str:
        graph = self._graph
        parts = graph.constant([self._half, self._half])
        first, second = graph.several("Split", [self._norm(heads, norm), parts], 2, axis=-1)
        turned = graph.add(
            "Concat",
            graph.add("Sub", *(self._times(first, place.cosine, second, place.sine))),
            graph.add("Add", *(self._times(second, place.cosine, first, place.sine))),
            axis=-1,
        )
        return graph.add("Transpose", turned, perm=[0, 2, 1, 3])

    def _times(self, one: str, by_one: str, other: str, by_other: str) -> Sequence[str]:
        return self._graph.add("Mul", one, by_one), self._graph.add("Mul", other, by_other)

    def _norm(self, x: str, name: str) -> str:
        graph = self._graph
        mean = graph.add("ReduceMean", graph.add("Mul", x, x), graph.constant([-1]), keepdims=1)
        epsilon = graph.constant(np.array(self._shape.norm_epsilon, dtype=np.float32))
        root = graph.add("Sqrt", graph.add("Add", mean, epsilon))
        weight = graph.constant(self._tensors[f"{name}.weight"], f"{name}.weight")
        return graph.add("Mul", graph.add("Div", x, root), weight)

    def _product(self, x: str, name: str) -> str:
        weight_IO = np.ascontiguousarray(self._tensors[f"{name}.weight"].T)
        return self._graph.add("MatMul", x, self._graph.constant(weight_IO, f"{name}.weight"))

    def _ngrams(self, ids: str, inside: str, tables: NgramTables) -> str:
        """Return what the tables know of the n-grams that hold each position."""
        graph = self._graph
        width = tables.up_DW.shape[1]
        mask = graph.add("Cast", inside, to=1)
        mask = graph.add("Unsqueeze", mask, graph.constant([2]))
        total: str | None = None
        for index, (order, rows) in enumerate(zip(tables.orders, tables.tables_RW, strict=True)):
            table = graph.constant(rows.plain(), f"ngrams.table.{index}")
            buckets = self._buckets(ids, order, len(rows.scales_R))
            ending = graph.add("Mul", graph.add("Gather", table, buckets), mask)
            for ahead in range(order):
                part = ending if ahead == 0 else self._moved(ending, ahead, width)
                total = part if total is None else graph.add("Add", total, part)
        assert total is not None  # noqa: S101 - there is at least one table
        up_WD = np.ascontiguousarray(tables.up_DW.T)
        return graph.add("MatMul", total, graph.constant(up_WD, "ngrams.up"))

    def _buckets(self, ids: str, order: int, num_buckets: int) -> str:
        graph = self._graph
        multiplier = graph.constant(np.array(MULTIPLIER, dtype=np.int64))
        keys = ids
        for back in range(1, order):
            pads = graph.constant([0, back, 0, 0])
            end = graph.constant([-back])
            moved = graph.add("Pad", ids, pads)
            moved = graph.add("Slice", moved, graph.constant([0]), end, graph.constant([1]))
            keys = graph.add("Add", graph.add("Mul", keys, multiplier), moved)
        keys = graph.add("Mul", keys, multiplier)
        low = graph.add("BitwiseAnd", keys, graph.constant(np.array(MASK, dtype=np.int64)))
        divisor = graph.constant(np.array(1 << int(SHIFT), dtype=np.int64))
        count = graph.constant(np.array(num_buckets, dtype=np.int64))
        return graph.add("Mod", graph.add("Div", low, divisor), count)

    def _moved(self, values: str, ahead: int, width: int) -> str:
        """Return at every position what stands `ahead` positions behind it, else zeros."""
        graph = self._graph
        pads = graph.constant([0, 0, 0, 0, ahead, 0])
        padded = graph.add("Pad", values, pads)
        end = graph.constant([np.iinfo(np.int64).max])
        return graph.add("Slice", padded, graph.constant([ahead]), end, graph.constant([1]))

    def _pooled(self, states: str, inside: str, lengths: str) -> str:
        graph = self._graph
        is_inside = graph.add("Unsqueeze", inside, graph.constant([2]))
        zero, least = (graph.constant(np.array(v, dtype=np.float32)) for v in (0.0, -np.inf))
        sums = graph.add(
            "ReduceSum",
            graph.add("Where", is_inside, states, zero),
            graph.constant([1]),
            keepdims=0,
        )
        counts = graph.reshaped(graph.add("Cast", lengths, to=1), -1, 1)
        largest = graph.add(
            "ReduceMax",
            graph.add("Where", is_inside, states, least),
            graph.constant([1]),
            keepdims=0,
        )
        return graph.add("Concat", graph.add("Div", sums, counts), largest, axis=1)
