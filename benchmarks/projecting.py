"""Folding: a backlog, a rebuild, a verification; each alone."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import structlog

from app.clock import now
from app.database import make_engine
from app.services import summaries, verification
from app.services.rebuild import rebuild
from app.wiring import commands_bus
from benchmarks.ingest import must_all
from benchmarks.installation import Installation, Role, apart, heads
from benchmarks.load import Door, post_batches
from benchmarks.meter import Meter

Result = dict[str, Any]


async def measure_project(place: Installation, door: Door, rate: float) -> tuple[Result, Role]:
    """Post in full for a while without a projector, start it, and watch it drain.

    Seconds run from the start of the process; the rate is that of the folding
    itself, from the first step seen to the last. Then the history is filled up
    to its full length, and folded too. The projector goes on running.
    """
    sizes = place.sizes
    most = int(rate * sizes.backlog_s * 1.3)
    posted = must_all(await apart(post_batches, door, "p", most, sizes.backlog_s))
    begun = time.monotonic()
    projector = await place.projector()
    meters = {"projector": Meter(projector.pid), "postgres": Meter(place.postgres.pid)}
    folded, seconds, drain_s = await _drain(place, begun)
    cpu = {name: round(meter.spent() / posted.events * 1e6, 1) for name, meter in meters.items()}
    head, _ = await place.heads()
    if head < sizes.large:
        must_all(await apart(post_batches, door, "l", sizes.large - head))
        await place.drained()
    return {
        "events_per_s": round(folded / seconds),
        "drain_s": round(drain_s, 1),
        "backlog_s": round(posted.seconds, 1),
        "backlog_events": posted.events,
        "cpu_us": cpu,
    }, projector


async def _drain(place: Installation, begun: float) -> tuple[int, float, float]:
    """Return events folded, in how many seconds, and how long all took since ``begun``."""
    connection = await place.connect()
    try:
        before = first = (await heads(connection))[1]
        first_at = begun
        while True:
            head, seq = await heads(connection)
            at = time.monotonic()
            if first == before and seq > before:
                first, first_at = seq, at
            if seq == head:
                # All in one glance, where the backlog was tiny.
                folded = seq - first or seq - before
                return folded, at - (first_at if seq > first else begun), at - begun
            await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def measure_rebuild(place: Installation) -> Result:
    """Rebuild every region, one after the other as the command does."""
    events, seconds, cpu = await apart(_rebuild_all, place.url)
    return {"events_per_s": round(events / seconds), "cpu_us": round(cpu / events * 1e6, 1)}


async def measure_verify(place: Installation) -> Result:
    """Verify every region, one after the other as the command does."""
    events, seconds, cpu = await apart(_verify_all, place.url)
    return {"events_per_s": round(events / seconds), "cpu_us": round(cpu / events * 1e6, 1)}


def _rebuild_all(url: str) -> tuple[int, float, float]:
    """Run in a process of its own; return events, seconds, and CPU seconds of this process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

    async def main() -> int:
        engine = make_engine(url, pool_size=4, command_timeout=None)
        events = 0
        async with commands_bus(url) as bus:
            for tenant in await summaries.list_regions(engine):
                done = await rebuild(engine, url, bus, now, tenant.region.code, lambda _: None)
                events += done.seq
        await engine.dispose()
        return events

    return _timed(main)


def _verify_all(url: str) -> tuple[int, float, float]:
    """Run in a process of its own; return events, seconds, and CPU seconds of this process."""

    async def main() -> int:
        engine = make_engine(url, pool_size=4, command_timeout=None)
        events = 0
        for tenant in await summaries.list_regions(engine):
            found = await verification.verify(engine, tenant.region.code)
            assert not found.differences, "the numbers differ from the log"
            events += found.events
        await engine.dispose()
        return events

    return _timed(main)


def _timed(main: Any) -> tuple[int, float, float]:
    begun, cpu = time.monotonic(), time.process_time()
    events = asyncio.run(main())
    return events, time.monotonic() - begun, time.process_time() - cpu
