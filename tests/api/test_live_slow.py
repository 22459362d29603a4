"""A reader that stops reading: the newest in one difference when it drains, or 4413 (G6)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api.client import Api, Place, receipt
from tests.api.conftest import Installation
from tests.live_client import Ledger, LiveClient

#: A name of 256 characters of four bytes each: ten of them in every picture's feed.
LONG = "😀" * 250


def long_events(place: Place, count: int) -> list[dict[str, Any]]:
    """Make events that change much of the picture."""
    return [
        place.event(subject=f"{LONG}{n}", data={"service": f"{n % 90:02}" + "😀" * 60})
        for n in range(count)
    ]


@pytest.fixture
async def narrow(
    installation: Installation, place: Place, ledger: Ledger
) -> AsyncIterator[LiveClient]:
    """Give a client whose kernel holds little for it."""
    client = LiveClient(installation.api.base, place.key, ledger, receive_buffer=4_096)
    async with client:
        yield client


async def filled(api: Api, place: Place, narrow: LiveClient, wall: LiveClient) -> tuple[int, float]:
    """Change the picture until a client that does not read is far behind; return the last seq."""
    for client in (narrow, wall):
        await client.subscribe(place.channel)
        await client.follow(place.channel, 0)
    begun = time.monotonic()
    seq = 0
    # Beyond what kernel and server hold for a socket: each frame is some 20 KB.
    for events in (long_events(place, 10) for _ in range(40)):
        answer = await api.batch(*events)
        seq = receipt(answer, 9)["seq"]
        await wall.follow(place.channel, seq)
    return seq, begun


async def test_one_that_drains_gets_the_newest_in_one_difference(
    api: Api, place: Place, narrow: LiveClient, wall: LiveClient
) -> None:
    seq, begun = await filled(api, place, narrow, wall)
    assert time.monotonic() - begun < 10, "too slow a machine to be slow on"
    read = len(narrow.messages)
    await narrow.follow(place.channel, seq)
    told = narrow.messages[read:]
    spans = [m.get("coalesced", 1) for m in told if m["op"] == "delta"]
    leaps = [m for m in told if m["op"] == "snapshot"] + [span for span in spans if span > 5]
    assert len(leaps) == 1, spans
    assert narrow.held[place.channel].document == wall.held[place.channel].document
    narrow.ledger.note_reading(await api.state(place.region))
    # And from there on it follows like any other.
    seq = receipt(await api.send(place.event()))["seq"]
    await narrow.follow(place.channel, seq)


async def test_one_that_takes_nothing_for_ten_seconds_is_closed_and_resumes(
    api: Api, place: Place, narrow: LiveClient, wall: LiveClient
) -> None:
    seq, begun = await filled(api, place, narrow, wall)
    # Others are served meanwhile, without a hitch.
    while time.monotonic() - begun < 14:
        sent = time.monotonic()
        seq = receipt(await api.send(place.event()))["seq"]
        await wall.follow(place.channel, seq)
        assert time.monotonic() - sent < 5
    assert await narrow.closed() == 4413
    await narrow.connect()
    await narrow.resume(place.channel)
    await narrow.follow(place.channel, seq)
    narrow.ledger.note_reading(await api.state(place.region))
