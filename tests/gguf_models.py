"""GGUF files of small networks, made inside a test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from small_models import (
    small_codec,
    small_model,
    small_parts,
    small_shape,
    transformer_tensors,
)

from sparrowlm.export.gguf_file import GgufNetwork, GgufParts, write_gguf
from sparrowlm.export.gguf_model import export_gguf
from sparrowlm.export.model_directory import write_model
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.runtime.gguf_files import model_files
from sparrowlm.text.tokenizers import TokenCodec
from sparrowlm.text.tokenizers.byte_pair import byte_alphabet, rebuilt_byte_pairs
from sparrowlm.text.tokenizers.codec import SEPARATOR

WIDE = {"width": 48, "head_width": 16, "num_heads": 4, "num_kv_heads": 2, "feed_forward_width": 72}


def wide_shape(vocab_size: int, **changes) -> TransformerShape:
    """Return sizes that fill no tile but are wide enough for the compiled engine."""
    return small_shape(vocab_size, **{**WIDE, **changes})


def gguf_mixture(path: Path, form: str = "int8") -> Path:
    """Export a mixture whose network is wide enough for the compiled engine."""
    directory = small_model(path.with_suffix(""), "mixture", width=48, head_width=16)
    export_gguf(model_files(directory), path, form)
    return path


def gguf_recurrent(path: Path, kind: str, form: str = "int8", tokenizer: str = "character") -> Path:
    """Export a recurrent network; its sizes fill no tile."""
    directory = small_model(path.with_suffix(""), kind, tokenizer)
    export_gguf(model_files(directory), path, form)
    return path


def gguf_recurrent_mixture(path: Path, form: str = "int8") -> Path:
    """Export a mixture whose network is an LSTM."""
    recurrent = small_parts("lstm")
    changes = {"shape": recurrent.shape, "tensors": recurrent.tensors}
    write_model(path.with_suffix(""), replace(small_parts("mixture"), **changes))
    export_gguf(model_files(path.with_suffix("")), path, form)
    return path


def gguf_ngram(path: Path, tokenizer: str = "character") -> Path:
    """Export a counting model alone."""
    directory = small_model(path.with_suffix(""), "ngram", tokenizer)
    export_gguf(model_files(directory), path)
    return path


def bytes_alone() -> TokenCodec:
    """Return byte pairs that are none: no merges were learnt, or all of them went."""
    return rebuilt_byte_pairs([SEPARATOR, *sorted(byte_alphabet())], [])


def gguf_model(path: Path, form: str = "int8", codec: TokenCodec | None = None, **changes) -> Path:
    codec = codec or small_codec()
    shape = wide_shape(codec.vocab_size, **changes)
    tensors = transformer_tensors(shape)
    network = GgufNetwork(shape=shape, tensors=tensors, codec=codec, form=form)
    write_gguf(path, GgufParts(network=network))
    return path
