"""One file with everything that is needed to run a model: GGUF, version 3.

A Transformer alone, in forms that llama.cpp knows (see gguf_blocks), has the architecture
"qwen3", and llama.cpp opens the file; everything else has "sparrow" and is for our own engine. The
output matrix is the embedding and is never written twice.

Source: ggml's description of GGUF; names of settings and tensors: llama.cpp's for Qwen3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.export.gguf_blocks import StoredTensor
from sparrowlm.export.gguf_network import NetworkParts
from sparrowlm.export.gguf_recurrent import (
    GgufRecurrent,
    recurrent_stored,
)
from sparrowlm.export.gguf_settings import write_settings
from sparrowlm.export.gguf_tasks import words_of, write_task
from sparrowlm.export.gguf_tokens import TokenSettings, token_settings
from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DependencyError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.runtime.gguf_files import FILE_PREFIX, GOLDEN_KEY, MANIFEST_KEY
from sparrowlm.runtime.gguf_loading import LAYER_PARTS, transformer_settings
from sparrowlm.runtime.gguf_recurrent import recurrent_settings
from sparrowlm.runtime.native_engine import has_lanes_for
from sparrowlm.text.tokenizers import TokenCodec

FORMAT_VERSION = 1
# ggml's numbers of file types and the version of its blocks.
_FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 7, "Q5_0": 8, "BF16": 32}
_QUANTIZATION_VERSION = 2
_GOLDEN_IDS = 4
_PARTS = {own: part for part, own in LAYER_PARTS.items()}


@dataclass(frozen=True, kw_only=True)
class GgufNetwork(NetworkParts):
    """A decoder that is a Transformer.

    Attributes:
        shape: its sizes.
    """

    shape: TransformerShape


@dataclass(frozen=True, kw_only=True)
class GgufParts:
    """What goes into the file.

    Attributes:
        network: a Transformer or a recurrent network, if there is one.
        codec: the tokenizer of a model that has no network and runs without Python all the same: a
            counting model.
        files: of a model directory, by name, byte for byte.
        manifest: the content of sparrow.json.
        has_words: a model that asks about Chinese words brings the dictionaries that know them.
    """

    network: GgufNetwork | GgufRecurrent | None = None
    codec: TokenCodec | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    has_words: bool = False


def write_gguf(path: Path, parts: GgufParts) -> None:
    """Write the file atomically.

    Args:
        path: the file to replace.
        parts: see GgufParts.

    Raises:
        DependencyError: the package gguf is missing, or a form needs the compiled part.
        ResourceError: disk full or not writable.
    """
    stored = _network_tensors(parts.network)
    for name, content in parts.files.items():
        data = np.frombuffer(content, dtype=np.int8)
        stored[FILE_PREFIX + name] = StoredTensor(data, "I8")
    words = words_of(parts.files) if parts.has_words else {}
    stored |= {name: StoredTensor(dictionary, "I8") for name, dictionary in words.items()}
    golden_ids = _golden_ids(parts)
    with atomic.replaced(Path(path)) as temporary:
        _write(temporary, parts, stored, {})
        golden = _golden(temporary, golden_ids)
        if golden:
            _write(temporary, parts, stored, golden)


def _network_tensors(network: GgufNetwork | GgufRecurrent | None) -> dict[str, StoredTensor]:
    if isinstance(network, GgufRecurrent):
        return recurrent_stored(network)
    if network is None:
        return {}
    return {gguf_name(name): network.stored(name) for name in network.tensors}


def _write(
    path: Path,
    parts: GgufParts,
    stored: Mapping[str, StoredTensor],
    golden: Mapping[int, list[int]],
) -> None:
    try:
        from gguf import GGUFWriter
    except ImportError as error:
        raise DependencyError.for_extra("gguf", "train") from error
    is_common = isinstance(parts.network, GgufNetwork) and all(
        tensor.type_name != "I8" for tensor in stored.values()
    )
    writer = GGUFWriter(path, "qwen3" if is_common else "sparrow")
    writer.add_uint32("sparrow.format_version", FORMAT_VERSION)
    if is_common:
        _write_type(writer, [tensor.type_name for tensor in stored.values()])
    _write_sizes(writer, parts)
    codec = parts.codec if parts.network is None else parts.network.codec
    if codec is not None:
        _write_tokens(writer, token_settings(codec))
    if parts.network is None and parts.codec is None:
        read_by = write_task(writer, parts.files, parts.manifest)
        if read_by is not None:
            _write_tokens(writer, token_settings(read_by))
    if parts.manifest:
        writer.add_string(MANIFEST_KEY, json.dumps(parts.manifest, ensure_ascii=False))
    for golden_hash, ids in golden.items():
        writer.add_array("sparrow.golden.ids", ids)
        writer.add_uint64(GOLDEN_KEY, golden_hash)
    for name, tensor in stored.items():
        _write_tensor(writer, name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_sizes(writer: Any, parts: GgufParts) -> None:  # noqa: ANN401 - GGUFWriter
    if isinstance(parts.network, GgufRecurrent):
        write_settings(writer, recurrent_settings(parts.network.shape))
    elif parts.network is not None:
        settings = transformer_settings(parts.network.shape)
        write_settings(writer, {f"{writer.arch}.{key}": one for key, one in settings.items()})
    elif parts.codec is not None:
        writer.add_vocab_size(parts.codec.vocab_size)


def _write_type(writer: Any, type_names: list[str]) -> None:  # noqa: ANN401 - GGUFWriter
    """Say what most matrices are; some readers open nothing without it."""
    matrices = [name for name in type_names if name != "F32"] or ["F32"]
    writer.add_file_type(_FILE_TYPES[max(set(matrices), key=matrices.count)])
    writer.add_quantization_version(_QUANTIZATION_VERSION)


def _golden_ids(parts: GgufParts) -> list[int]:
    """Return some ids from all over the vocabulary, for the self-test; none where nothing reads."""
    network, count = parts.network, _GOLDEN_IDS
    if isinstance(network, GgufNetwork):
        if not has_lanes_for(network.shape):
            return []
        count = min(count, network.shape.context_tokens)
    codec = parts.codec if network is None else network.codec
    return [] if codec is None else [n * codec.vocab_size // count for n in range(count)]


def _golden(path: Path, ids: list[int]) -> dict[int, list[int]]:
    """Return what every machine must compute from this file: a hash, and the ids that lead to it.

    Empty without the compiled part, or without ids.
    """
    native = native_part()
    if native is None or not ids:
        return {}
    decoder = native.Decoder(np.fromfile(path, dtype=np.uint8), "", 1, _GOLDEN_IDS)
    return {int(decoder.golden_hash(np.array(ids, dtype=np.int32))): ids}


def gguf_name(name: str) -> str:
    """Return a tensor's name in GGUF.

    >>> gguf_name("model.layers.3.mlp.down_proj.weight")
    'blk.3.ffn_down.weight'
    """
    whole = {"model.embed_tokens.weight": "token_embd", "model.norm.weight": "output_norm"}
    if name in whole:
        return f"{whole[name]}.weight"
    number, part = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
    return f"blk.{number}.{_PARTS[part]}.weight"


def _write_tokens(writer: Any, tokens: TokenSettings) -> None:  # noqa: ANN401 - GGUFWriter
    writer.add_tokenizer_model(tokens.model)
    if tokens.pre:
        writer.add_tokenizer_pre(tokens.pre)
    writer.add_token_list(tokens.names)
    writer.add_token_types(tokens.types)
    if tokens.scores:
        writer.add_token_scores(tokens.scores)
    if tokens.merges:
        writer.add_token_merges(tokens.merges)
    for add in (writer.add_bos_token_id, writer.add_eos_token_id, writer.add_pad_token_id):
        add(0)
    # Every text begins behind a separator; no separator closes a prompt.
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_string("sparrow.tokenizer.kind", tokens.kind)
    writer.add_bool("sparrow.tokenizer.is_uncased", tokens.is_uncased)


def _write_tensor(writer: Any, name: str, tensor: StoredTensor) -> None:  # noqa: ANN401
    from gguf import GGMLQuantizationType

    writer.add_tensor(name, tensor.data, raw_dtype=GGMLQuantizationType[tensor.type_name])
