from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.foundation.errors import DamagedFileError, SettingError
from sparrowlm.foundation.randomness import (
    derive_seed,
    generator_state,
    random_generator,
    restored_generator,
    restored_torch_generator,
    torch_generator,
    torch_generator_state,
)


def test_randomness_seed_is_the_same_forever():
    assert derive_seed(0, "shuffle") == 379028284488865048
    assert derive_seed(0, "shuffle") != derive_seed(0, "dropout") != derive_seed(1, "dropout")


@pytest.mark.parametrize("seed", [-1, 2**63, True])
def test_randomness_bad_seed_is_refused(seed):
    with pytest.raises(SettingError) as caught:
        derive_seed(seed, "shuffle")
    assert caught.value.exit_code == 2


@given(st.integers(0, 2**63 - 1), st.integers(0, 7))
def test_randomness_state_survives_json(seed, num_draws):
    generator = random_generator(seed, "order")
    generator.integers(0, 100, size=num_draws, dtype=np.uint8)
    state = json.loads(json.dumps(generator_state(generator)))
    twin = restored_generator(state)
    assert np.array_equal(twin.permutation(50), generator.permutation(50))


@pytest.mark.parametrize(
    "change", [{"bit_generator": "MT19937"}, {"state": "abc"}, {"increment": None}, {"state": "-1"}]
)
def test_randomness_damaged_state_is_refused(change):
    state = generator_state(random_generator(1, "order")) | change
    with pytest.raises(DamagedFileError):
        restored_generator(state)


def test_randomness_torch_state_survives_json():
    torch = pytest.importorskip("torch")
    generator = torch_generator(3, "dropout")
    torch.rand(5, generator=generator)
    twin = restored_torch_generator(torch_generator_state(generator))
    assert torch.equal(torch.rand(9, generator=twin), torch.rand(9, generator=generator))


@pytest.mark.parametrize("state", ["", "not base64!", "AAAA"])
def test_randomness_damaged_torch_state_is_refused(state):
    pytest.importorskip("torch")
    with pytest.raises(DamagedFileError):
        restored_torch_generator(state)
