"""A model that completes text as something to compress: what can be chosen, written, measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sparrowlm.api.compression_figures import TextLosses, text_losses
from sparrowlm.compression.choices import Choice
from sparrowlm.compression.code_ways import CodeWays
from sparrowlm.compression.counts import NGRAM, NgramWays, ngram_ways
from sparrowlm.compression.matrices import code_bytes, matrix_ways
from sparrowlm.compression.parts import TextParts, Weights
from sparrowlm.compression.rows import row_ways
from sparrowlm.compression.samples import (
    every_fifth_apart,
    first_characters,
    own_documents,
    windows,
)
from sparrowlm.export.gguf_file import GgufNetwork, GgufParts, write_gguf
from sparrowlm.export.gguf_model import (
    any_network_of,
    counting_codec,
    listed,
    other_files,
)
from sparrowlm.export.gguf_recurrent import GgufRecurrent
from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DataError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.models.architectures import RecurrentShape
from sparrowlm.models.block_codes import BlockCodes
from sparrowlm.runtime.directory import CONFIG_FILE, ModelFiles
from sparrowlm.runtime.engines import Engine
from sparrowlm.runtime.loading import LoadedModel, open_model
from sparrowlm.runtime.mixture_engine import MixtureEngine
from sparrowlm.runtime.ngram_engine import NgramEngine
from sparrowlm.runtime.scoring import document_ids
from sparrowlm.runtime.vectors_engine import VectorsEngine

# Ids that matrices are rounded by, and ids that measuring takes at most.
_SEEN_TOKENS, _MEASURED_TOKENS = 65_536, 100_000
_OWN_TOKENS = 40_960
_NGRAM_WINDOW = 128
GIVEN_TEXT, OWN_TEXT = "given text", "own text"
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")

Ids = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class TextSamples:
    """Texts of a compression.

    Attributes:
        seen: texts to compress by.
        measured: texts to measure on.
        measured_on: "given text" or, where the model wrote it, "own text".
    """

    seen: Sequence[str]
    measured: Sequence[str]
    measured_on: str


def parts_of(files: ModelFiles, model: LoadedModel) -> TextParts:
    """Take a model apart.

    Args:
        files: of the model.
        model: the same, opened.

    Raises:
        DamagedFileError: a file of the model is not what was written.
    """
    engine, parts = model.engine, TextParts(codec=model.codec, network=_weights(files))
    if isinstance(engine, MixtureEngine):
        return replace(parts, ngram=engine.ngram.model, gate=engine.gate)
    if isinstance(engine, NgramEngine):
        return replace(parts, ngram=engine.model)
    if isinstance(engine, VectorsEngine):
        return replace(parts, vectors=engine.vectors)
    return parts


def _weights(files: ModelFiles) -> Weights | None:
    found = any_network_of(files)
    return None if found is None else Weights(found.shape, found.tensors)


def text_samples(
    model: LoadedModel, window: int, texts: Sequence[str], progress: Progress
) -> TextSamples:
    """Find texts to compress by and to measure on.

    Args:
        model: writes some where none are given.
        window: ids of a piece of its writing.
        texts: a person's own.
        progress: told about the writing.

    Raises:
        DataError: the texts are too short to measure on.
    """
    own: Sequence[str] = [text for text in texts if text]
    if not texts:
        progress.start(say("compression.writing"), None, say("compression.unit-texts"))
        written = own_documents(model.engine, _OWN_TOKENS, window)
        # A piece of writing may end inside of a character.
        decoded = (model.codec.decode(ids_T[1:].tolist()).strip("\ufffd") for ids_T in written)
        own = [text for text in decoded if text]
        progress.finish()
    seen, measured = every_fifth_apart(own)
    if not measured or sum(map(len, own)) < 2 * len(own) + 8:
        raise DataError("compression.too-little-text")
    characters = sum(map(len, measured))
    tokens = sum(len(document_ids(model.codec, text)) for text in measured)
    most = characters * _MEASURED_TOKENS // max(tokens, _MEASURED_TOKENS)
    return TextSamples(seen, first_characters(measured, most), GIVEN_TEXT if texts else OWN_TEXT)


def window_of(parts: TextParts) -> int:
    """Return how many ids a model reads at once, or so many as make sense."""
    return _NGRAM_WINDOW if parts.decoder is None else parts.decoder.context_tokens


class TextCompression:
    """Everything that can be chosen about a version of a model.

    Args:
        files: of the model.
        parts: of the version.
        engine: of the version.
        samples: texts.
        progress: told about everything.
        is_common: only forms that llama.cpp knows.
        changes: what was done to the version beforehand, see `forms` of api.compressing.
        ways: ways to store its table and its matrices that are known already.

    Attributes:
        choices: for every part.
        measured_on: see TextSamples.
        parts: of the version.
        changes: see above.
    """

    def __init__(
        self,
        files: ModelFiles,
        parts: TextParts,
        engine: Engine[Any],
        samples: TextSamples,
        progress: Progress,
        *,
        is_common: bool,
        changes: Mapping[str, int] | None = None,
        ways: tuple[NgramWays | None, CodeWays | None] = (None, None),
    ) -> None:
        self._files, self.parts, self._engine = files, parts, engine
        self.is_common, self.samples, self.changes = is_common, samples, dict(changes or {})
        self.measured_on = samples.measured_on
        self._content = other_files(files, has_network=parts.network is not None)
        if self.changes:
            self._content |= _changed_files(files, parts)
        self.documents = [ids for text in samples.seen if len(ids := token_ids(parts, text)) > 1]
        self._ngram = ways[0] or self._ngram_ways(progress)
        self._matrices = ways[1] or self._matrix_ways(progress)
        self._rows = row_ways(parts, self.documents)
        self.choices: dict[str, Sequence[Choice]] = {}
        if self._ngram is not None:
            self.choices[NGRAM] = self._ngram.choices
        if self._matrices is not None:
            self.choices.update(self._matrices.choices)
        if self._rows is not None:
            self.choices[self._rows.name] = self._rows.choices

    def write(self, path: Path, chosen: Mapping[str, Choice], facts: Mapping[str, Any]) -> None:
        """Write the model as one file.

        Args:
            path: of the file.
            chosen: one of the choices for every part.
            facts: for the manifest.
        """
        content, network = dict(self._content), None
        if self._ngram is not None:
            content[NGRAM] = atomic.saved_bytes(self._ngram.tables[chosen[NGRAM].way].save)
        if self._rows is not None:
            content[self._rows.name] = self._rows.files[chosen[self._rows.name].way]
        if self._matrices is not None:
            network = self._network(self._matrices.chosen(chosen))
        manifest = {**self._files.manifest, "files": listed(content), "compression": dict(facts)}
        # A counting model alone has its tokenizer among the settings, like a network.
        codec = None if counting_codec(self._files) is None else self.parts.codec
        parts = GgufParts(network=network, codec=codec, files=content, manifest=manifest)
        write_gguf(path, parts)

    def _network(self, codes: Mapping[str, BlockCodes]) -> GgufNetwork | GgufRecurrent:
        weights = self.parts.network
        assert weights is not None  # noqa: S101 - its matrices were rounded
        parts: dict[str, Any] = {
            "tensors": weights.tensors, "codec": self.parts.codec, "codes": codes,
            "form": "float16",
        }  # fmt: skip
        if isinstance(weights.shape, RecurrentShape):
            return GgufRecurrent(shape=weights.shape, **parts)
        return GgufNetwork(shape=weights.shape, **parts)

    def losses(self, path: Path | None = None) -> TextLosses:
        """Measure the model, or a file that was written."""
        if path is None:
            return text_losses(self._engine, self.parts.codec, self.samples.measured)
        model = open_model(path)
        return text_losses(model.engine, model.codec, self.samples.measured)

    def version(
        self,
        parts: TextParts,
        changes: Mapping[str, int],
        progress: Progress,
        codes: Mapping[str, BlockCodes] | None = None,
    ) -> TextCompression:
        """Return another version of the same model.

        Args:
            parts: of the version.
            changes: what is different.
            progress: told about everything.
            codes: its matrices, where there is nothing left to choose about them.
        """
        # What a table loses hardly depends on the network beside it.
        table = self._ngram if parts.ngram is self.parts.ngram else None
        matrices = None if codes is None else _only(codes)
        return TextCompression(
            self._files, parts, parts.engine(), self.samples, progress,
            is_common=self.is_common, changes={**self.changes, **changes}, ways=(table, matrices),
        )  # fmt: skip

    def codes(self, chosen: Mapping[str, Choice]) -> dict[str, BlockCodes]:
        """Return the rounded matrices of a choice."""
        return {} if self._matrices is None else self._matrices.chosen(chosen)

    def _matrix_ways(self, progress: Progress) -> CodeWays | None:
        weights = self.parts.network
        if weights is None:
            return None
        windows_BT = windows(self.documents, window_of(self.parts), _SEEN_TOKENS)
        return matrix_ways(
            weights.shape, weights.tensors, windows_BT, progress, is_common=self.is_common
        )

    def _ngram_ways(self, progress: Progress) -> NgramWays | None:
        if self.parts.ngram is None:
            return None
        neural, gate = None, self.parts.gate
        if isinstance(self._engine, MixtureEngine):
            neural = self._engine.neural
        return ngram_ways(self.parts.ngram, self.documents, progress, neural, gate)


def _only(codes: Mapping[str, BlockCodes]) -> CodeWays:
    """Return the one way in which matrices stand already."""
    choices = {
        name: [
            Choice(
                one.bits, code_bytes(one.codes_OI.shape[0], one.codes_OI.shape[1], one.bits), 0.0
            )
        ]
        for name, one in codes.items()
    }
    return CodeWays({(name, one.bits): one for name, one in codes.items()}, choices)


def token_ids(parts: TextParts, text: str) -> Ids:
    """Return the separator and the ids of a text."""
    return document_ids(parts.codec, text).astype(np.int64)


def _changed_files(files: ModelFiles, parts: TextParts) -> dict[str, bytes]:
    """Return the files of a model that are others where the model has other parts."""
    if parts.network is not None:
        return {}
    content: dict[str, bytes] = {}
    # A counting model's tokenizer stands among the settings.
    if counting_codec(files) is None:
        with TemporaryDirectory() as folder:
            parts.codec.save(Path(folder))
            content = {name: (Path(folder) / name).read_bytes() for name in _TOKENIZER_FILES}
    config = {**files.read_json(CONFIG_FILE), "vocab_size": parts.codec.vocab_size}
    content[CONFIG_FILE] = json.dumps(config, indent=2).encode("utf-8")
    return content
