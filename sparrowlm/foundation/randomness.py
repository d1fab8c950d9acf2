"""Random numbers by name, so that adding one consumer never shifts the numbers of another.

Every consumer derives its own seed from the run's seed and its purpose ("shuffle", "dropout"), and
can write its state as JSON for a bit-exact continuation.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from sparrowlm.foundation.errors import DamagedFileError, SettingError

if TYPE_CHECKING:
    import torch

_MAXIMUM_SEED = 2**63 - 1


def derive_seed(seed: int, purpose: str) -> int:
    """Mix the run's seed with a purpose into an independent seed.

    Args:
        seed: the run's seed, 0 to 2**63 - 1.
        purpose: short fixed name of the consumer.

    Returns:
        Seed from 0 to 2**63 - 1; equal arguments give equal seeds on every machine.

    Raises:
        SettingError: "foundation.seed-range" for any other seed.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _MAXIMUM_SEED:
        raise SettingError("foundation.seed-range", received=seed)
    digest = hashlib.blake2b(f"{seed}:{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") & _MAXIMUM_SEED


def random_generator(seed: int, purpose: str) -> np.random.Generator:
    """Return a NumPy generator (PCG64) that belongs to one purpose."""
    return np.random.Generator(np.random.PCG64(derive_seed(seed, purpose)))


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """Describe a PCG64 generator's position as a JSON object.

    The 128-bit numbers become decimal strings: other JSON readers would round them.
    """
    state = generator.bit_generator.state
    return {
        "bit_generator": state["bit_generator"],
        "state": str(state["state"]["state"]),
        "increment": str(state["state"]["inc"]),
        "has_uint32": int(state["has_uint32"]),
        "uinteger": int(state["uinteger"]),
    }


def restored_generator(state: dict[str, Any]) -> np.random.Generator:
    """Rebuild the generator described by generator_state.

    Raises:
        DamagedFileError: "foundation.random-state" when the description is not one of ours.
    """
    bits = np.random.PCG64()
    try:
        if state["bit_generator"] != "PCG64":
            raise KeyError("bit_generator")
        bits.state = {
            "bit_generator": "PCG64",
            "state": {"state": int(state["state"]), "inc": int(state["increment"])},
            "has_uint32": int(state["has_uint32"]),
            "uinteger": int(state["uinteger"]),
        }
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DamagedFileError("foundation.random-state", reason=error) from error
    return np.random.Generator(bits)


def torch_generator(seed: int, purpose: str) -> torch.Generator:
    """Return a torch CPU generator that belongs to one purpose (imports torch)."""
    import torch

    return torch.Generator().manual_seed(derive_seed(seed, purpose))


def torch_generator_state(generator: torch.Generator) -> str:
    """Describe a torch generator's position as base64 text for JSON."""
    return base64.b64encode(generator.get_state().numpy().tobytes()).decode("ascii")


def restored_torch_generator(state: str) -> torch.Generator:
    """Rebuild the generator described by torch_generator_state (imports torch).

    Raises:
        DamagedFileError: "foundation.random-state" when the text is not one of ours.
    """
    import torch

    generator = torch.Generator()
    try:
        data = bytearray(base64.b64decode(state, validate=True))
        generator.set_state(torch.frombuffer(data, dtype=torch.uint8))
    except (ValueError, TypeError, RuntimeError) as error:
        raise DamagedFileError("foundation.random-state", reason=error) from error
    return generator
