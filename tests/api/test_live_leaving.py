"""A wall that has gone leaves nothing that would have to be found as garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from websockets.server import ServerProtocol

from app.routers import http_protocol, live, websocket_protocol
from tests.api.client import Place
from tests.api.conftest import Installation
from tests.api.running import api_here
from tests.api.waiting import soon
from tests.live_client import LiveClient

KEPT = (
    http_protocol.BoundedProtocol,
    websocket_protocol.LiveProtocol,
    ServerProtocol,
    live._Connection,
)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Let objects end only when nobody holds them."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def held() -> int:
    """Return how many of what a connection is made of there are."""
    return sum(type(thing) in KEPT for thing in gc.get_objects())


@pytest.mark.parametrize(
    "torn", [pytest.param(False, id="in order"), pytest.param(True, id="torn")]
)
async def test_a_wall_that_has_gone_is_gone(
    installation: Installation, place: Place, torn: bool, no_collector: None
) -> None:
    async with api_here(installation.url) as base:
        before = held()
        async with LiveClient(base, place.key) as wall:
            await wall.subscribe(place.channel)
            await wall.follow(place.channel, 0)
            assert held() == before + 3
            if torn:
                wall.tear()
        await soon(lambda: held() == before, "all of it is gone")
