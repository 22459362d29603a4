"""What the tests of the simulator share."""

from __future__ import annotations

import pytest

from tests.unit.simulator.small_server import KEYS, Server


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def keys() -> dict[str, str]:
    return dict(KEYS)
