"""Ways to store matrices: what comes out of rounding them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sparrowlm.compression.choices import Choice, Way
from sparrowlm.models.block_codes import BlockCodes


@dataclass(frozen=True)
class CodeWays:
    """Ways to store the matrices of a network.

    Attributes:
        codes: for every matrix and number of bits; ways that need no codes are missing.
        choices: all ways of every matrix, with bytes and costs.
    """

    codes: Mapping[tuple[str, Way], BlockCodes]
    choices: Mapping[str, Sequence[Choice]]

    def chosen(self, chosen: Mapping[str, Choice]) -> dict[str, BlockCodes]:
        """Return the codes of one choice, of those matrices that stand as codes in it."""
        ways = [(name, chosen[name].way) for name in self.choices]
        return {name: self.codes[name, way] for name, way in ways if (name, way) in self.codes}
