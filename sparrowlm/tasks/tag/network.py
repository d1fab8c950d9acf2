"""The network of a tagger at run time: units in, scores of labels and intents out; no torch.

Shape letters: see models/tagger.py; N units, S chains, B texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64
from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.runtime.encoder_engine import pooled
from sparrowlm.runtime.encoder_files import COLUMN_TABLE, LoadedEncoder
from sparrowlm.tasks.tag.features import UnitColumns
from sparrowlm.tasks.tag.inputs import InputMaker
from sparrowlm.tasks.tag.units import Units

Matrix = np.ndarray[Any, np.dtype[np.float32]]


class NetworkScores(NamedTuple):
    """What the network says about some texts.

    Attributes:
        labels_NL: scores of the labels of every unit.
        intents_SK: scores of the intents of every chain.
    """

    labels_NL: Float32[np.ndarray, "units labels"]
    intents_SK: Float32[np.ndarray, "chains intents"]


@dataclass(frozen=True)
class NetworkPart:
    """The network.

    Attributes:
        encoder: with the tagger's own weights as its head.
        inputs: makes what it reads.
    """

    encoder: LoadedEncoder
    inputs: InputMaker

    @property
    def edges(self) -> Float64[np.ndarray, " edges"]:
        """Weights of transitions, begin and end, without what is forbidden."""
        edges: Float64[np.ndarray, " edges"] = self.encoder.head["chain.edges"].astype(np.float64)
        return edges

    def scores(self, units: Units, columns: UnitColumns | None = None) -> NetworkScores:
        """Return the scores of all labels and intents.

        Args:
            units: of some texts.
            columns: of these units, where somebody else reads them too.
        """
        head, inputs = self.encoder.head, self.inputs.of(units, columns=columns)
        width = self.encoder.engine.shape.width
        sums_NW = _sums(head[COLUMN_TABLE], inputs.rows_NC)
        added_ND = sums_NW @ head["columns.up"].T
        places = list(zip(units.chains[:-1].tolist(), units.chains[1:].tolist(), strict=True))
        nothing_1D: Matrix = np.zeros((1, width), dtype=np.float32)
        added = [np.concatenate([nothing_1D, added_ND[a:b]]) for a, b in places]
        states_ND: Matrix = np.zeros((len(units), width), dtype=np.float32)
        intents_SK: Matrix = np.zeros(
            (len(places), len(head.get("intent.bias", ()))), dtype=np.float32
        )
        for batch in self.encoder.engine.encode(inputs.ids, added):
            for row, states_TD in zip(batch.rows_B.tolist(), batch.states_BTD, strict=True):
                first, stop = places[row]
                states_ND[first:stop] = states_TD[1 : stop - first + 1]
            if intents_SK.shape[1]:
                pooled_BP = pooled(batch.states_BTD, batch.lengths_B)
                scores_BK = pooled_BP @ head["intent.weight"].T + head["intent.bias"]
                intents_SK[batch.rows_B] = scores_BK
        both_NH = np.concatenate([states_ND, sums_NW], axis=1)
        labels_NL: Matrix = both_NH @ head["head.weight"].T + head["head.bias"]
        return NetworkScores(labels_NL, intents_SK)


def check_head(
    head: Mapping[str, Matrix], width: int, sizes: tuple[int, int], path: object
) -> None:
    """Refuse weights that do not fit together.

    Args:
        head: the tagger's own weights.
        width: of the encoder.
        sizes: how many labels and intents there must be.
        path: named in the error.

    Raises:
        DamagedFileError: a tensor is missing or has another shape.
    """
    num_labels, num_intents = sizes
    table = head.get(COLUMN_TABLE)
    if table is None or table.ndim != 2:
        raise DamagedFileError("foundation.file-damaged", path=path, reason=COLUMN_TABLE)
    inner = table.shape[1]
    wanted: dict[str, tuple[int, ...]] = {
        "columns.up": (width, inner),
        "head.weight": (num_labels, width + inner),
        "head.bias": (num_labels,),
        "chain.edges": (num_labels * (num_labels + 2),),
    }
    if num_intents:
        wanted |= {"intent.weight": (num_intents, 2 * width), "intent.bias": (num_intents,)}
    for name, shape in wanted.items():
        if name not in head or head[name].shape != shape:
            raise DamagedFileError("foundation.file-damaged", path=path, reason=name)


def _sums(table_SW: Matrix, rows_NC: np.ndarray[Any, np.dtype[np.int32]]) -> Matrix:
    sums_NW: Matrix = np.zeros((len(rows_NC), table_SW.shape[1]), dtype=np.float32)
    for rows_N in rows_NC.T:
        sums_NW += table_SW[rows_N]
    return sums_NW
