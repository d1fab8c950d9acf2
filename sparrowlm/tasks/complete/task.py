"""The whole task: a model's parts on unseen texts, beside the n-gram that they must beat."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.runtime.loading import LoadedModel
from sparrowlm.runtime.scoring import document_ids
from sparrowlm.tasks.complete.examples import read_documents
from sparrowlm.tasks.complete.metric import BitsPerCharacter
from sparrowlm.text.tokenizers import TokenCodec

Table = dict[str, dict[str, float | int]]
Losses = np.ndarray[Any, np.dtype[np.float64]]


class CompleteTask:
    """Evaluates one model.

    Args:
        model: see runtime.loading.open_model.
    """

    baseline = "ngram"

    def __init__(self, model: LoadedModel) -> None:
        self._model = model

    def examples(self, paths: Sequence[Path], encoding: str | None = None) -> Iterable[str]:
        """Return the documents of files and folders; see evaluate."""
        return read_documents(paths, encoding)

    def evaluate(self, paths: Sequence[Path], encoding: str | None = None) -> Table:
        """Score unseen texts.

        Args:
            paths: files and folders.
            encoding: of text files; None finds it for each.

        Returns:
            For every part of the model ("ngram", "neural", "mixture"; "vectors" for word vectors)
            its figures, see metric.BitsPerCharacter.result.

        Raises:
            DataError: nothing in them is readable text.
        """
        return self.evaluate_documents(self.examples(paths, encoding))

    def evaluate_documents(self, documents: Iterable[str]) -> Table:
        """Score unseen documents that are in memory already; see evaluate."""
        characters_V = character_counts(self._model.codec)
        metrics: defaultdict[str, BitsPerCharacter] = defaultdict(BitsPerCharacter)
        for document in documents:
            ids_T = document_ids(self._model.codec, document)
            if len(ids_T) < 2:
                continue
            for part, surprisals_T in self._surprisals(ids_T).items():
                metrics[part].add(surprisals_T, characters_V[ids_T[1:]])
        return {part: metric.result() for part, metric in metrics.items()}

    def _surprisals(self, ids_T: np.ndarray[Any, np.dtype[np.int32]]) -> dict[str, Losses]:
        from sparrowlm.runtime.mixture_engine import MixtureEngine

        engine = self._model.engine
        if isinstance(engine, MixtureEngine):
            return engine.surprisals_by_part(ids_T)
        names = {"ngram": "ngram", "vectors": "vectors"}
        return {names.get(self._model.kind, "neural"): engine.surprisals(ids_T)}


def character_counts(codec: TokenCodec) -> Losses:
    """Return how many characters begin in each token: bytes that continue none."""
    pieces = [codec.token_bytes(token_id) for token_id in range(codec.vocab_size)]
    counts = [sum(byte & 0xC0 != 0x80 for byte in piece) for piece in pieces]
    return np.array(counts, dtype=np.float64)
