"""A model that completes text as something to compress: what can be chosen, written, measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.api.compression_figures import TextLosses, text_losses
from sparrowlm.compression.choices import Choice
from sparrowlm.compression.code_ways import CodeWays
from sparrowlm.compression.counts import NGRAM, NgramWays, ngram_ways
from sparrowlm.compression.matrices import matrix_ways
from sparrowlm.compression.samples import every_fifth_apart, first_ids, own_documents, windows
from sparrowlm.export.gguf_file import GgufParts, write_gguf
from sparrowlm.export.gguf_model import (
    counting_codec,
    listed,
    network_of,
    other_files,
    saved_bytes,
)
from sparrowlm.foundation.errors import DataError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.runtime.directory import ModelFiles
from sparrowlm.runtime.engines import Engine
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.mixture_engine import MixtureEngine
from sparrowlm.runtime.ngram_engine import NgramEngine
from sparrowlm.runtime.scoring import document_ids

# Ids that matrices are rounded by, and ids that measuring takes at most.
_SEEN_TOKENS, _MEASURED_TOKENS = 65_536, 100_000
_OWN_TOKENS = 40_960
_NGRAM_WINDOW = 128

Ids = np.ndarray[Any, np.dtype[np.int64]]


class TextCompression:
    """Everything that can be chosen about a model.

    Args:
        files: of the model.
        texts: documents to compress by and to measure on; none: what the model writes itself.
        progress: told about everything.
        is_common: only forms that llama.cpp knows.

    Attributes:
        choices: for every part.
        measured_on: "given text" or, where the model wrote it, "own text".

    Raises:
        DataError: the texts are too short to measure on.
    """

    def __init__(
        self, files: ModelFiles, texts: Sequence[str], progress: Progress, *, is_common: bool
    ) -> None:
        self._files = files
        self._model = open_model(files.path)
        self._network = network_of(files)
        self._content = other_files(files, has_network=self._network is not None)
        self.measured_on = "given text" if texts else "own text"
        seen, self._measured = self._documents(texts, progress)
        self._ngram = self._ngram_ways(seen, progress)
        self._matrices = self._matrix_ways(seen, progress, is_common=is_common)
        self.choices: dict[str, Sequence[Choice]] = {}
        if self._ngram is not None:
            self.choices[NGRAM] = self._ngram.choices
        if self._matrices is not None:
            self.choices.update(self._matrices.choices)

    def write(self, path: Path, chosen: Mapping[str, Choice], facts: Mapping[str, Any]) -> None:
        """Write the model as one file.

        Args:
            path: of the file.
            chosen: one of the choices for every part.
            facts: for the manifest.
        """
        network, content = self._network, dict(self._content)
        if self._ngram is not None:
            content[NGRAM] = saved_bytes(self._ngram.tables[chosen[NGRAM].way].save)
        if network is not None and self._matrices is not None:
            codes = self._matrices.chosen(chosen)
            network = replace(network, codes=codes, form="float16")
        manifest = {**self._files.manifest, "files": listed(content), "compression": dict(facts)}
        codec = counting_codec(self._files)
        parts = GgufParts(network=network, codec=codec, files=content, manifest=manifest)
        write_gguf(path, parts)

    def losses(self, path: Path | None = None) -> TextLosses:
        """Measure the model, or a file that was written."""
        model = self._model if path is None else open_model(path)
        return text_losses(model, self._measured)

    def _documents(self, texts: Sequence[str], progress: Progress) -> tuple[list[Ids], list[Ids]]:
        codec, engine = self._model.codec, self._model.engine
        if texts:
            ids = [document_ids(codec, text).astype(np.int64) for text in texts]
            documents = [one for one in ids if len(one) > 1]
        else:
            progress.start(say("compression.writing"), None, say("compression.unit-texts"))
            documents = own_documents(engine, _OWN_TOKENS, self._window())
            progress.finish()
        if sum(map(len, documents)) < 2 * len(documents) + 8:
            raise DataError("compression.too-little-text")
        seen, measured = every_fifth_apart(documents)
        return seen, first_ids(measured, _MEASURED_TOKENS)

    def _window(self) -> int:
        return _NGRAM_WINDOW if self._network is None else self._network.shape.context_tokens

    def _matrix_ways(
        self, seen: Sequence[Ids], progress: Progress, *, is_common: bool
    ) -> CodeWays | None:
        if self._network is None:
            return None
        windows_BT = windows(seen, self._window(), _SEEN_TOKENS)
        shape, tensors = self._network.shape, self._network.tensors
        return matrix_ways(shape, tensors, windows_BT, progress, is_common=is_common)

    def _ngram_ways(self, seen: Sequence[Ids], progress: Progress) -> NgramWays | None:
        engine: Engine[Any] = self._model.engine
        if isinstance(engine, MixtureEngine):
            counted = engine.ngram.model
            return ngram_ways(counted, seen, progress, engine.neural, engine.gate)
        if not isinstance(engine, NgramEngine):
            return None
        return ngram_ways(engine.model, seen, progress)
