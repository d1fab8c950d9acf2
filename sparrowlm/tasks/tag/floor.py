"""The floor: a conditional random field over hashed features.

It learns in seconds, needs no torch, says how sure it is, and fits into as many bytes as are given.
Any other model must beat it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from sparrowlm.corpora.labelled.examples import Span
from sparrowlm.foundation.array_types import Float32, Float64
from sparrowlm.foundation.mapped_bytes import FileSource
from sparrowlm.models.array_file import Array, file_bytes, read_arrays, write_arrays
from sparrowlm.models.crf.compression import fitted, pack, packed_bytes, unpack
from sparrowlm.models.crf.lattice import best_labels, marginals
from sparrowlm.models.crf.rows import RowIndex
from sparrowlm.models.crf.templates import Templates
from sparrowlm.models.crf.weights import CrfWeights
from sparrowlm.tasks.tag.decoding import FoundSpan, blocks, found_spans, words_of
from sparrowlm.tasks.tag.dictionary import UserDictionary, penalties
from sparrowlm.tasks.tag.features import Features, UnitColumns
from sparrowlm.tasks.tag.gazetteer import Gazetteer
from sparrowlm.tasks.tag.schemes import LabelSet, UnitSpan
from sparrowlm.tasks.tag.units import Tokens, Units

KIND = "tag-floor"


@dataclass(frozen=True)
class TagFloor:
    """A trained tagger.

    Args:
        labels: scheme and types.
        features: what it looks at.
        rows: which features it knows.
        weights: what they are worth.
        joins_runs: whether runs of letters and digits are one unit.
    """

    labels: LabelSet
    features: Features
    rows: RowIndex
    weights: CrfWeights
    joins_runs: bool = True

    def predict(
        self,
        texts: Sequence[str],
        dictionary: UserDictionary | None = None,
        tokens: Sequence[Tokens] | None = None,
    ) -> list[list[FoundSpan]]:
        """Return the spans of every text, with confidence.

        Args:
            texts: any texts.
            dictionary: entries that outrank the model.
            tokens: per text its tokens, where they are known.
        """
        found: list[list[FoundSpan]] = []
        for units, own in self._blocks(texts, tokens, dictionary):
            scores_NL, extra = self.scores(units), self._penalties(units, own)
            labels_N = best_labels(scores_NL, units.chains, self.edges, extra)
            sure_NL = marginals(scores_NL, units.chains, self.edges, extra)
            found += found_spans(self.labels, units, labels_N, own, sure_NL)
        return found

    def tag(
        self,
        texts: Sequence[str],
        dictionary: UserDictionary | None = None,
        tokens: Sequence[Tokens] | None = None,
    ) -> list[list[Span]]:
        """Return the spans of every text without confidence: faster; arguments as in predict."""
        found: list[list[Span]] = []
        for units, own in self._blocks(texts, tokens, dictionary):
            extra = self._penalties(units, own)
            labels_N = best_labels(self.scores(units), units.chains, self.edges, extra)
            several = found_spans(self.labels, units, labels_N, own, None)
            found += [[Span(*one[:3]) for one in spans] for spans in several]
        return found

    def size_bytes(self) -> int:
        """Return how long the file of save would be."""
        return file_bytes(KIND, self._metadata(), self._arrays())

    def shrunk(self, max_bytes: int) -> TagFloor:
        """Return the same model with its smallest weights dropped.

        Args:
            max_bytes: of the file of save.

        Raises:
            ModelError: even without any feature the file is longer.
        """
        other = self.size_bytes() - packed_bytes(self.rows, self.weights)
        rows, weights = fitted(self.rows, self.weights, max_bytes, other)
        return replace(self, rows=rows, weights=weights)

    def without_features(self) -> TagFloor:
        """Return the same model knowing nothing: labels and gazetteer for a network."""
        edges = self.weights.edges
        nothing = CrfWeights(
            np.zeros(1, dtype=np.int64),
            self.weights.entry_labels[:0],
            self.weights.entry_weights[:0],
            self.weights.scales_L,
            edges,
        )
        return replace(self, rows=RowIndex(self.rows.fingerprints_R[:0]), weights=nothing)

    def save(self, path: Path) -> None:
        """Write the model to one file.

        Raises:
            ResourceError: disk full or not writable.
        """
        write_arrays(path, KIND, self._metadata(), self._arrays())

    @classmethod
    def load(cls, source: FileSource) -> TagFloor:
        """Read a file of save.

        Raises:
            DamagedFileError: missing, truncated, changed or of another kind.
        """
        file = read_arrays(source, KIND)
        record = file.metadata
        gazetteer = None
        if record["has_gazetteer"]:
            names = ("gazetteer_hashes", "gazetteer_labels", "gazetteer_counts")
            gazetteer = Gazetteer(*(file.arrays[name] for name in names))
        rows, weights = unpack(file.arrays)
        return cls(
            LabelSet(record["scheme"], tuple(record["types"])),
            Features(record["profile"], gazetteer),
            rows,
            weights,
            bool(record["joins_runs"]),
        )

    def words(
        self,
        texts: Sequence[str],
        dictionary: UserDictionary | None = None,
    ) -> list[list[str]]:
        """Cut texts into words with a model of segmentation; white space belongs to none."""
        found: list[list[str]] = []
        for units, own in self._blocks(texts, None, dictionary):
            extra = self._penalties(units, own)
            labels_N = best_labels(self.scores(units), units.chains, self.edges, extra)
            found += words_of(self.labels, units, labels_N)
        return found

    @cached_property
    def edges(self) -> Float64[np.ndarray, " edges"]:
        """Weights of transitions, begin and end, with what is forbidden."""
        edges: Float64[np.ndarray, " edges"] = self.weights.edges.copy()
        edges += self.labels.constraints().penalties()
        return edges

    def _blocks(
        self,
        texts: Sequence[str],
        tokens: Sequence[Tokens] | None,
        dictionary: UserDictionary | None,
    ) -> Iterator[tuple[Units, list[UnitSpan]]]:
        return blocks(texts, tokens, dictionary, joins_runs=self.joins_runs)

    def scores(
        self, units: Units, columns: UnitColumns | None = None
    ) -> Float32[np.ndarray, "units labels"]:
        """Return the emission score of every label for every unit.

        Args:
            units: cut as joins_runs says.
            columns: of these units, where somebody else reads them too.
        """
        columns_NC = self.features.columns(units, columns=columns)
        hashes = self._templates.hashes(columns_NC, units.chains)
        return self.weights.scores(self.rows.find(hashes))

    @cached_property
    def _templates(self) -> Templates:
        return self.features.templates()

    def _penalties(
        self, units: Units, own: list[UnitSpan]
    ) -> Float64[np.ndarray, "units labels"] | None:
        return penalties(units, own, self.labels) if own else None

    def _metadata(self) -> dict[str, object]:
        return {
            "scheme": self.labels.scheme,
            "types": list(self.labels.types),
            "profile": self.features.profile,
            "joins_runs": self.joins_runs,
            "has_gazetteer": self.features.gazetteer is not None,
        }

    def _arrays(self) -> dict[str, Array]:
        arrays = pack(self.rows, self.weights)
        gazetteer = self.features.gazetteer
        if gazetteer is not None:
            arrays["gazetteer_hashes"] = gazetteer.hashes
            arrays["gazetteer_labels"] = gazetteer.labels
            arrays["gazetteer_counts"] = gazetteer.counts
        return arrays
