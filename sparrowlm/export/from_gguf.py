"""From one GGUF file back to a model directory, which transformers reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sparrowlm.export.gguf_model import any_network_of, counting_codec, network_of, other_files
from sparrowlm.export.model_directory import ModelParts, write_model
from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import ModelError
from sparrowlm.runtime.directory import ModelFiles

# What the writer of a directory says itself.
_OWN_FACTS = frozenset({"format", "checksum", "version", "kind", "neural", "files"})


def export_directory(files: ModelFiles, directory: Path) -> None:
    """Write a model as a directory, weights in float32: what their codes stand for.

    Args:
        files: of the model, in a GGUF file or in another directory.
        directory: created when missing; the model in it is replaced.

    Raises:
        DamagedFileError: a file of the model is not what was written.
        ResourceError: disk full or not writable.
    """
    network = any_network_of(files)
    content = other_files(files, has_network=network is not None)
    parts = ModelParts(
        kind=str(files.manifest["kind"]),
        codec=counting_codec(files) if network is None else network.codec,
        shape=None if network is None else network.shape,
        tensors={} if network is None else network.tensors,
        binaries={name: _writer(data) for name, data in content.items()},
        facts=_facts(files),
    )
    write_model(directory, parts)


def export_network(files: ModelFiles, directory: Path) -> None:
    """Write the Transformer of a mixture as a model of its own; see export_directory.

    Raises:
        ModelError: the model has no Transformer.
    """
    network = network_of(files)
    if network is None:
        raise ModelError("export.no-transformer", path=files.path, kind=files.manifest["kind"])
    parts = ModelParts(
        kind="transformer", codec=network.codec, shape=network.shape, tensors=network.tensors,
        facts=_facts(files),
    )  # fmt: skip
    write_model(directory, parts)


def _facts(files: ModelFiles) -> dict[str, Any]:
    return {name: value for name, value in files.manifest.items() if name not in _OWN_FACTS}


def _writer(data: bytes) -> Callable[[Path], None]:
    return lambda path: atomic.write_bytes(path, data)
