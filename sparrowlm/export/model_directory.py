"""Writing a model directory so that a kill at any moment leaves one whole model.

How this works, and how it is read, stands at the top of runtime/directory.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm import __version__
from sparrowlm.export.hugging_face import write_network, write_tensors
from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.models.architectures import RecurrentShape, TransformerShape
from sparrowlm.models.mixture import GATE_FILE, Gate
from sparrowlm.models.ngram import NgramModel
from sparrowlm.models.word_vectors import WordVectors
from sparrowlm.runtime.directory import (
    ANSWERS_FILE,
    CONFIG_FILE,
    CRF_FILE,
    DICTIONARY_FILE,
    ENCODER_FILE,
    INCOMING,
    LINEAR_FILE,
    MANIFEST_FILE,
    NGRAM_FILE,
    PAIRS_FILE,
    TENSORS_FILE,
    VECTORS_FILE,
    manifest_bytes,
)
from sparrowlm.text.tokenizers import TokenCodec

_STAGING = f".staging{atomic.TEMPORARY_SUFFIX}"
# Files that loading reads and therefore checks; everything else may be edited by its owner.
CHECKED_FILES = (
    CONFIG_FILE,
    "tokenizer.json",
    "tokenizer_config.json",
    TENSORS_FILE,
    NGRAM_FILE,
    GATE_FILE,
    VECTORS_FILE,
    ENCODER_FILE,
    LINEAR_FILE,
    CRF_FILE,
    DICTIONARY_FILE,
    PAIRS_FILE,
    ANSWERS_FILE,
)


@dataclass(frozen=True, kw_only=True)
class ModelParts:
    """Everything a model directory is made of.

    Attributes:
        kind: "ngram", "vectors", "rnn", "lstm", "transformer", "mixture", or a task.
        codec: the tokenizer; None where nothing reads ids.
        shape: of the network; None where there is none.
        tensors: its weights by the names of model.safetensors, float32 or float16.
        ngram: the counting model, for "ngram" and "mixture".
        gate: for "mixture".
        vectors: for "vectors".
        binaries: further checked files by name, each with what writes it.
        texts: further files by name, for people: README.md, report.html.
        facts: further entries of sparrow.json: recipe, data, plan, measured, curve.
    """

    kind: str
    codec: TokenCodec | None
    shape: TransformerShape | RecurrentShape | None = None
    tensors: Mapping[str, np.ndarray[Any, np.dtype[Any]]] = field(default_factory=dict)
    ngram: NgramModel | None = None
    gate: Gate | None = None
    vectors: WordVectors | None = None
    binaries: Mapping[str, Callable[[Path], None]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def write_model(directory: Path, parts: ModelParts) -> None:
    """Replace the model in a directory; other files there stay as they are.

    Args:
        directory: created when missing.
        parts: what to write.

    Raises:
        ResourceError: disk full or not writable; the old model is intact.
    """
    staging = directory / _STAGING
    try:
        finish_replacing(directory)
        shutil.rmtree(staging, ignore_errors=True)
        _fill(staging, parts)
        staging.rename(directory / INCOMING)
        atomic.sync_directory(directory)
        finish_replacing(directory)
    except OSError as error:
        raise atomic.resource_error(error, directory) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def finish_replacing(directory: Path) -> None:
    """Do what a killed writer had still to do, if there was one.

    Args:
        directory: may be missing.

    Raises:
        OSError: a file cannot be moved; the model is readable all the same.
    """
    incoming = directory / INCOMING
    if (incoming / MANIFEST_FILE).is_file():
        with suppress(DamagedFileError):  # cannot be read, so it is no model: it is removed
            listed = atomic.read_json(incoming / MANIFEST_FILE).get("files", {})
            _move_up(incoming, directory, set(listed))
    shutil.rmtree(incoming, ignore_errors=True)


def _move_up(incoming: Path, directory: Path, listed: set[str]) -> None:
    """Move all files into place, the manifest last; remove what only the older model had."""
    for name in set(CHECKED_FILES) - listed:
        (directory / name).unlink(missing_ok=True)
    for path in sorted(incoming.iterdir()):
        if path.name != MANIFEST_FILE:
            path.replace(directory / path.name)
    atomic.sync_directory(directory)
    (incoming / MANIFEST_FILE).replace(directory / MANIFEST_FILE)
    atomic.sync_directory(directory)


def _fill(staging: Path, parts: ModelParts) -> None:
    """Write all files, the manifest last; every one is on the disk when this returns."""
    staging.mkdir(parents=True, exist_ok=True)
    if parts.codec is not None:
        parts.codec.save(staging)
    if parts.shape is not None:
        write_network(staging, parts.shape, parts.tensors)
    elif parts.ngram is not None:
        atomic.write_json(staging / CONFIG_FILE, parts.ngram.config())
    elif parts.vectors is not None:
        atomic.write_json(staging / CONFIG_FILE, parts.vectors.config())
    if parts.ngram is not None:
        parts.ngram.save(staging / NGRAM_FILE)
    if parts.gate is not None:
        write_tensors(staging / GATE_FILE, parts.gate.tensors())
    if parts.vectors is not None:
        parts.vectors.save(staging / VECTORS_FILE)
    for name, write in parts.binaries.items():
        write(staging / name)
    for name, text in parts.texts.items():
        atomic.write_text(staging / name, text)
    atomic.write_bytes(staging / MANIFEST_FILE, manifest_bytes(_manifest(staging, parts)))


def _manifest(staging: Path, parts: ModelParts) -> dict[str, Any]:
    network = None
    if isinstance(parts.shape, TransformerShape):
        network = "transformer" if parts.shape.is_causal else "encoder"
    elif parts.shape is not None:
        network = parts.shape.cell
    files = {
        name: {"bytes": (staging / name).stat().st_size, "sha256": atomic.sha256(staging / name)}
        for name in CHECKED_FILES
        if (staging / name).is_file()
    }
    return {
        "version": __version__,
        "kind": parts.kind,
        "neural": network,
        "files": files,
        **parts.facts,
    }
