"""From a model directory to something that answers: every file checked, torch never imported."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.models.architectures import RecurrentShape, shape_from_config
from sparrowlm.runtime.directory import (
    CONFIG_FILE,
    NGRAM_FILE,
    TENSORS_FILE,
    VECTORS_FILE,
    ModelFiles,
)
from sparrowlm.runtime.engines import Engine, NeuralEngine
from sparrowlm.runtime.gguf_files import GgufModelFiles, model_files
from sparrowlm.runtime.gguf_reading import GgufFile
from sparrowlm.runtime.ngram_engine import NgramEngine
from sparrowlm.runtime.weights import read_tensors
from sparrowlm.text.tokenizers import TokenCodec

NEURAL_KINDS = ("transformer", "lstm", "rnn")


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to run.

    Attributes:
        path: its directory.
        kind: "ngram", "vectors", "rnn", "lstm", "transformer" or "mixture".
        engine: ids in, logits out.
        codec: text to ids and back.
        manifest: the content of sparrow.json.
    """

    path: Path
    kind: str
    engine: Engine[Any]
    codec: TokenCodec
    manifest: dict[str, Any]


def open_model(path: Path) -> LoadedModel:
    """Open a model directory, or a GGUF file.

    Args:
        path: what ``sparrow train`` or ``sparrow compress`` wrote.

    Raises:
        ModelError: there is no model, or one of a newer format.
        DamagedFileError: a file is missing or is not what was written.
    """
    return loaded_from(model_files(Path(path)))


def loaded_from(files: ModelFiles) -> LoadedModel:
    """Open a model whose files are open; raises as open_model."""
    path = files.path
    kind = str(files.manifest.get("kind"))
    codec = load_codec(files)
    engine = _engine(files, kind)
    if engine.vocab_size != codec.vocab_size:
        reason = f"{codec.vocab_size} ids, the model has {engine.vocab_size}"
        place = path / "tokenizer.json" if path.is_dir() else path
        raise DamagedFileError("foundation.file-damaged", path=place, reason=reason)
    return LoadedModel(path, kind, engine, codec, files.manifest)


def load_codec(directory: ModelFiles) -> TokenCodec:
    """Open the tokenizer of a model directory.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    from sparrowlm.text.tokenizers.files import load_tokenizer_files

    if isinstance(directory, GgufModelFiles) and not directory.holds("tokenizer.json"):
        from sparrowlm.runtime.gguf_loading import gguf_codec

        return gguf_codec(directory.file)
    return load_tokenizer_files(
        directory.mapped("tokenizer_config.json"), directory.mapped("tokenizer.json")
    )


def _engine(directory: ModelFiles, kind: str) -> Engine[Any]:
    if kind in ("ngram", "vectors"):
        _config(directory, f"sparrow_{kind}")
    if kind == "ngram":
        return _ngram(directory)
    if kind == "vectors":
        return _vectors(directory)
    if kind == "mixture":
        return _mixture(directory)
    if kind in NEURAL_KINDS:
        return _neural(directory)
    manifest = directory.path / "sparrow.json"
    raise DamagedFileError("foundation.file-damaged", path=manifest, reason=f"kind {kind!r}")


def _ngram(directory: ModelFiles) -> NgramEngine:
    from sparrowlm.models.ngram import NgramModel

    return NgramEngine(NgramModel.load(directory.mapped(NGRAM_FILE)))


def _neural(directory: ModelFiles) -> NeuralEngine[Any]:
    if isinstance(directory, GgufModelFiles) and directory.holds_network:
        return _gguf_network(directory.file)
    path = directory.path / TENSORS_FILE
    shape = shape_from_config(_config(directory), directory.path / CONFIG_FILE)
    tensors = read_tensors(directory.read(TENSORS_FILE), path)
    if isinstance(shape, RecurrentShape):
        from sparrowlm.runtime.gguf_recurrent import recurrent_engine

        return recurrent_engine(shape, tensors, path)
    from sparrowlm.runtime.gguf_loading import transformer_engine

    return transformer_engine(shape, tensors, path)


def _gguf_network(file: GgufFile) -> NeuralEngine[Any]:
    from sparrowlm.runtime.gguf_recurrent import (
        holds_recurrent,
        recurrent_gguf_engine,
        recurrent_shape,
    )

    if holds_recurrent(file):
        return recurrent_gguf_engine(file, recurrent_shape(file))
    from sparrowlm.runtime.gguf_loading import gguf_engine, gguf_shape

    return gguf_engine(file, gguf_shape(file))


def _mixture(directory: ModelFiles) -> Engine[Any]:
    from sparrowlm.models.mixture import GATE_FILE, gate_from_tensors
    from sparrowlm.runtime.mixture_engine import MixtureEngine

    ngram, neural = _ngram(directory), _neural(directory)
    path = directory.path / GATE_FILE
    tensors = read_tensors(directory.read(GATE_FILE), path)
    return MixtureEngine(ngram, neural, gate_from_tensors(tensors, ngram.model.order, path))


def _vectors(directory: ModelFiles) -> Engine[Any]:
    from sparrowlm.models.word_vectors import WordVectors
    from sparrowlm.runtime.vectors_engine import VectorsEngine

    return VectorsEngine(WordVectors.load(directory.mapped(VECTORS_FILE)))


def _config(directory: ModelFiles, expected: str | None = None) -> dict[str, Any]:
    """Read config.json; a model without a network only has to say which kind it is."""
    path = directory.path / CONFIG_FILE
    try:
        config: dict[str, Any] = json.loads(directory.read(CONFIG_FILE))
    except ValueError as error:
        raise DamagedFileError("foundation.file-damaged", path=path, reason=error) from error
    if expected is not None and config.get("model_type") != expected:
        reason = f"model_type {config.get('model_type')!r}"
        raise DamagedFileError("foundation.file-damaged", path=path, reason=reason)
    return config
