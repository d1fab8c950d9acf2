"""The n-gram table of a model in several sizes, and what each of them costs the whole model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.compression.choices import Choice, Way
from sparrowlm.compression.samples import first_ids
from sparrowlm.foundation.array_types import Float32, Int
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress, SilentProgress
from sparrowlm.models.mixture import Gate
from sparrowlm.models.ngram import NgramModel
from sparrowlm.runtime.engines import Engine, NeuralEngine
from sparrowlm.runtime.mixture_engine import MixtureEngine
from sparrowlm.runtime.ngram_engine import NgramEngine

NGRAM = "ngram.bin"
_PERCENT = (100, 75, 55, 40, 30, 22, 16, 12, 9, 6, 4, 2, 1)
_MOST_KEPT_SCORES = 30_000_000

Ids = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class NgramWays:
    """Ways to store the table.

    Attributes:
        tables: by the percentage of bytes that was asked for.
        choices: the same with bytes and costs.
    """

    tables: Mapping[Way, NgramModel]
    choices: Sequence[Choice]


def ngram_ways(
    ngram: NgramModel,
    documents: Sequence[Ids],
    progress: Progress,
    neural: NeuralEngine[Any] | None = None,
    gate: Gate | None = None,
) -> NgramWays:
    """Prune a table to several sizes and measure what that costs.

    Args:
        ngram: the table.
        documents: ids to look at, the separator in front of each.
        progress: told about it.
        neural: the network beside it in a mixture, with gate; None for a table alone.
        gate: of the mixture.
    """
    kept = None if neural is None else _KeptPredictions(neural)
    looked_at = first_ids(documents, _MOST_KEPT_SCORES // ngram.vocab_size)

    def nats(table: NgramModel) -> float:
        counting = NgramEngine(table)
        engine: Engine[Any] = counting
        if kept is not None and gate is not None:
            engine = MixtureEngine(counting, kept, gate)
        return float(np.concatenate([engine.surprisals(one) for one in looked_at]).mean())

    progress.start(say("compression.pruning"), len(_PERCENT), say("compression.unit-sizes"))
    tables: dict[Way, NgramModel] = {}
    whole, choices = nats(ngram), []
    for percent in _PERCENT:
        table = ngram if percent == 100 else _pruned(ngram, percent)
        progress.advance(1)
        if table is None:
            break
        cost = max(nats(table) - whole, 0.0)
        tables[percent] = table
        choices.append(Choice(percent, table.size_bytes(), cost))
    progress.finish()
    return NgramWays(tables, choices)


def _pruned(ngram: NgramModel, percent: int) -> NgramModel | None:
    """Return a smaller table; None where single ids need more."""
    try:
        return ngram.pruned(ngram.size_bytes() * percent // 100, SilentProgress())
    except SettingError:
        return None


class _KeptPredictions:
    """A network whose predictions are computed once for each text."""

    def __init__(self, neural: NeuralEngine[Any]) -> None:
        self._neural = neural
        self._kept: dict[bytes, list[np.ndarray[Any, np.dtype[np.float32]]]] = {}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - everything else is the network's
        return getattr(self._neural, name)

    def predictions(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterator[Float32[np.ndarray, "_ vocab"]]:
        key = ids_T.tobytes()
        if key not in self._kept:
            self._kept[key] = list(self._neural.predictions(ids_T))
        return iter(self._kept[key])
