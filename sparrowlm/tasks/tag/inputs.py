"""Units -> what the network reads: one id and some rows of a table per unit.

A unit's id is what the codec gives it, read with the space before it where there is one. Of several
ids the first counts in Chinese text (a long number, a foreign word); among words of other scripts a
unit of several ids is rare and reads as hidden: its first letters would only mislead. What that
leaves out, the columns say: spelling, shape, affixes, the dictionary words around it, parts of
speech, the gazetteer. Training and running share all of this.

Shape letters: N units, C columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.corpora.labelled.examples import TaggedText
from sparrowlm.foundation.array_types import Int32
from sparrowlm.models.column_rows import column_rows
from sparrowlm.tasks.tag.features import UnitColumns
from sparrowlm.tasks.tag.gazetteer import Gazetteer
from sparrowlm.tasks.tag.profiles import NETWORK_COLUMNS, Profile
from sparrowlm.tasks.tag.units import Offsets, Units, units_of
from sparrowlm.text.tokenizers.codec import SEPARATOR_ID, TokenCodec
from sparrowlm.text.tokenizers.sequences import whole
from sparrowlm.text.width import narrowed

Ids = np.ndarray[Any, np.dtype[np.int32]]

# A chain is no longer than that (units.py); the separator stands before it.
CONTEXT_TOKENS = 513
_LONGEST_CHARACTERS = 64


@dataclass(frozen=True)
class ChainInputs:
    """What the network reads of some chains.

    Attributes:
        ids: per chain the separator and one id per unit.
        rows_NC: rows of the columns of all units.
        chains: where each chain starts in rows_NC, and N.
    """

    ids: list[Ids]
    rows_NC: Int32[np.ndarray, "units columns"]
    chains: Offsets

    def rows(self, chain: int) -> Int32[np.ndarray, "time columns"]:
        """Return the rows of one chain, behind those of its separator: nothing."""
        own_TC = self.rows_NC[self.chains[chain] : self.chains[chain + 1]]
        return np.concatenate([np.zeros((1, own_TC.shape[1]), dtype=np.int32), own_TC])


@dataclass(frozen=True)
class InputMaker:
    """Makes inputs.

    Attributes:
        codec: gives ids.
        profile: which columns.
        gazetteer: the spans of the training text, where they are a column.
        num_rows: of the table of columns.
    """

    codec: TokenCodec
    profile: Profile
    gazetteer: Gazetteer | None
    num_rows: int

    @property
    def num_columns(self) -> int:
        """C."""
        return len(NETWORK_COLUMNS[self.profile]) + (self.gazetteer is not None)

    def ids(self, units: Units) -> Int32[np.ndarray, " units"]:
        """Return one id per unit."""
        return unit_ids(self.codec, units, hides_rare=self.profile == "words")

    def of(
        self,
        units: Units,
        own: Iterable[tuple[int, int, int]] = (),
        columns: UnitColumns | None = None,
    ) -> ChainInputs:
        """Return the inputs of all chains.

        Args:
            units: see units_of.
            own: in training, the spans of these units that the gazetteer was made of.
            columns: of these units, where somebody else reads them too.
        """
        makers = columns or UnitColumns(units)
        found = [getattr(makers, name)() for name in NETWORK_COLUMNS[self.profile]]
        if self.gazetteer is not None:
            found.append(
                self.gazetteer.column(makers.lower(), units.chains, own, units.unit_starts)
            )
        rows_NC = column_rows(np.stack(found, axis=1), self.num_rows)
        ids_N = self.ids(units)
        separator = np.array([SEPARATOR_ID], dtype=np.int32)
        bounds = zip(units.chains[:-1].tolist(), units.chains[1:].tolist(), strict=True)
        ids = [np.concatenate([separator, ids_N[a:b]]) for a, b in bounds]
        return ChainInputs(ids, rows_NC, units.chains)


def unit_ids(codec: TokenCodec, units: Units, *, hides_rare: bool) -> Int32[np.ndarray, " units"]:
    """Return the id that a codec gives to each unit.

    Args:
        codec: the tokenizer.
        units: see units_of.
        hides_rare: a unit of several ids reads as hidden; else its first id counts.
    """
    if not len(units):
        return np.zeros(0, dtype=np.int32)
    surfaces = _surfaces(units)
    distinct: dict[str, int] = {}
    numbers = np.array([distinct.setdefault(one, len(distinct)) for one in surfaces])
    encoded = codec.encode_batch([whole(one) for one in distinct])
    kept = [SEPARATOR_ID if hides_rare and len(ids) > 1 else int(ids[0]) for ids in encoded]
    first = np.array(kept, dtype=np.int32)
    return np.asarray(first[numbers], dtype=np.int32)


def shared_units(codec: TokenCodec, examples: Sequence[TaggedText], *, joins_runs: bool) -> float:
    """Return the share of units that a codec, reading the texts whole, cuts off as one id too.

    Where it is small, an encoder with this codec has read other pieces than a tagger labels.

    Args:
        codec: the tokenizer.
        examples: some texts.
        joins_runs: how they are cut into units.
    """
    texts = [one.text for one in examples]
    units = units_of(texts, [one.tokens for one in examples], joins_runs=joins_runs)
    of_units = Counter(unit_ids(codec, units, hides_rare=True).tolist())
    read = Counter(
        np.concatenate(codec.encode_batch([whole(narrowed(text)) for text in texts])).tolist()
    )
    return sum((of_units & read).values()) / max(len(units), 1)


def _surfaces(units: Units) -> Sequence[str]:
    """The beginning of every unit, behind one space where white space stands before it."""
    text = units.read
    places = zip(units.begins.tolist(), units.ends.tolist(), strict=True)
    return [
        (" " if a and text[a - 1] == " " else "") + text[a : min(b, a + _LONGEST_CHARACTERS)]
        for a, b in places
    ]
