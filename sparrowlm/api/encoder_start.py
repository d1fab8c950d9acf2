"""A finished model as the start of an encoder.

encoder, or a task's           all weights of its network
transformer, mixture           all weights: it has read from left to right, now it reads both ways
rnn, lstm, vectors             its word vectors; the network is new
ngram                          nothing but its tokenizer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from sparrowlm.api.request import TrainRequest
from sparrowlm.corpora.labelled import TaskKind
from sparrowlm.foundation.errors import ModelError, SettingError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.models.architectures import RecurrentShape, shape_from_config
from sparrowlm.runtime.directory import (
    CONFIG_FILE,
    ENCODER_FILE,
    TENSORS_FILE,
    VECTORS_FILE,
    ModelFiles,
)
from sparrowlm.runtime.encoder_files import encoder_tensors, load_encoder
from sparrowlm.runtime.gguf_files import model_files
from sparrowlm.runtime.weights import read_tensors
from sparrowlm.text.tokenizers import TokenCodec, load_tokenizer
from sparrowlm.text.tokenizers.files import TOKENIZER_FILE

if TYPE_CHECKING:
    from sparrowlm.training.encoder_stage import EncoderSize

Matrix = np.ndarray[Any, np.dtype[np.float32]]

# Kinds whose network, where there is one, has learnt labels.
_OF_TASKS = get_args(TaskKind)
_EMBEDDING, _RECURRENT_EMBEDDING = "model.embed_tokens.weight", "embedding.weight"
# Root mean square of embeddings that have learnt: 0.19 to 0.46 in encoders of this toolkit.
_EMBEDDING_SIZE = 0.2


@dataclass(frozen=True)
class EncoderStart:
    """What another training goes on from.

    Attributes:
        size: of the encoder.
        tensors: its weights by name; with a head where labels were asked for and it knows some.
            None where there are none to begin with.
        kind: of the model, e.g. "classify".
    """

    size: EncoderSize
    tensors: dict[str, np.ndarray[Any, np.dtype[np.float32]]] | None
    kind: str

    def most_reading(self, default: float | None, unlabelled: Sequence[str]) -> float | None:
        """Return how many epochs of reading come before the labels.

        An encoder that has learnt labels has forgotten how to read: it would learn that again,
        and unlearn what it was chosen for, unless somebody gave it texts to read.

        Args:
            default: of the task.
            unlabelled: texts that were given.
        """
        return 0.0 if self.kind in _OF_TASKS and not unlabelled else default


def starting_path(request: TrainRequest) -> Path | None:
    """Return the model whose encoder is gone on from; None where there is none to go on from.

    A model without a network can be gone on from for its answers, and for nothing else.
    """
    path = request.start_from
    if path is None or not (request.keep_answers or request.replay is not None):
        return path
    return path if model_files(path).holds(ENCODER_FILE) else None


def start_codec(request: TrainRequest) -> TokenCodec | None:
    """Return the tokenizer of the model to start from; None where there is none.

    Raises:
        ModelError: there is no model.
        SettingError: another kind of tokenizer was asked for.
    """
    path = starting_path(request)
    if path is None or not model_files(path).holds(TOKENIZER_FILE):
        return None
    codec = load_tokenizer(path)
    if request.tokenizer not in ("auto", codec.kind):
        raise SettingError(
            "api.start-tokenizer",
            path=path,
            kind=codec.kind,
            received=request.tokenizer,
        )
    return codec


def known_codec(path: Path) -> TokenCodec:
    """Return the tokenizer of a model that is gone on from.

    Raises:
        ModelError: there is no model, or one that reads without a tokenizer.
    """
    directory = model_files(path)
    if not directory.holds(TOKENIZER_FILE):
        raise ModelError("api.no-encoder", path=path, kind=directory.manifest.get("kind"))
    return load_tokenizer(path)


def encoder_start(
    path: Path, labels: Sequence[str] = (), progress: Progress | None = None
) -> EncoderStart:
    """Read what a model has for an encoder to begin with.

    Args:
        path: the directory.
        labels: of the classifier that is to be trained; those that a classifier in the directory
            knows keep their weights, the others begin with none.
        progress: told where not all of the model is gone on from.

    Raises:
        ModelError: there is no model, or that of a task without a network.
        DamagedFileError: a file fails its checks.
    """
    from sparrowlm.training.transfer import has_read

    directory = model_files(path)
    if directory.holds(ENCODER_FILE):
        return _encoder(directory, labels)
    kind = directory.manifest.get("kind")
    if kind in _OF_TASKS:
        raise ModelError("api.no-encoder", path=path, kind=kind)
    start = _language_model(directory, str(kind))
    if progress is not None and not has_read(start.tensors):
        code = "api.start-tokenizer-only" if start.tensors is None else "api.start-word-vectors"
        progress.note(say(code, path=path, kind=kind))
    return start


def _encoder(directory: ModelFiles, labels: Sequence[str]) -> EncoderStart:
    from sparrowlm.models.encoder import NgramTableShape
    from sparrowlm.training.encoder_stage import EncoderSize

    loaded = load_encoder(directory)
    engine = loaded.engine
    tables = engine.tables
    num_buckets, width = (
        tables.tables_RW[0].integers_RD.shape if tables.orders else (1, tables.up_DW.shape[1])
    )
    size = EncoderSize(
        width=engine.shape.width,
        num_layers=engine.shape.num_layers,
        tables=NgramTableShape(orders=tables.orders, num_buckets=num_buckets, width=width),
        context_tokens=engine.shape.context_tokens,
    )
    head = _head(directory, loaded.head, labels)
    kind = str(directory.manifest.get("kind"))
    return EncoderStart(size, {**encoder_tensors(directory), **head}, kind)


def _language_model(directory: ModelFiles, kind: str) -> EncoderStart:
    """Return what a model that continues texts has learnt about them."""
    from sparrowlm.training.encoder_stage import EncoderSize

    size = EncoderSize()
    if directory.holds(VECTORS_FILE):
        from sparrowlm.models.word_vectors import WordVectors

        vectors_VD = WordVectors.load(directory.mapped(VECTORS_FILE)).vectors_VD
        return EncoderStart(size, _word_vectors(vectors_VD, size), kind)
    if not directory.holds(TENSORS_FILE):
        return EncoderStart(size, None, kind)
    shape = shape_from_config(directory.read_json(CONFIG_FILE), directory.path / CONFIG_FILE)
    stored = read_tensors(directory.read(TENSORS_FILE), directory.path / TENSORS_FILE)
    tensors = {name: np.asarray(array, dtype=np.float32) for name, array in stored.items()}
    if isinstance(shape, RecurrentShape):
        return EncoderStart(size, _word_vectors(tensors[_RECURRENT_EMBEDDING], size), kind)
    size = EncoderSize(width=shape.width, num_layers=shape.num_layers, like=shape)
    return EncoderStart(size, tensors, kind)


def _word_vectors(vectors_VD: Matrix, size: EncoderSize) -> dict[str, Matrix]:
    return {_EMBEDDING: as_wide_as(vectors_VD, size.width)}


def as_wide_as(vectors_VD: Matrix, width: int) -> Matrix:
    """Return vectors of another width with, as far as possible, the same products.

    Wider ones are turned onto their directions of most weight, narrower ones filled up with zeros;
    what an embedding holds after training is about as large as what comes back.

    Args:
        vectors_VD: one per id.
        width: wanted.
    """
    if vectors_VD.shape[1] > width:
        products_DD = vectors_VD.T.astype(np.float64) @ vectors_VD
        _values, directions_DD = np.linalg.eigh(products_DD)
        vectors_VD = vectors_VD @ directions_DD[:, -width:].astype(np.float32)
    fitted_VD: Matrix = np.zeros((len(vectors_VD), width), dtype=np.float32)
    fitted_VD[:, : vectors_VD.shape[1]] = vectors_VD
    size = float(np.sqrt(np.mean(np.square(fitted_VD))))
    return fitted_VD * np.float32(_EMBEDDING_SIZE / size) if size > 0 else fitted_VD


def _head(
    directory: ModelFiles, head: Mapping[str, Matrix], labels: Sequence[str]
) -> dict[str, Matrix]:
    """Return a head for labels, with the rows of those that an old head knows."""
    if directory.manifest.get("kind") != "classify":
        return {}
    known: list[str] = directory.manifest["task"]["labels"]
    found = [(row, known.index(name)) for row, name in enumerate(labels) if name in known]
    if not found:
        return {}
    tensors = {}
    for name in ("head.weight", "head.bias"):
        old: Matrix = head[name]
        tensors[name] = np.zeros((len(labels), *old.shape[1:]), dtype=np.float32)
        for row, old_row in found:
            tensors[name][row] = old[old_row]
    return tensors
