"""From one GGUF file to something that answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.runtime.engines import NeuralEngine
from sparrowlm.runtime.gguf_reading import GgufFile
from sparrowlm.runtime.gguf_tensors import Matrix, plain_tensor
from sparrowlm.runtime.native_engine import CompiledEngine, NativeEngine, has_lanes_for
from sparrowlm.text.tokenizers import TokenCodec
from sparrowlm.text.tokenizers.rebuilding import codec_from_parts

_ARCHITECTURES = ("qwen3", "sparrow")
# Names in GGUF and in model.safetensors.
LAYER_PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def gguf_shape(file: GgufFile) -> TransformerShape:
    """Read the sizes of the network.

    Raises:
        DamagedFileError: a setting is missing, or the architecture is not read here.
    """
    architecture = file.setting("general.architecture", str)
    if architecture not in _ARCHITECTURES:
        raise damaged_gguf(file, f"architecture {architecture}")

    def number(name: str) -> int:
        return int(file.setting(f"{architecture}.{name}", int))

    embedding = file.tensors.get("token_embd.weight")
    if embedding is None:
        raise damaged_gguf(file, "tensor token_embd.weight: missing")
    stated = file.settings.get(f"{architecture}.vocab_size")
    epsilon = file.setting(f"{architecture}.attention.layer_norm_rms_epsilon", float)
    return TransformerShape(
        vocab_size=stated if isinstance(stated, int) else embedding.sizes[0],
        width=number("embedding_length"),
        num_layers=number("block_count"),
        num_heads=number("attention.head_count"),
        num_kv_heads=number("attention.head_count_kv"),
        head_width=number("attention.key_length"),
        feed_forward_width=number("feed_forward_length"),
        context_tokens=number("context_length"),
        rope_base=float(file.settings.get(f"{architecture}.rope.freq_base", 10_000.0)),
        norm_epsilon=epsilon,
    )


def gguf_tensors(file: GgufFile, shape: TransformerShape) -> dict[str, Matrix]:
    """Return all weights by their names in model.safetensors, float32.

    Raises:
        DamagedFileError: a tensor is missing or of other sizes.
    """
    queries, keys = shape.num_heads * shape.head_width, shape.num_kv_heads * shape.head_width
    width, inner, head = shape.width, shape.feed_forward_width, shape.head_width
    sizes: dict[str, tuple[int, ...]] = {
        "attn_norm": (width,), "attn_q": (queries, width), "attn_k": (keys, width),
        "attn_v": (keys, width), "attn_q_norm": (head,), "attn_k_norm": (head,),
        "attn_output": (width, queries), "ffn_norm": (width,), "ffn_gate": (inner, width),
        "ffn_up": (inner, width), "ffn_down": (width, inner),
    }  # fmt: skip
    wanted = {
        "model.embed_tokens.weight": ("token_embd.weight", (shape.vocab_size, width)),
        "model.norm.weight": ("output_norm.weight", (width,)),
    }
    for layer in range(shape.num_layers):
        for part, own in LAYER_PARTS.items():
            name = f"model.layers.{layer}.{own}.weight"
            wanted[name] = (f"blk.{layer}.{part}.weight", sizes[part])
    return {name: named_tensor(file, *place) for name, place in wanted.items()}


def gguf_engine(file: GgufFile, shape: TransformerShape) -> NeuralEngine[Any]:
    """Return what runs the network: the compiled engine, or NumPy where there is none.

    Raises:
        DamagedFileError: the file cannot be used.
    """
    if native_part() is not None and has_lanes_for(shape):
        return compiled(file, lambda: NativeEngine(file.content, shape.context_tokens))
    from sparrowlm.runtime.transformer_engine import TransformerEngine

    return TransformerEngine(shape, gguf_tensors(file, shape), file.path)


def compiled(file: GgufFile, make: Callable[[], CompiledEngine]) -> CompiledEngine:
    """Let the compiled engine take a file.

    Raises:
        DamagedFileError: the file cannot be used.
    """
    try:
        engine = make()
    except ValueError as error:
        raise damaged_gguf(file, error) from error
    # Most of the file stands in the engine's own form now.
    file.let_go()
    return engine


def gguf_codec(file: GgufFile) -> TokenCodec:
    """Return the tokenizer.

    Raises:
        DamagedFileError: it is not one of ours.
    """
    try:
        return codec_from_parts(
            kind=file.setting("sparrow.tokenizer.kind", str),
            names=file.setting("tokenizer.ggml.tokens", list),
            scores=[float(score) for score in file.settings.get("tokenizer.ggml.scores", ())],
            merges=list(file.settings.get("tokenizer.ggml.merges", ())),
            is_uncased=bool(file.settings.get("sparrow.tokenizer.is_uncased", False)),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise damaged_gguf(file, f"tokenizer: {error}") from error


def named_tensor(file: GgufFile, name: str, sizes: tuple[int, ...]) -> Matrix:
    """Return a tensor's numbers, float32.

    Args:
        file: it stands in.
        name: of the tensor.
        sizes: that it must have.

    Raises:
        DamagedFileError: it is missing or has other sizes.
    """
    tensor = file.tensors.get(name)
    if tensor is None:
        raise damaged_gguf(file, f"tensor {name}: missing")
    try:
        return plain_tensor(tensor, sizes)
    except ValueError as error:
        raise damaged_gguf(file, f"tensor {name}: {error}") from error


def damaged_gguf(file: GgufFile, reason: object) -> DamagedFileError:
    """Return the error that names a file and what is wrong with it."""
    return DamagedFileError("foundation.file-damaged", path=Path(file.path), reason=reason)
