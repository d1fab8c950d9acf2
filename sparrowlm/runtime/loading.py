"""From a model directory to something that answers: every file checked, torch never imported."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.models.architectures import RecurrentShape, TransformerShape, shape_from_config
from sparrowlm.runtime.directory import (
    CONFIG_FILE,
    NGRAM_FILE,
    TENSORS_FILE,
    VECTORS_FILE,
    ModelDirectory,
)
from sparrowlm.runtime.engines import Engine, NeuralEngine
from sparrowlm.runtime.gguf_reading import SUFFIX, GgufFile
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
    path = Path(path)
    if path.suffix == SUFFIX:
        return _open_gguf(path)
    directory = ModelDirectory(path)
    kind = str(directory.manifest.get("kind"))
    codec = load_codec(directory)
    engine = _engine(directory, kind)
    _check_sizes(engine, codec, path / "tokenizer.json")
    return LoadedModel(path, kind, engine, codec, directory.manifest)


def _open_gguf(path: Path) -> LoadedModel:
    from sparrowlm.runtime import gguf_loading

    file = GgufFile(path)
    engine = gguf_loading.gguf_engine(file, gguf_loading.gguf_shape(file))
    codec = gguf_loading.gguf_codec(file)
    _check_sizes(engine, codec, path)
    return LoadedModel(path, "transformer", engine, codec, gguf_loading.gguf_manifest(file))


def _check_sizes(engine: Engine[Any], codec: TokenCodec, path: Path) -> None:
    if engine.vocab_size != codec.vocab_size:
        reason = f"{codec.vocab_size} ids, the model has {engine.vocab_size}"
        raise DamagedFileError("foundation.file-damaged", path=path, reason=reason)


def load_codec(directory: ModelDirectory) -> TokenCodec:
    """Open the tokenizer of a model directory.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    from sparrowlm.text.tokenizers.files import load_tokenizer_files

    return load_tokenizer_files(
        directory.checked_path("tokenizer_config.json"), directory.checked_path("tokenizer.json")
    )


def _engine(directory: ModelDirectory, kind: str) -> Engine[Any]:
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


def _ngram(directory: ModelDirectory) -> NgramEngine:
    from sparrowlm.models.ngram import NgramModel

    return NgramEngine(NgramModel.load(directory.checked_path(NGRAM_FILE)))


def _neural(directory: ModelDirectory) -> NeuralEngine[Any]:
    path = directory.path / TENSORS_FILE
    shape = shape_from_config(_config(directory), directory.path / CONFIG_FILE)
    tensors = read_tensors(directory.read(TENSORS_FILE), path)
    makers: dict[type, Callable[..., NeuralEngine[Any]]] = {
        TransformerShape: _transformer,
        RecurrentShape: _recurrent,
    }
    return makers[type(shape)](shape, tensors, path)


def _transformer(*parts: Any) -> NeuralEngine[Any]:  # noqa: ANN401 - shape, tensors, path
    from sparrowlm.runtime.transformer_engine import TransformerEngine

    return TransformerEngine(*parts)


def _recurrent(*parts: Any) -> NeuralEngine[Any]:  # noqa: ANN401 - shape, tensors, path
    from sparrowlm.runtime.recurrent_engine import RecurrentEngine

    return RecurrentEngine(*parts)


def _mixture(directory: ModelDirectory) -> Engine[Any]:
    from sparrowlm.models.mixture import GATE_FILE, gate_from_tensors
    from sparrowlm.runtime.mixture_engine import MixtureEngine

    ngram, neural = _ngram(directory), _neural(directory)
    path = directory.path / GATE_FILE
    tensors = read_tensors(directory.read(GATE_FILE), path)
    return MixtureEngine(ngram, neural, gate_from_tensors(tensors, ngram.model.order, path))


def _vectors(directory: ModelDirectory) -> Engine[Any]:
    from sparrowlm.models.word_vectors import WordVectors
    from sparrowlm.runtime.vectors_engine import VectorsEngine

    return VectorsEngine(WordVectors.load(directory.checked_path(VECTORS_FILE)))


def _config(directory: ModelDirectory, expected: str | None = None) -> dict[str, Any]:
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
