"""How many live connections there may be, and who takes a seat for nothing."""

from __future__ import annotations

from unittest.mock import patch

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from app.routers import live
from tests.api.client import Place, check_problem
from tests.api.conftest import Installation, MakePlace
from tests.api.running import api_here
from tests.api.test_keys_end import watching
from tests.api.waiting import SOON
from tests.live_client import LiveClient

LATE, LIMIT = 4408, 4504


async def test_a_key_and_a_region_have_no_more_than_their_connections(
    installation: Installation, place: Place, places: MakePlace
) -> None:
    other = await places()
    async with (
        api_here(installation.url, sockets=3, sockets_per_key=2) as base,
        httpx.AsyncClient(base_url=base, timeout=SOON, trust_env=False) as web,
    ):
        first, second = [await watching(base, place, place.key) for _ in range(2)]
        third = LiveClient(base, place.key)
        await third.connect()
        assert await third.closed() == LIMIT
        headers = {"Authorization": f"Bearer {place.key}"}
        path = f"/v1/live/sse?channel={place.channel}"
        check_problem(await web.get(path, headers=headers), 429, "too-many-connections")
        last = await watching(base, other, other.key)
        with pytest.raises(InvalidStatus) as refused:
            await LiveClient(base, other.key).connect()
        answer = refused.value.response
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "1"
        check_problem(await web.get(path, headers=headers), 503, "overloaded")
        # A seat that is left is for the next.
        await first.hang_up()
        again = await watching(base, place, place.key)
        for client in (second, last, again):
            await client.hang_up()
    async with api_here(installation.url, sockets_per_region=1) as base:
        one = await watching(base, place, place.key)
        two = LiveClient(base, place.key)
        await two.connect()
        assert await two.closed() == LIMIT
        await one.hang_up()


async def test_who_asks_for_nothing_keeps_no_seat(installation: Installation, place: Place) -> None:
    with patch.object(live, "FIRST_MESSAGE_WITHIN_S", 0.1):
        async with api_here(installation.url) as base:
            idle = LiveClient(base, place.key)
            await idle.connect()
            asking = await watching(base, place, place.key)
            assert await idle.closed() == LATE
            # Whoever asked goes on for longer than that.
            await idle.connect()
            assert await idle.closed() == LATE
            await asking.subscribe(place.channel)
            await asking.until_op("snapshot")
            await asking.hang_up()
