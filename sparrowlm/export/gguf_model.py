"""A model directory as one GGUF file, without loss but for the form that was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sparrowlm.export.gguf_blocks import Form
from sparrowlm.export.gguf_file import GgufNetwork, GgufParts, write_gguf
from sparrowlm.models.architectures import TransformerShape, shape_from_config
from sparrowlm.runtime.directory import CONFIG_FILE, TENSORS_FILE, ModelFiles
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
    network = _network(files, form)
    names = [
        name for name in files.manifest["files"] if network is None or name not in _NETWORK_FILES
    ]
    content = {name: files.read(name) for name in names}
    listed = {name: files.manifest["files"][name] for name in names}
    manifest: dict[str, Any] = {**files.manifest, "files": listed}
    write_gguf(path, GgufParts(network=network, files=content, manifest=manifest))


def _network(files: ModelFiles, form: Form) -> GgufNetwork | None:
    """Return the decoder of a model, if it is a Transformer."""
    if not files.holds(CONFIG_FILE) or not files.holds(TENSORS_FILE):
        return None
    config = files.read_json(CONFIG_FILE)
    if config.get("model_type") != "qwen3" or not config.get("is_causal", True):
        return None
    shape = shape_from_config(config, files.path / CONFIG_FILE)
    if not isinstance(shape, TransformerShape):
        return None
    tensors = read_tensors(files.read(TENSORS_FILE), files.path / TENSORS_FILE)
    return GgufNetwork(shape=shape, tensors=tensors, codec=load_codec(files), form=form)
