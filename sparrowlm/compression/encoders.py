"""The weights of an encoder in several numbers of bits, and what each choice costs its task.

The cost of a choice is what the task's answers lose: nats per answer between the probabilities
before and after (Kullback and Leibler's divergence). That is measured for one number of bits,
weight by weight; for the others it goes as the squared error does, of a matrix's products or, where
rows are looked up, of the rows.

Shape letters: M answers, K what an answer may be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.compression.choices import Choice, Way
from sparrowlm.compression.code_ways import CodeWays
from sparrowlm.compression.inputs import Products, products_while
from sparrowlm.compression.rounding import product_error, rounded_for_inputs
from sparrowlm.foundation.array_types import Float64
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.block_codes import BLOCK_COLUMNS, BlockCodes, rounded_blocks
from sparrowlm.models.tiles import num_bytes
from sparrowlm.runtime.encoder_files import (
    LoadedEncoder,
    encoder_of,
    plain_weights,
    stored_codes,
    without,
)
from sparrowlm.runtime.threads import spread

# Eight bits are what a file has already.
AS_IT_IS = 8
_BITS = (6, 5, 4, 3)
_MEASURED_BITS = 4
_LEAST_SIZE = 2048
_SMALLEST_PROBABILITY = 1e-9

Arrays = Mapping[str, np.ndarray[Any, np.dtype[Any]]]
Answers = Callable[[LoadedEncoder], Float64[np.ndarray, "answers kinds"]]


@dataclass(frozen=True)
class EncoderFile:
    """What an encoder consists of.

    Attributes:
        shape: of the Transformer.
        orders: of the n-gram tables.
        arrays: of encoder.bin, the Transformer among them.
    """

    shape: TransformerShape
    orders: tuple[int, ...]
    arrays: Arrays

    def opened(self, changed: Mapping[str, BlockCodes] | None = None) -> LoadedEncoder:
        """Return the encoder, some of its weights replaced."""
        return encoder_of(self.shape, self.orders, self.replaced(changed or {}), None, "")

    def replaced(self, changed: Mapping[str, BlockCodes]) -> dict[str, Any]:
        """Return the arrays with other codes in some places."""
        arrays = without(self.arrays, changed)
        for name, codes in changed.items():
            arrays |= stored_codes(name, codes)
        return arrays


def encoder_ways(file: EncoderFile, answers: Answers, progress: Progress) -> CodeWays:
    """Round every weight to several numbers of bits and measure what that costs.

    Args:
        file: of the encoder.
        answers: what a task answers with an encoder, rows that sum to 1, always to the same texts.
        progress: told about it.
    """
    plain = file.opened()
    plain.engine.run_in_numpy()
    given: list[np.ndarray[Any, np.dtype[np.float64]]] = []
    products = products_while(plain.engine, lambda: given.append(answers(plain)))
    weights = {
        name: weight
        for name, weight in plain_weights(file.arrays).items()
        if weight.ndim == 2 and weight.size >= _LEAST_SIZE and _is_storable(name, weight)
    }
    codes = _all_codes(weights, products, progress)
    progress.start(say("compression.weighing"), len(weights), say("compression.unit-matrices"))

    def loss(name: str) -> float:
        other = file.opened({name: codes[name, _MEASURED_BITS]})
        other.engine.run_in_numpy()
        return divergence(given[0], answers(other))

    choices: dict[str, Sequence[Choice]] = {}
    for name, weight in weights.items():
        measured, errors = loss(name), _errors(name, weight, codes, products)
        slope = measured / errors[_MEASURED_BITS] if errors[_MEASURED_BITS] > 0 else 0.0
        choices[name] = [
            Choice(AS_IT_IS, weight.size + 2 * len(weight), 0.0),
            *(Choice(bits, num_bytes(bits, *weight.shape), slope * errors[bits]) for bits in _BITS),
        ]
        progress.advance(1)
    progress.finish()
    return CodeWays(codes, choices)


def divergence(
    before_MK: Float64[np.ndarray, "answers kinds"], after_MK: Float64[np.ndarray, "answers kinds"]
) -> float:
    """Return the mean of sum p ln(p / q) over answers, nats."""
    before, after = (np.maximum(one, _SMALLEST_PROBABILITY) for one in (before_MK, after_MK))
    lost_M = (before * (np.log(before) - np.log(after))).sum(axis=1)
    return max(float(lost_M.mean()), 0.0)


def _is_storable(name: str, weight: np.ndarray[Any, np.dtype[np.float32]]) -> bool:
    """Say whether a weight may stand as tiles: rows that are looked up have one scale each."""
    is_body = name.startswith("model.")
    return is_body or (".table" in name and weight.shape[1] <= BLOCK_COLUMNS)


def _all_codes(
    weights: Mapping[str, np.ndarray[Any, np.dtype[np.float32]]],
    products: Products,
    progress: Progress,
) -> dict[tuple[str, Way], BlockCodes]:
    work = [(name, bits) for name in weights for bits in _BITS]
    progress.start(say("compression.rounding"), len(work), say("compression.unit-matrices"))

    def rounded(one: tuple[str, int]) -> BlockCodes:
        name, bits = one
        if name not in products:
            return rounded_blocks(weights[name], bits)
        return rounded_for_inputs(weights[name], products[name], bits)

    codes: dict[tuple[str, Way], BlockCodes] = {}
    for one, found in zip(work, spread(rounded, work), strict=True):
        codes[one] = found
        progress.advance(1)
    progress.finish()
    return codes


def _errors(
    name: str,
    weight: np.ndarray[Any, np.dtype[np.float32]],
    codes: Mapping[tuple[str, Way], BlockCodes],
    products: Products,
) -> dict[int, float]:
    found = {}
    for bits in _BITS:
        difference = codes[name, bits].plain() - weight
        is_multiplied = name in products
        found[bits] = (
            product_error(difference, products[name])
            if is_multiplied
            else float(np.square(difference).sum())
        )
    return found
