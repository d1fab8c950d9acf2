"""A model directory as one GGUF file, without loss but for the form that was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.export.gguf_blocks import Form
from sparrowlm.export.gguf_file import GgufNetwork, GgufParts, write_gguf
from sparrowlm.export.gguf_recurrent import GgufRecurrent
from sparrowlm.models.architectures import RecurrentShape, TransformerShape, shape_from_config
from sparrowlm.runtime.directory import CONFIG_FILE, TENSORS_FILE, ModelFiles
from sparrowlm.runtime.gguf_files import GgufModelFiles
from sparrowlm.runtime.gguf_loading import gguf_codec, gguf_shape, gguf_tensors
from sparrowlm.runtime.gguf_recurrent import (
    holds_recurrent,
    recurrent_shape,
    recurrent_tensors,
)
from sparrowlm.runtime.loading import load_codec
from sparrowlm.runtime.weights import read_tensors
from sparrowlm.text.tokenizers import TokenCodec

_TOKENIZER_FILES = frozenset({"tokenizer.json", "tokenizer_config.json"})
_NETWORK_FILES = _TOKENIZER_FILES | {CONFIG_FILE, TENSORS_FILE}
_MODEL_TYPES = ("qwen3", "sparrow_rnn", "sparrow_lstm")
_COUNTING_KIND = "ngram"


def export_gguf(files: ModelFiles, path: Path, form: Form = "int8") -> None:
    """Write a model as one file.

    Args:
        files: of the model.
        path: the file to replace.
        form: of the matrices of a network; everything else keeps the form it has.

    Raises:
        DamagedFileError: a file of the model is not what was written.
        DependencyError: the package gguf is missing, or a form needs the compiled part.
        ResourceError: disk full or not writable.
    """
    network = any_network_of(files)
    content = other_files(files, has_network=network is not None)
    manifest = {**files.manifest, "files": listed(content)}
    if network is not None:
        network = replace(network, form=form)
    codec = counting_codec(files)
    parts = GgufParts(
        network=network, codec=codec, files=content, manifest=manifest, has_words=True
    )  # fmt: skip
    write_gguf(path, parts)


def any_network_of(files: ModelFiles) -> GgufNetwork | GgufRecurrent | None:
    """Return what reads ids in a model, weights in float32; None where there is no such network.

    Raises:
        DamagedFileError: a file of the model is not what was written.
    """
    return network_of(files) or recurrent_of(files)


def recurrent_of(files: ModelFiles) -> GgufRecurrent | None:
    """Return the recurrent network of a model, weights in float32, if it has one.

    Raises:
        DamagedFileError: a file of the model is not what was written.
    """
    if isinstance(files, GgufModelFiles) and holds_recurrent(files.file):
        shape = recurrent_shape(files.file)
        tensors = recurrent_tensors(files.file, shape)
        return GgufRecurrent(shape=shape, tensors=tensors, codec=gguf_codec(files.file))
    found = _stored_shape(files)
    if not isinstance(found, RecurrentShape):
        return None
    return GgufRecurrent(shape=found, tensors=_float32_tensors(files), codec=load_codec(files))


def network_of(files: ModelFiles) -> GgufNetwork | None:
    """Return the decoder of a model, weights in float32, if it is a Transformer.

    Raises:
        DamagedFileError: a file of the model is not what was written.
    """
    if isinstance(files, GgufModelFiles) and files.holds_network:
        if holds_recurrent(files.file):
            return None
        shape = gguf_shape(files.file)
        tensors = gguf_tensors(files.file, shape)
        return GgufNetwork(shape=shape, tensors=tensors, codec=gguf_codec(files.file))
    found = _stored_shape(files)
    if not isinstance(found, TransformerShape) or not found.is_causal:
        return None
    return GgufNetwork(shape=found, tensors=_float32_tensors(files), codec=load_codec(files))


def _stored_shape(files: ModelFiles) -> TransformerShape | RecurrentShape | None:
    """Return the sizes of a network that stands in model.safetensors."""
    if not files.holds(CONFIG_FILE) or not files.holds(TENSORS_FILE):
        return None
    config = files.read_json(CONFIG_FILE)
    if config.get("model_type") not in _MODEL_TYPES:
        return None
    return shape_from_config(config, files.path / CONFIG_FILE)


def _float32_tensors(files: ModelFiles) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    stored = read_tensors(files.read(TENSORS_FILE), files.path / TENSORS_FILE)
    return {name: np.asarray(tensor, dtype=np.float32) for name, tensor in stored.items()}


def counting_codec(files: ModelFiles) -> TokenCodec | None:
    """Return the tokenizer of a model that counts n-grams and nothing else, else None.

    Raises:
        DamagedFileError: a file of the model is not what was written.
    """
    return load_codec(files) if files.manifest.get("kind") == _COUNTING_KIND else None


def other_files(files: ModelFiles, *, has_network: bool) -> dict[str, bytes]:
    """Return the files of a model that stand in a GGUF file as they are.

    Args:
        files: of the model.
        has_network: the network and its tokenizer stand in the file in another way.
    """
    left_out: frozenset[str] = _NETWORK_FILES if has_network else frozenset()
    if files.manifest.get("kind") == _COUNTING_KIND:
        left_out = _TOKENIZER_FILES
    names = [name for name in files.manifest.get("files", {}) if name not in left_out]
    return {name: files.read(name) for name in names}


def listed(content: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Return what the manifest says of files."""
    return {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in content.items()
    }
