"""From one GGUF file, or the weights of a directory, to something that answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.runtime.engines import NeuralEngine
from sparrowlm.runtime.gguf_image import GgufImage
from sparrowlm.runtime.gguf_reading import GgufFile
from sparrowlm.runtime.gguf_tensors import Matrix, plain_tensor
from sparrowlm.runtime.native_engine import CompiledEngine, NativeEngine, has_lanes_for
from sparrowlm.runtime.weights import Tensors
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


def transformer_settings(shape: TransformerShape) -> dict[str, int | float]:
    """Return the sizes of a network as settings, without "<architecture>." in front of the keys."""
    return {
        "context_length": shape.context_tokens,
        "embedding_length": shape.width,
        "block_count": shape.num_layers,
        "feed_forward_length": shape.feed_forward_width,
        "attention.head_count": shape.num_heads,
        "attention.head_count_kv": shape.num_kv_heads,
        # A head may be wider or narrower than width / heads.
        "attention.key_length": shape.head_width,
        "attention.value_length": shape.head_width,
        "attention.layer_norm_rms_epsilon": shape.norm_epsilon,
        "rope.freq_base": float(shape.rope_base),
        "rope.dimension_count": shape.head_width,
        "vocab_size": shape.vocab_size,
    }


def transformer_places(shape: TransformerShape) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return every tensor of model.safetensors: its name in GGUF, and its sizes."""
    queries, keys = shape.num_heads * shape.head_width, shape.num_kv_heads * shape.head_width
    width, inner, head = shape.width, shape.feed_forward_width, shape.head_width
    sizes: dict[str, tuple[int, ...]] = {
        "attn_norm": (width,), "attn_q": (queries, width), "attn_k": (keys, width),
        "attn_v": (keys, width), "attn_q_norm": (head,), "attn_k_norm": (head,),
        "attn_output": (width, queries), "ffn_norm": (width,), "ffn_gate": (inner, width),
        "ffn_up": (inner, width), "ffn_down": (width, inner),
    }  # fmt: skip
    places: dict[str, tuple[str, tuple[int, ...]]] = {
        "model.embed_tokens.weight": ("token_embd.weight", (shape.vocab_size, width)),
        "model.norm.weight": ("output_norm.weight", (width,)),
    }
    for layer in range(shape.num_layers):
        for part, own in LAYER_PARTS.items():
            name = f"model.layers.{layer}.{own}.weight"
            places[name] = (f"blk.{layer}.{part}.weight", sizes[part])
    return places


def gguf_tensors(file: GgufFile, shape: TransformerShape) -> dict[str, Matrix]:
    """Return all weights by their names in model.safetensors, float32.

    Raises:
        DamagedFileError: a tensor is missing or of other sizes.
    """
    places = transformer_places(shape)
    return {name: named_tensor(file, *place) for name, place in places.items()}


def gguf_engine(file: GgufFile, shape: TransformerShape) -> NeuralEngine[Any]:
    """Return what runs the network: the compiled engine, or NumPy where there is none.

    Raises:
        DamagedFileError: the file cannot be used.
    """
    if native_part() is not None and has_lanes_for(shape):
        return compiled(file, lambda: NativeEngine(file.content, shape.context_tokens))
    from sparrowlm.runtime.transformer_engine import TransformerEngine

    return TransformerEngine(shape, gguf_tensors(file, shape), file.path)


def transformer_engine(
    shape: TransformerShape, tensors: Tensors, path: object
) -> NeuralEngine[Any]:
    """Return what runs the network of a directory: the compiled engine, or NumPy without one.

    Args:
        shape: all sizes.
        tensors: weights by their names in model.safetensors.
        path: named when a tensor is missing or of another shape.

    Raises:
        DamagedFileError: the tensors do not fit the shape.
    """
    if native_part() is not None and has_lanes_for(shape):
        sizes = transformer_settings(shape)
        settings = {"general.architecture": "qwen3"} | {
            f"qwen3.{key}": value for key, value in sizes.items()
        }
        image = GgufImage(settings, tensors, transformer_places(shape), path)
        return compiled(image, lambda: NativeEngine(image.content, shape.context_tokens))
    from sparrowlm.runtime.transformer_engine import TransformerEngine

    return TransformerEngine(shape, tensors, path)


def compiled(file: GgufFile | GgufImage, make: Callable[[], CompiledEngine]) -> CompiledEngine:
    """Let the compiled engine take a file.

    Raises:
        DamagedFileError: the file cannot be used.
    """
    try:
        engine = make()
    except ValueError as error:
        raise _damaged(file.path, error) from error
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
    return _damaged(file.path, reason)


def _damaged(path: object, reason: object) -> DamagedFileError:
    return DamagedFileError("foundation.file-damaged", path=path, reason=reason)
