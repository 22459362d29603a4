"""Taking over: one of two projectors is killed, or stands still, while events come in."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

import asyncpg

from app.database import make_engine, transaction
from app.repositories import ownership
from benchmarks.installation import Installation, apart
from benchmarks.load import Door, post_paced

Result = dict[str, Any]

#: Events a second over all regions: each has one waiting soon after nobody folds it.
RATE = 80.0
#: Seconds of posting; the signal comes in the first of them.
POSTING_S = 10.0
SPREAD_WITHIN_S = 30.0
GLANCE_S = 0.02


async def measure(place: Installation, door: Door) -> Result:
    """Return for how long at most a region stood still, after a kill, and after a stop."""
    return {
        "killed_s": await _without_one(place, door, signal.SIGKILL),
        "stopped_s": await _without_one(place, door, signal.SIGSTOP),
    }


async def _without_one(place: Installation, door: Door, how: signal.Signals) -> float:
    """Take one of two projectors away while events come in; what it left is the other's."""
    leaves = await place.projector()
    connection = await place.connect()
    try:
        await _spread_over_two(place)
        series = f"takeover-{how.name}"
        posting = asyncio.create_task(apart(post_paced, door, series, RATE, POSTING_S))
        begun, _ = await place.heads()
        while (await place.heads())[0] < begun + RATE:  # noqa: ASYNC110 - sets no event
            await asyncio.sleep(GLANCE_S)
        leaves.process.send_signal(how)
        longest = await _longest_stall(connection, posting)
        await posting
    finally:
        await connection.close()
        if leaves.process.returncode is None:
            leaves.process.kill()
        await leaves.process.wait()
    return round(longest, 2)


async def _spread_over_two(place: Installation) -> None:
    engine = make_engine(place.url, pool_size=1)
    try:
        async with asyncio.timeout(SPREAD_WITHIN_S):
            while True:
                async with transaction(engine) as connection:
                    shares = await ownership.shares(connection)
                if len(shares) == 2 and shares[0] - shares[1] <= 1:
                    return
                await asyncio.sleep(GLANCE_S)
    finally:
        await engine.dispose()


async def _longest_stall(connection: asyncpg.Connection[Any], posting: asyncio.Task[Any]) -> float:
    """Return for how long at most a region with events waiting was not folded on."""
    since: dict[str, tuple[int, float]] = {}
    longest = 0.0
    waiting = True
    while waiting or not posting.done():
        rows = await connection.fetch(
            "SELECT l.region, l.head, p.seq FROM region_logs l JOIN projections p"
            " ON p.region = l.region"
        )
        now = time.monotonic()
        waiting = False
        for region, head, seq in rows:
            before, at = since.get(region, (seq, now))
            if seq == head or seq != before:
                at = now
            longest = max(longest, now - at)
            since[region] = seq, at
            waiting = waiting or seq < head
        await asyncio.sleep(GLANCE_S)
    return longest
