"""Feeding the walls of one process from what the projectors keep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from app.bus import FRAMES, MemoryBus
from app.database import Engine, transaction
from app.live.hub import Channel, Hub
from app.repositories import frames
from app.services.live_feed import LiveFeed
from tests.builders import NOW

QUIET, BUSY = "region:33.28", "region:36.71"
#: Seconds. Generous: the feed looks each second.
SOON = 20.0


@asynccontextmanager
async def a_running_feed(engine: Engine, bus: MemoryBus) -> AsyncIterator[LiveFeed]:
    """Give a feed that carries what a bus rings for."""
    feed = LiveFeed(engine, bus, Hub())
    running = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def ring_until_touched(bus: MemoryBus, channel: Channel) -> None:
    """Ring for another channel all the time, until this one's picture is younger."""
    before = channel.picture.current_at
    async with asyncio.timeout(SOON):
        while channel.picture.current_at == before:
            bus.ring(FRAMES, {BUSY})
            await asyncio.sleep(0)


async def test_a_quiet_channel_stays_young_beside_a_busy_one(engine: Engine) -> None:
    bus = MemoryBus()
    async with a_running_feed(engine, bus) as feed:
        channel = await feed.open(QUIET, lambda: None)
        later = NOW + timedelta(minutes=1)
        place = {QUIET: (channel.picture.epoch, channel.picture.rev)}
        async with transaction(engine) as connection:
            await frames.checked(connection, place, later)
        await ring_until_touched(bus, channel)
        assert channel.picture.current_at == later
