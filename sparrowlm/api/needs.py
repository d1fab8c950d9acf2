"""What training needs beyond the parts that run a model."""

from __future__ import annotations

from importlib.util import find_spec

from sparrowlm.foundation.errors import DependencyError

TORCH_COMMAND = "pip install torch --index-url https://download.pytorch.org/whl/cpu"


def needs_torch() -> None:
    """Refuse to go on without torch.

    Raises:
        DependencyError: it is not installed.
    """
    if find_spec("torch") is None:
        raise DependencyError("training.needs-torch", command=TORCH_COMMAND)
