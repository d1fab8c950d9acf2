import numpy as np
import pytest

from sparrowlm.compression.refining import refined
from sparrowlm.compression.rounding import product_error, rounded_for_inputs
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.models.block_codes import code_range, rounded_blocks


def products_of_related_inputs(columns: int) -> np.ndarray:
    generator = random_generator(1, "inputs")
    causes = generator.normal(size=(2000, columns // 4)) @ generator.normal(
        size=(columns // 4, columns)
    )
    inputs = causes + 0.3 * generator.normal(size=(2000, columns))
    return inputs.T @ inputs


@pytest.mark.parametrize("columns", [64, 72, 31])
@pytest.mark.parametrize("bits", [3, 4, 5, 6])
def test_every_round_makes_the_error_less(columns: int, bits: int) -> None:
    products = products_of_related_inputs(columns)
    matrix = random_generator(2, "matrix").normal(size=(48, columns)).astype(np.float32)
    codes = rounded_blocks(matrix, bits)
    errors = [
        product_error(refined(matrix, products, codes, rounds).plain() - matrix, products)
        for rounds in range(4)
    ]
    assert errors[0] == product_error(codes.plain() - matrix, products)
    assert errors[1] < 0.8 * errors[0]
    assert errors[1] >= errors[2] >= errors[3]


@pytest.mark.parametrize("bits", [3, 4])
def test_no_code_that_changes_alone_would_be_better(bits: int) -> None:
    products = products_of_related_inputs(64)
    matrix = random_generator(3, "matrix").normal(size=(8, 64)).astype(np.float32)
    found = refined(matrix, products, rounded_for_inputs(matrix, products, bits), 50)
    error = product_error(found.plain() - matrix, products)
    least, largest = code_range(bits)
    for column in range(64):
        for step in (-1, 1):
            other = found.codes_OI.copy()
            other[0, column] = np.clip(other[0, column] + step, least, largest)
            changed = found._replace(codes_OI=other).plain() - matrix
            assert product_error(changed, products) >= error * (1 - 1e-6)


def test_what_was_given_stays_as_it_is() -> None:
    products = products_of_related_inputs(64)
    matrix = random_generator(4, "matrix").standard_cauchy(size=(20, 64)).astype(np.float32)
    codes = rounded_for_inputs(matrix, products, 3)
    before = codes.codes_OI.copy(), codes.scales_ON.copy()
    found = refined(matrix, products, codes)
    assert np.array_equal(codes.codes_OI, before[0])
    assert np.array_equal(codes.scales_ON, before[1])
    least, largest = code_range(3)
    assert least <= found.codes_OI.min() <= found.codes_OI.max() <= largest
    assert np.isfinite(found.scales_ON).all()


def test_zeros_stay_zeros() -> None:
    products = products_of_related_inputs(64)
    matrix = np.zeros((4, 64), dtype=np.float32)
    assert not refined(matrix, products, rounded_blocks(matrix, 4)).plain().any()
