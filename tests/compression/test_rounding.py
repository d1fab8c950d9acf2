import numpy as np
import pytest

from sparrowlm.compression.rounding import product_error, rounded_for_inputs
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.models.block_codes import CODE_BITS, code_range, rounded_blocks


def related_inputs(columns: int, count: int = 2000) -> np.ndarray:
    """Inputs of which many say nearly the same, as those of trained networks do."""
    generator = random_generator(1, "inputs")
    causes = generator.normal(size=(count, columns // 4)) @ generator.normal(
        size=(columns // 4, columns)
    )
    return causes + 0.3 * generator.normal(size=(count, columns))


@pytest.mark.parametrize("columns", [64, 72, 31])
@pytest.mark.parametrize("bits", CODE_BITS)
def test_products_change_less_than_with_every_column_for_itself(columns: int, bits: int) -> None:
    inputs = related_inputs(columns)
    products = inputs.T @ inputs
    matrix = random_generator(2, "matrix").normal(size=(48, columns)).astype(np.float32)
    found = rounded_for_inputs(matrix, products, bits)
    alone = rounded_blocks(matrix, bits)
    error, error_alone = (product_error(one.plain() - matrix, products) for one in (found, alone))
    assert error < 0.6 * error_alone
    assert error == pytest.approx(np.square(inputs @ (found.plain() - matrix).T).sum(), rel=1e-4)


@pytest.mark.parametrize("bits", CODE_BITS)
def test_codes_stay_in_their_range(bits: int) -> None:
    inputs = related_inputs(64)
    matrix = random_generator(3, "matrix").standard_cauchy(size=(40, 64)).astype(np.float32)
    found = rounded_for_inputs(matrix, inputs.T @ inputs, bits)
    least, largest = code_range(bits)
    assert found.codes_OI.min() >= least
    assert found.codes_OI.max() <= largest
    assert np.isfinite(found.scales_ON).all()


def test_inputs_that_say_nothing_of_each_other_change_hardly_anything() -> None:
    matrix = random_generator(4, "matrix").normal(size=(20, 64)).astype(np.float32)
    found = rounded_for_inputs(matrix, np.eye(64), 4)
    alone = rounded_blocks(matrix, 4)
    error, error_alone = (np.square(one.plain() - matrix).sum() for one in (found, alone))
    assert 0.95 * error_alone < error <= error_alone
    assert (found.codes_OI != alone.codes_OI).mean() < 0.1


def test_columns_that_never_get_an_input_do_no_harm() -> None:
    inputs = related_inputs(64)
    inputs[:, 10:20] = 0.0
    matrix = random_generator(5, "matrix").normal(size=(20, 64)).astype(np.float32)
    found = rounded_for_inputs(matrix, inputs.T @ inputs, 4)
    assert np.isfinite(found.plain()).all()
    nothing = rounded_for_inputs(matrix, np.zeros((64, 64)), 4)
    assert np.abs(nothing.plain() - matrix).max() < 0.5


def test_a_matrix_of_zeros_stays_one() -> None:
    inputs = related_inputs(64)
    found = rounded_for_inputs(np.zeros((4, 64), np.float32), inputs.T @ inputs, 4)
    assert not found.plain().any()
