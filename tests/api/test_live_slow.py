"""A reader that stops reading: the newest in one difference when it drains, or 4413 (G6)."""

from __future__ import annotations

import time
from typing import Any
from unittest.mock import patch

import httpx

from tests.api.client import Api, Place, metric, receipt
from tests.api.conftest import Installation
from tests.api.running import api_here
from tests.api.waiting import SOON
from tests.live_client import LiveClient

#: A name of 256 characters of four bytes each: ten of them in every picture's feed.
LONG = "😀" * 250


def long_events(place: Place, count: int) -> list[dict[str, Any]]:
    """Make events that change much of the picture."""
    return [
        place.event(subject=f"{LONG}{n}", data={"service": f"{n % 90:02}" + "😀" * 60})
        for n in range(count)
    ]


async def filled(api: Api, place: Place, narrow: LiveClient, wall: LiveClient) -> int:
    """Change the picture until a client that does not read is far behind; return the last seq."""
    for client in (narrow, wall):
        await client.subscribe(place.channel)
        await client.follow(place.channel, 0)
    seq = 0
    # Beyond what kernel and server hold for a socket: each frame is some 20 KB.
    for events in (long_events(place, 10) for _ in range(40)):
        answer = await api.batch(*events)
        seq = receipt(answer, 9)["seq"]
        await wall.follow(place.channel, seq)
    return seq


async def test_one_that_drains_gets_the_newest_in_one_difference(
    installation: Installation, api: Api, place: Place, wall: LiveClient
) -> None:
    # However slow this machine is, the client is not given up before it drains.
    with patch("app.routers.live.SLOW_AFTER_S", SOON):
        async with (
            api_here(installation.url) as base,
            LiveClient(base, place.key, wall.ledger, receive_buffer=4_096) as narrow,
        ):
            seq = await filled(api, place, narrow, wall)
            read = len(narrow.messages)
            await narrow.follow(place.channel, seq)
            told = narrow.messages[read:]
            spans = [m.get("coalesced", 1) for m in told if m["op"] == "delta"]
            leaps = [m for m in told if m["op"] == "snapshot"] + [n for n in spans if n > 5]
            assert len(leaps) == 1, spans
            assert narrow.held[place.channel].document == wall.held[place.channel].document
            wall.ledger.note_reading(await api.state(place.region))
            # And from there on it follows like any other.
            seq = receipt(await api.send(place.event()))["seq"]
            await narrow.follow(place.channel, seq)


async def test_one_that_takes_nothing_for_ten_seconds_is_closed_and_resumes(
    installation: Installation,
    web: httpx.AsyncClient,
    api: Api,
    place: Place,
    wall: LiveClient,
) -> None:
    narrow = LiveClient(installation.api.base, place.key, wall.ledger, receive_buffer=4_096)
    async with narrow:
        for client in (narrow, wall):
            await client.until_op("hello")
        open_sockets = await metric(web, "kentongan_sockets")
        assert open_sockets is not None
        begun = time.monotonic()
        seq = await filled(api, place, narrow, wall)
        # Others are served meanwhile: again and again while the stalled one is still there.
        served = 0
        while await metric(web, "kentongan_sockets") == open_sockets:
            seq = receipt(await api.send(place.event()))["seq"]
            await wall.follow(place.channel, seq)
            served += 1
        assert served >= 5
        assert time.monotonic() - begun > 10
        assert await narrow.closed() == 4413
        await narrow.connect()
        await narrow.resume(place.channel)
        await narrow.follow(place.channel, seq)
        wall.ledger.note_reading(await api.state(place.region))
