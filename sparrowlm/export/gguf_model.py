"""A model directory as one GGUF file, without loss but for the form that was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sparrowlm.export.gguf_blocks import Form
from sparrowlm.export.gguf_file import GgufNetwork, GgufParts, write_gguf
from sparrowlm.models.architectures import TransformerShape, shape_from_config
from sparrowlm.runtime.directory import CONFIG_FILE, TENSORS_FILE, ModelFiles
from sparrowlm.runtime.gguf_files import GgufModelFiles
from sparrowlm.runtime.gguf_loading import gguf_codec, gguf_shape, gguf_tensors
from sparrowlm.runtime.loading import load_codec
from sparrowlm.runtime.weights import read_tensors

_NETWORK_FILES = frozenset({CONFIG_FILE, TENSORS_FILE, "tokenizer.json", "tokenizer_config.json"})


def export_gguf(files: ModelFiles, path: Path, form: Form = "int8") -> None:
    """Write a model as one file.

    Args:
        files: of the model.
        path: the file to replace.
        form: of the matrices of a decoder; everything else keeps the form it has.

    Raises:
        DamagedFileError: a file of the model is not what was written.
        DependencyError: the package gguf is missing, or a form needs the compiled part.
        ResourceError: disk full or not writable.
    """
    network = network_of(files)
    content = other_files(files, has_network=network is not None)
    manifest = {**files.manifest, "files": listed(content)}
    if network is not None:
        network = replace(network, form=form)
    write_gguf(path, GgufParts(network=network, files=content, manifest=manifest))


def network_of(files: ModelFiles) -> GgufNetwork | None:
    """Return the decoder of a model, weights in float32, if it is a Transformer.

    Raises:
        DamagedFileError: a file of the model is not what was written.
    """
    if isinstance(files, GgufModelFiles) and files.holds_network:
        shape = gguf_shape(files.file)
        tensors = gguf_tensors(files.file, shape)
        return GgufNetwork(shape=shape, tensors=tensors, codec=gguf_codec(files.file))
    if not files.holds(CONFIG_FILE) or not files.holds(TENSORS_FILE):
        return None
    config = files.read_json(CONFIG_FILE)
    if config.get("model_type") != "qwen3" or not config.get("is_causal", True):
        return None
    found = shape_from_config(config, files.path / CONFIG_FILE)
    if not isinstance(found, TransformerShape):
        return None
    stored = read_tensors(files.read(TENSORS_FILE), files.path / TENSORS_FILE)
    tensors = {name: np.asarray(tensor, dtype=np.float32) for name, tensor in stored.items()}
    return GgufNetwork(shape=found, tensors=tensors, codec=load_codec(files))


def other_files(files: ModelFiles, *, has_network: bool) -> dict[str, bytes]:
    """Return the files of a model that stand in a GGUF file as they are.

    Args:
        files: of the model.
        has_network: the decoder and its tokenizer stand in the file in another way.
    """
    names = [
        name
        for name in files.manifest.get("files", {})
        if not has_network or name not in _NETWORK_FILES
    ]
    return {name: files.read(name) for name in names}


def saved_bytes(save: Callable[[Path], None]) -> bytes:
    """Return what a part writes as its file.

    Args:
        save: writes it to a path.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "part"
        save(path)
        return path.read_bytes()


def listed(content: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Return what the manifest says of files."""
    return {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in content.items()
    }
