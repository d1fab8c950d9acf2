"""An encoder alone as something to compress: judged by what it guesses in gaps of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.api.compression_figures import TextLosses
from sparrowlm.compression.choices import Choice
from sparrowlm.compression.encoders import EncoderFile, encoder_ways
from sparrowlm.compression.gaps import gaps_in
from sparrowlm.compression.samples import every_fifth_apart
from sparrowlm.export.gguf_file import GgufParts, write_gguf
from sparrowlm.export.gguf_model import listed, other_files
from sparrowlm.foundation import atomic
from sparrowlm.foundation.array_types import Float64
from sparrowlm.foundation.errors import DataError
from sparrowlm.foundation.progress import Progress
from sparrowlm.models.array_file import write_arrays
from sparrowlm.runtime.directory import ENCODER_FILE, TENSORS_FILE, ModelFiles
from sparrowlm.runtime.encoder_files import (
    KIND,
    LoadedEncoder,
    encoder_parts,
    encoder_tensors,
    load_encoder,
    parts,
)
from sparrowlm.runtime.gguf_files import model_files
from sparrowlm.runtime.loading import load_codec

# Guesses that costs are measured by, and gaps that figures are of.
_MOST_GUESSES, _MOST_GAPS = 4_000_000, 10_000

Shares = np.ndarray[Any, np.dtype[np.float64]]


class EncoderCompression:
    """Everything that can be chosen about an encoder.

    Args:
        files: of the model.
        texts: like those to come.
        progress: told about everything.

    Attributes:
        choices: for every part.
        measured_on: what figures are of.

    Raises:
        DataError: there are no texts, or they are too short to measure on.
    """

    measured_on = "given text"

    def __init__(self, files: ModelFiles, texts: Sequence[str], progress: Progress) -> None:
        self._files = files
        if not texts:
            raise DataError("compression.needs-text")
        seen, measured = every_fifth_apart(texts)
        codec, whole = load_codec(files), load_encoder(files)
        context = whole.engine.shape.context_tokens
        most = max(_MOST_GUESSES // codec.vocab_size, 100)
        asked = gaps_in(codec, seen, context, most)
        self._gaps = gaps_in(codec, measured, context, _MOST_GAPS)
        if not asked.sequences or not self._gaps.sequences:
            raise DataError("compression.too-little-text")
        self._content = other_files(files, has_network=False)
        # The Transformer moves into encoder.bin, where its matrices may have few bits.
        self._content.pop(TENSORS_FILE, None)
        self._file = _file(files, whole)

        def answers(encoder: LoadedEncoder) -> Float64[np.ndarray, "answers kinds"]:
            shares_MV: Shares = np.exp(np.concatenate(asked.log_probabilities(encoder.engine)))
            return shares_MV

        self._ways = encoder_ways(self._file, answers, progress)
        self.choices: dict[str, Sequence[Choice]] = dict(self._ways.choices)

    def write(self, path: Path, chosen: Mapping[str, Choice], facts: Mapping[str, Any]) -> None:
        """Write the model as one file; see TextCompression.write."""
        arrays = self._file.replaced(self._ways.chosen(chosen))
        metadata = {"orders": list(self._file.orders)}
        content = dict(self._content)
        content[ENCODER_FILE] = atomic.saved_bytes(
            lambda place: write_arrays(place, KIND, metadata, arrays)
        )
        manifest = {**self._files.manifest, "files": listed(content), "compression": dict(facts)}
        write_gguf(path, GgufParts(files=content, manifest=manifest))

    def losses(self, path: Path | None = None) -> TextLosses:
        """Measure the model, or a file that was written."""
        files = self._files if path is None else model_files(path)
        nats_N = self._gaps.nats(load_encoder(files).engine)
        gaps_N = np.array([len(one) for one in self._gaps.places], dtype=np.float64)
        return TextLosses(nats_N, gaps_N, "bits_per_gap")


def _file(files: ModelFiles, whole: LoadedEncoder) -> EncoderFile:
    shape, orders, arrays = encoder_parts(files)
    if files.holds(TENSORS_FILE):
        arrays = parts({**encoder_tensors(files), **whole.head})
    return EncoderFile(shape, orders, arrays)
