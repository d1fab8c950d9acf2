"""One server for most tests of a file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from running_server import named, running, write_models

# Started by their tests, each in an environment of its own.
collect_ignore = ["clients"]


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def server(models):
    with running(*named(models), "--limit", "header_seconds=2") as found:
        yield found
