"""Learnt word vectors: neighbours, analogies, and next words by them.

Shape letters: V vocabulary, D width, B sequences, T positions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation import atomic
from sparrowlm.foundation.array_types import Float32, Integer
from sparrowlm.foundation.errors import DamagedFileError, DataError
from sparrowlm.foundation.mapped_bytes import FileSource, mapped
from sparrowlm.models.quantised_rows import SCALE_SUFFIX, quantised, restored, stored

_TENSORS = ("log_noise_V", "output_VD", "vectors_VD")
_MATRICES = ("output_VD", "vectors_VD")
_KEY = "sparrow"
_SEPARATOR = 0


class Neighbour(NamedTuple):
    """An id and how similar it is, cosine from -1 to 1."""

    id: int
    similarity: float


@dataclass(frozen=True)
class WordVectors:
    """One vector per id.

    Args:
        vectors_VD: input vectors; zeros for ids that never occurred and have no parts.
        output_VD: output vectors.
        log_noise_V: natural logarithms of the distribution that counterexamples were drawn from;
            negative sampling learns probabilities relative to it.
        window: how many last ids forward looks at.
        settings: what they were learnt with, for the record.

    Source: Mikolov et al. 2013, arXiv:1310.4546; Levy and Goldberg 2014, "Neural word embedding as
    implicit matrix factorization" (what the products mean).
    """

    vectors_VD: Float32[np.ndarray, "vocab width"]
    output_VD: Float32[np.ndarray, "vocab width"]
    log_noise_V: Float32[np.ndarray, " vocab"]
    window: int
    settings: Mapping[str, Any]

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""
        return len(self.vectors_VD)

    def config(self) -> dict[str, Any]:
        """Describe the model as the JSON object of config.json."""
        return {
            "model_type": "sparrow_vectors",
            "vocab_size": self.vocab_size,
            "width": int(self.vectors_VD.shape[1]),
            "window": self.window,
        }

    @cached_property
    def _unit_VD(self) -> Float32[np.ndarray, "vocab width"]:
        lengths_V1 = np.linalg.norm(self.vectors_VD, axis=1, keepdims=True)
        smallest = np.finfo(np.float32).tiny
        return np.asarray(self.vectors_VD / np.maximum(lengths_V1, smallest), dtype=np.float32)

    def similarity(self, a: int, b: int) -> float:
        """Return the cosine of two ids' vectors, -1 to 1; 0 for an id that never occurred.

        Raises:
            DataError: an id is outside the vocabulary.
        """
        self._check(a, b)
        return float(self._unit_VD[a] @ self._unit_VD[b])

    def neighbours(self, id: int, k: int = 10) -> list[Neighbour]:
        """Return the k most similar other ids, best first.

        Raises:
            DataError: the id is outside the vocabulary.
        """
        self._check(id)
        return self._best(self._unit_VD[id], k, (id,))

    def analogy(self, a: int, b: int, c: int, k: int = 10) -> list[Neighbour]:
        """Return the k ids that are to c what b is to a, best first (3CosAdd).

        Raises:
            DataError: an id is outside the vocabulary.
        """
        self._check(a, b, c)
        unit_VD = self._unit_VD
        goal_D = unit_VD[b] - unit_VD[a] + unit_VD[c]
        length = float(np.linalg.norm(goal_D))
        return self._best(goal_D / max(length, 1e-12), k, (a, b, c))

    def _best(
        self, goal_D: Float32[np.ndarray, " width"], k: int, left_out: tuple[int, ...]
    ) -> list[Neighbour]:
        similarity_V = self._unit_VD @ goal_D
        similarity_V[[*left_out, _SEPARATOR]] = -np.inf
        # Ids that never occurred have no direction, and are nobody's neighbours.
        similarity_V[~self._unit_VD.any(axis=1)] = -np.inf
        size = min(max(k, 0), len(similarity_V))
        best = np.argsort(-similarity_V, kind="stable")[:size]
        ranked = [Neighbour(int(i), float(similarity_V[i])) for i in best]
        return [neighbour for neighbour in ranked if np.isfinite(neighbour.similarity)]

    def forward(
        self, ids_BT: Integer[np.ndarray, "batch time"]
    ) -> Float32[np.ndarray, "batch time vocab"]:
        """Score the next id by the mean of the last vectors; right after a separator by frequency.

        Args:
            ids_BT: each inside the vocabulary.

        Raises:
            DataError: an id is outside the vocabulary.
        """
        logits_BTV = np.empty((*ids_BT.shape, self.vocab_size), dtype=np.float32)
        for ids_T, logits_TV in zip(ids_BT, logits_BTV, strict=True):
            self._check(*(int(x) for x in (ids_T.min(), ids_T.max()) if ids_T.size))
            for t in range(len(ids_T)):
                recent = ids_T[max(0, t + 1 - self.window) : t + 1]
                separators = np.flatnonzero(recent == _SEPARATOR)
                words = recent[separators[-1] + 1 :] if len(separators) else recent
                logits_TV[t] = self.log_noise_V
                if len(words):
                    logits_TV[t] += self.output_VD @ self.vectors_VD[words].mean(axis=0)
        return logits_BTV

    def save(self, path: Path, *, has_rounded_rows: bool = False) -> None:
        """Write vectors.safetensors, atomically.

        Args:
            path: the file to replace.
            has_rounded_rows: vectors in 8 bits with one scale a row, a quarter of the room.

        Raises:
            ResourceError: disk full or not writable; an older file is left as it was.
        """
        from safetensors.numpy import save

        tensors = {name: np.ascontiguousarray(getattr(self, name)) for name in _TENSORS}
        if has_rounded_rows:
            for name in _MATRICES:
                tensors |= stored(name, quantised(tensors[name]))
        record = {"window": self.window, "settings": dict(self.settings)}
        record["checksum"] = _checksum(record, tensors)
        # One key only: the writer does not keep the order of several.
        data = save(tensors, metadata={_KEY: json.dumps(record, ensure_ascii=False)})
        atomic.write_bytes(path, data)

    @classmethod
    def load(cls, source: FileSource) -> WordVectors:
        """Read saved vectors, after checking all of the file.

        Raises:
            DamagedFileError: missing, truncated, changed, or not word vectors.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path, data = mapped(source)
        try:
            content = data.tobytes()
            tensors = load(content)
            record = json.loads(_metadata(content)[_KEY])
            checksum = record.pop("checksum")
            if checksum != _checksum(record, tensors):
                reason = "checksum differs"
                raise DamagedFileError("foundation.file-damaged", path=path, reason=reason)
            for name in _MATRICES:
                if name + SCALE_SUFFIX in tensors:
                    tensors[name] = restored(name, tensors).plain()
                    del tensors[name + SCALE_SUFFIX]
            if sorted(tensors) != list(_TENSORS):
                raise DamagedFileError("foundation.file-damaged", path=path, reason="other tensors")
            return cls(**tensors, window=record["window"], settings=record["settings"])
        except (SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise DamagedFileError("foundation.file-damaged", path=path, reason=error) from error

    def _check(self, *ids: int) -> None:
        if ids and not 0 <= min(ids) <= max(ids) < self.vocab_size:
            raise DataError(
                "models.ids-outside-vocabulary",
                smallest=min(ids),
                largest=max(ids),
                vocab_size=self.vocab_size,
            )


def _metadata(content: bytes) -> dict[str, str]:
    """Return what a safetensors file says of itself: JSON behind its length in 8 bytes."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    found: dict[str, str] = header["__metadata__"]
    return found


def _checksum(
    record: Mapping[str, Any], tensors: Mapping[str, np.ndarray[Any, np.dtype[Any]]]
) -> str:
    digest = hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=32)
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(np.ascontiguousarray(tensor).data.cast("B"))
    return digest.hexdigest()
