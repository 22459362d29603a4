"""Folding: a backlog, a rebuild, a verification; each alone."""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from app.bus import MemoryBus
from app.database import Engine, make_engine
from app.services import summaries
from app.wiring import commands_bus
from app.workers import work
from app.workers.pool import each_region
from app.workers.work import Tools
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
    """Rebuild all regions as the command does."""
    return _figures(await apart(_rebuild_all, place.url))


async def measure_verify(place: Installation) -> Result:
    """Verify all regions as the command does."""
    return _figures(await apart(_verify_all, place.url))


def _figures(measured: tuple[int, float, float]) -> Result:
    events, seconds, cpu = measured
    return {"events_per_s": round(events / seconds), "cpu_us": round(cpu / events * 1e6, 1)}


def _rebuild_all(url: str) -> tuple[int, float, float]:
    """Run in a process of its own; return events, seconds and CPU seconds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

    async def main(engine: Engine) -> int:
        async with commands_bus(url) as bus:
            sizes = await summaries.lengths(engine)
            done = await each_region(work.rebuild, Tools(engine, bus), sizes)
            return sum(one.seq for one in done)

    return _timed(url, main)


def _verify_all(url: str) -> tuple[int, float, float]:
    """Run in a process of its own; return events, seconds and CPU seconds."""

    async def main(engine: Engine) -> int:
        sizes = await summaries.lengths(engine)
        found = await each_region(work.verify, Tools(engine, MemoryBus()), sizes)
        assert not any(one.differences for one in found), "the numbers differ from the log"
        return sum(one.events for one in found)

    return _timed(url, main)


def _timed(url: str, main: Callable[[Engine], Awaitable[int]]) -> tuple[int, float, float]:
    async def on_engine() -> int:
        engine = make_engine(url, pool_size=4, command_timeout=None)
        try:
            return await main(engine)
        finally:
            await engine.dispose()

    begun, cpu = time.monotonic(), _cpu()
    events = asyncio.run(on_engine())
    return events, time.monotonic() - begun, _cpu() - cpu


def _cpu() -> float:
    """Return the CPU seconds of this process and of those it started, which have ended."""
    used = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
