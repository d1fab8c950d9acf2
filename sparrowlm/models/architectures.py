"""Sizes of the neural models, as they stand in config.json; no torch, for engines read them too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sparrowlm.foundation.errors import DamagedFileError

CellKind = Literal["rnn", "lstm"]
_ALIGNMENT = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class TransformerShape:
    """What Hugging Face calls Qwen3, output tied to the embedding: a decoder or an encoder.

    Attributes:
        vocab_size: V, number of ids.
        width: D, size of the residual stream.
        num_layers: number of blocks.
        num_heads: H, query heads.
        num_kv_heads: K, heads of keys and values; divides num_heads.
        head_width: E, even.
        feed_forward_width: F, inner size of the gated feed-forward part (SwiGLU).
        context_tokens: longest window the model was trained on.
        rope_base: base of the rotary angles.
        norm_epsilon: added to the mean square inside RMSNorm.
        is_causal: every position sees those before it (decoder), else all (encoder).

    Source: Qwen3 technical report 2025, arXiv:2505.09388, section 2; RMSNorm: Zhang and Sennrich
    2019, arXiv:1910.07467; rotary positions: Su et al. 2021, arXiv:2104.09864; SwiGLU: Shazeer
    2020, arXiv:2002.05202; grouped queries: Ainslie et al. 2023, arXiv:2305.13245.
    """

    vocab_size: int
    width: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_width: int
    feed_forward_width: int
    context_tokens: int
    rope_base: float = 10_000.0
    norm_epsilon: float = 1e-6
    is_causal: bool = True

    def num_parameters(self) -> int:
        """Count the weights, the tied embedding once."""
        attention = self.width * self.head_width * 2 * (self.num_heads + self.num_kv_heads)
        norms = 2 * self.width + 2 * self.head_width
        block = attention + 3 * self.width * self.feed_forward_width + norms
        return self.vocab_size * self.width + self.num_layers * block + self.width

    def hugging_face_config(self) -> dict[str, Any]:
        """Return the content of config.json."""
        return {
            "architectures": ["Qwen3ForCausalLM" if self.is_causal else "Qwen3Model"],
            "model_type": "qwen3",
            # transformers reads this key: false makes the very same weights see both sides.
            **({} if self.is_causal else {"is_causal": False}),
            "vocab_size": self.vocab_size,
            "hidden_size": self.width,
            "num_hidden_layers": self.num_layers,
            "num_attention_heads": self.num_heads,
            "num_key_value_heads": self.num_kv_heads,
            "head_dim": self.head_width,
            "intermediate_size": self.feed_forward_width,
            "max_position_embeddings": self.context_tokens,
            "rope_theta": self.rope_base,
            "rope_parameters": {"rope_type": "default", "rope_theta": self.rope_base},
            "rms_norm_eps": self.norm_epsilon,
            "hidden_act": "silu",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "tie_word_embeddings": True,
            "use_cache": True,
            "bos_token_id": 0,
            "eos_token_id": 0,
            "pad_token_id": 0,
            "dtype": "float32",
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class RecurrentShape:
    """A simple recurrent network (tanh) or an LSTM, output tied to the embedding.

    Attributes:
        cell: "rnn" or "lstm".
        vocab_size: V.
        embedding_width: D, size of an embedding; the output goes back through it.
        state_width: S, size of the hidden state.
        num_layers: stacked layers.

    Source: Elman 1990, "Finding structure in time"; Hochreiter and Schmidhuber 1997, "Long
    short-term memory"; tied output: Press and Wolf 2017, arXiv:1608.05859.
    """

    cell: CellKind
    vocab_size: int
    embedding_width: int
    state_width: int
    num_layers: int

    @property
    def num_gates(self) -> int:
        """Blocks of rows in the recurrent matrices: 4 for LSTM (input, forget, cell, output)."""
        return 4 if self.cell == "lstm" else 1

    def num_parameters(self) -> int:
        """Count the weights, the tied embedding once."""
        rows = self.num_gates * self.state_width
        inputs = [self.embedding_width] + [self.state_width] * (self.num_layers - 1)
        layers = sum(rows * (size + self.state_width + 2) for size in inputs)
        projection = self.state_width * self.embedding_width
        return self.vocab_size * (self.embedding_width + 1) + layers + projection

    def sparrow_config(self) -> dict[str, Any]:
        """Return the content of config.json."""
        return {
            "model_type": f"sparrow_{self.cell}",
            "vocab_size": self.vocab_size,
            "embedding_width": self.embedding_width,
            "state_width": self.state_width,
            "num_layers": self.num_layers,
        }


def shape_from_config(config: Mapping[str, Any], path: object) -> TransformerShape | RecurrentShape:
    """Read the sizes back from the content of config.json.

    Args:
        config: the JSON object.
        path: named in the error.

    Raises:
        DamagedFileError: a field is missing or of the wrong type, or the kind is unknown.
    """
    try:
        kind = config["model_type"]
        if kind == "qwen3":
            return _transformer_shape(config)
        if kind in ("sparrow_rnn", "sparrow_lstm"):
            return RecurrentShape(
                cell="lstm" if kind == "sparrow_lstm" else "rnn",
                vocab_size=int(config["vocab_size"]),
                embedding_width=int(config["embedding_width"]),
                state_width=int(config["state_width"]),
                num_layers=int(config["num_layers"]),
            )
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError("foundation.file-damaged", path=path, reason=error) from error
    raise DamagedFileError("foundation.file-damaged", path=path, reason=f"model_type {kind!r}")


def _transformer_shape(config: Mapping[str, Any]) -> TransformerShape:
    return TransformerShape(
        vocab_size=int(config["vocab_size"]),
        width=int(config["hidden_size"]),
        num_layers=int(config["num_hidden_layers"]),
        num_heads=int(config["num_attention_heads"]),
        num_kv_heads=int(config["num_key_value_heads"]),
        head_width=int(config["head_dim"]),
        feed_forward_width=int(config["intermediate_size"]),
        context_tokens=int(config["max_position_embeddings"]),
        rope_base=float(config["rope_theta"]),
        norm_epsilon=float(config["rms_norm_eps"]),
        is_causal=bool(config.get("is_causal", True)),
    )


def rounded_width(width: float) -> int:
    """Round up to a multiple of 64, on which matrix units run at full speed."""
    return max(_ALIGNMENT, round(width / _ALIGNMENT + 0.499) * _ALIGNMENT)
