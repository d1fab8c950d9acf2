"""The floor: a conditional random field over hashed features.

It learns in seconds, needs no torch, says how sure it is, and fits into as many bytes as are given.
Any other model must beat it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sparrowlm.corpora.labelled.examples import Span
from sparrowlm.foundation.array_types import Float32, Float64, Int32
from sparrowlm.models.array_file import Array, file_bytes, read_arrays, write_arrays
from sparrowlm.models.crf.compression import fitted, pack, packed_bytes, unpack
from sparrowlm.models.crf.lattice import best_labels, marginals
from sparrowlm.models.crf.rows import RowIndex
from sparrowlm.models.crf.templates import Templates
from sparrowlm.models.crf.weights import CrfWeights
from sparrowlm.tasks.tag.dictionary import UserDictionary, penalties
from sparrowlm.tasks.tag.features import Features
from sparrowlm.tasks.tag.gazetteer import Gazetteer
from sparrowlm.tasks.tag.schemes import LabelSet, UnitSpan
from sparrowlm.tasks.tag.units import Offsets, Tokens, Units, units_of

KIND = "tag-floor"
_BLOCK_CHARACTERS = 100_000


class FoundSpan(NamedTuple):
    """A span and how sure the model is of it.

    Args:
        start: first character.
        end: the character after the last.
        label: what it is.
        confidence: the least probability of its units' labels; 1 for entries of the dictionary.
    """

    start: int
    end: int
    label: str
    confidence: float


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
            scores_NL, extra = self._scores(units), self._penalties(units, own)
            labels_N = best_labels(scores_NL, units.chains, self._edges, extra)
            sure_NL = marginals(scores_NL, units.chains, self._edges, extra)
            found += self._spans(units, labels_N, own, sure_NL)
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
            labels_N = best_labels(self._scores(units), units.chains, self._edges, extra)
            several = self._spans(units, labels_N, own, None)
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

    def save(self, path: Path) -> None:
        """Write the model to one file.

        Raises:
            ResourceError: disk full or not writable.
        """
        write_arrays(path, KIND, self._metadata(), self._arrays())

    @classmethod
    def load(cls, path: Path) -> TagFloor:
        """Read a file of save.

        Raises:
            DamagedFileError: missing, truncated, changed or of another kind.
        """
        file = read_arrays(path, KIND)
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
            labels_N = best_labels(self._scores(units), units.chains, self._edges, extra)
            begins, ends = self._borders(units, labels_N)
            words = [units.text[a:b] for a, b in zip(begins.tolist(), ends.tolist(), strict=True)]
            bounds = np.searchsorted(begins, units.text_starts).tolist()
            found += [words[a:b] for a, b in zip(bounds, [*bounds[1:], len(words)], strict=True)]
        return found

    @cached_property
    def _edges(self) -> Float64[np.ndarray, " edges"]:
        edges: Float64[np.ndarray, " edges"] = self.weights.edges.copy()
        edges += self.labels.constraints().penalties()
        return edges

    def _blocks(
        self,
        texts: Sequence[str],
        tokens: Sequence[Tokens] | None,
        dictionary: UserDictionary | None,
    ) -> Iterator[tuple[Units, list[UnitSpan]]]:
        """Yield some texts at a time, so that their arrays stay in the processor's caches."""
        first, size = 0, 0
        for last, text in enumerate(texts, start=1):
            size += len(text)
            if size < _BLOCK_CHARACTERS and last < len(texts):
                continue
            some = None if tokens is None else tokens[first:last]
            units = units_of(texts[first:last], some, joins_runs=self.joins_runs)
            yield units, [] if dictionary is None else dictionary.find(units)
            first, size = last, 0

    def _scores(self, units: Units) -> Float32[np.ndarray, "units labels"]:
        hashes = self._templates.hashes(self.features.columns(units), units.chains)
        return self.weights.scores(self.rows.find(hashes))

    @cached_property
    def _templates(self) -> Templates:
        return self.features.templates()

    def _penalties(
        self, units: Units, own: list[UnitSpan]
    ) -> Float64[np.ndarray, "units labels"] | None:
        return penalties(units, own, self.labels) if own else None

    def _borders(
        self, units: Units, labels_N: Int32[np.ndarray, " units"]
    ) -> tuple[Offsets, Offsets]:
        firsts, stops = self.labels.borders(labels_N)
        return units.begins[firsts], units.ends[stops - 1]

    def _spans(
        self,
        units: Units,
        labels_N: Int32[np.ndarray, " units"],
        own: list[UnitSpan],
        sure_NL: Float32[np.ndarray, "units labels"] | None,
    ) -> list[list[FoundSpan]]:
        firsts, stops = self.labels.borders(labels_N)
        sure = np.ones(len(firsts), dtype=np.float32)
        if sure_NL is not None and len(firsts):
            chosen = np.append(sure_NL[np.arange(len(labels_N)), labels_N], np.float32(1.0))
            pairs = np.stack([firsts, stops], axis=1).ravel()
            sure = np.minimum.reduceat(chosen, pairs)[::2]
        kinds = [self.labels.names[n].partition("-")[2] for n in labels_N[firsts].tolist()]
        found: list[list[FoundSpan]] = [[] for _ in units.text_starts]
        owners = np.searchsorted(units.text_starts, units.begins[firsts], side="right") - 1
        shift = units.text_starts[owners]
        begins, ends = units.begins[firsts] - shift, units.ends[stops - 1] - shift
        for owner, *one in zip(
            owners.tolist(), begins.tolist(), ends.tolist(), kinds, sure.tolist(), strict=True
        ):
            found[owner].append(FoundSpan(*one))
        return self._with_own(units, found, own) if own else found

    def _with_own(
        self, units: Units, found: list[list[FoundSpan]], own: list[UnitSpan]
    ) -> list[list[FoundSpan]]:
        entries: list[list[FoundSpan]] = [[] for _ in found]
        for first, stop, label in own:
            owner = int(np.searchsorted(units.text_starts, units.begins[first], side="right")) - 1
            shift = int(units.text_starts[owner])
            place = int(units.begins[first]) - shift, int(units.ends[stop - 1]) - shift
            entries[owner].append(FoundSpan(*place, label, 1.0))
        return [
            _outranked(spans, mine) if mine else spans
            for spans, mine in zip(found, entries, strict=True)
        ]

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


def _outranked(spans: list[FoundSpan], own: list[FoundSpan]) -> list[FoundSpan]:
    """Return the user's spans and those of the model that overlap none of them, in order."""
    starts = sorted(one.start for one in own)
    ends = sorted(one.end for one in own)
    # As many begin before its end as end before its start: nothing lies between.
    kept = [one for one in spans if bisect_left(starts, one.end) == bisect_right(ends, one.start)]
    return sorted([*kept, *own])
