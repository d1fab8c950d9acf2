from __future__ import annotations

import pytest
from large_calls import settings
from large_stand_in import StandIn

from sparrowlm.cooperation.large import LargeModel


@pytest.fixture
def stand_in():
    with StandIn() as server:
        yield server


@pytest.fixture
def large(stand_in):
    with LargeModel(settings(stand_in)) as model:
        yield model
