"""Rebuilding a region: folding its whole log again beside the living tables.

The new generation is made while the old one lives; the swap is one transaction
under a new epoch, so that a wall never shows zeros meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from app.bus import FRAMES, LOG, Bus
from app.database import Connection, Engine, connect_raw, snapshot, transaction, try_lock
from app.domain.cases import CaseKey
from app.domain.cells import RECENT, Delta
from app.domain.errors import RebuildUnderWay, UnknownRegion
from app.domain.events import LoggedEvent
from app.domain.families import meaning_of
from app.domain.region_state import LATEST, RegionParts, build, feed_line
from app.domain.regions import tenant_of
from app.domain.strict_json import dumps
from app.domain.times import Clock, hour_of
from app.repositories import cases, cells, event_log, frames, register
from app.repositories.frames import Projection, first_frame, region_channel
from app.services.folding import fold_run
from app.services.recomputation import recompute
from app.services.register import is_demo, new_epoch

log = structlog.get_logger()

#: A tail shorter than this is folded under the lock: some tens of milliseconds.
TAIL = 500
RUN_LIMIT = 3_000


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did."""

    region: str
    epoch: str
    seq: int
    cases: int


async def rebuild(
    engine: Engine,
    url: str,
    bus: Bus,
    clock: Clock,
    region: str,
    progress: Callable[[int], None],
) -> Rebuilt:
    """Fold a region's log again and swap it in under a new epoch.

    ``progress`` is told how many events have been folded so far.

    Raises:
        UnknownRegion: the region has no log here.
        RebuildUnderWay: another process rebuilds the region now.
        InvariantBroken: the log itself has a gap; nothing was swapped.
    """
    guard = await connect_raw(url)
    try:
        if not await try_lock(guard, f"rebuild:{region}"):
            raise RebuildUnderWay("the region is being rebuilt by another process")
        return await _rebuild(engine, bus, clock, region, progress)
    finally:
        guard.terminate()


async def _rebuild(
    engine: Engine, bus: Bus, clock: Clock, region: str, progress: Callable[[int], None]
) -> Rebuilt:
    channel = region_channel(region)
    living = await _read(engine, channel)
    generation = living.generation + 1
    async with transaction(engine) as connection:
        # What a rebuild that was killed left behind, before its swap or after it.
        await cells.keep_only(connection, region, living.generation)
    seq, count = await _fold_history(engine, region, generation, living.head, progress)
    seq = await _fold_tail(engine, region, generation, seq)
    async with transaction(engine) as connection:
        locked = await frames.lock(connection, channel)
        assert locked is not None  # noqa: S101 - read above
        # Read before the log, so that the picture is at least as new as it says.
        now = clock()
        seq = await _fold_from(connection, region, generation, seq, limit=None)
        rebuilt = await _swap(connection, locked, generation, seq, now)
    bus.ring(LOG, {region})
    bus.ring(FRAMES, {channel})
    async with transaction(engine) as connection:
        await cells.keep_only(connection, region, generation)
    log.info("A region was rebuilt", action="rebuild.done", region=region, epoch=rebuilt.epoch)
    return Rebuilt(region, rebuilt.epoch, rebuilt.seq, count)


async def _read(engine: Engine, channel: str) -> Projection:
    async with transaction(engine) as connection:
        living = await frames.read(connection, channel)
    if living is None:
        raise UnknownRegion("no such region is registered here", field="region")
    return living


async def _fold_history(
    engine: Engine, region: str, generation: int, up_to: int, progress: Callable[[int], None]
) -> tuple[int, int]:
    """Fold the log up to a seq, case by case, into a generation of its own.

    Reading and writing are two connections: the reading is one long snapshot,
    the writing is committed at the end.
    """
    async with snapshot(engine) as reading, transaction(engine) as writing:
        families = await register.families(reading)
        count = 0
        total = Delta()
        async for so_far, run in recompute(reading, region, up_to, families):
            await cases.add(writing, region, generation, [folded.case for folded in run])
            progress(so_far.events)
            count, total = so_far.cases, so_far.cells
        await cells.add(writing, region, generation, total)
        await cells.hear_again(writing, region, generation, up_to, await _zone(reading, region))
    return up_to, count


async def _zone(connection: Connection, region: str) -> str:
    return (await register.tenants(connection, tenant_of(region)))[0].region.timezone


async def _fold_tail(engine: Engine, region: str, generation: int, seq: int) -> int:
    """Fold what came meanwhile, until little is left for the time under the lock."""
    while True:
        async with transaction(engine) as connection:
            before = seq
            seq = await _fold_from(connection, region, generation, seq, limit=RUN_LIMIT)
            if seq - before < TAIL:
                return seq


async def _fold_from(
    connection: Connection, region: str, generation: int, seq: int, *, limit: int | None
) -> int:
    """Fold events after ``seq``, one run or, without a limit, all there are by now."""
    families = await register.families(connection)
    tenant = (await register.tenants(connection, region))[0]
    while True:
        events = await event_log.after(connection, region, seq, limit or RUN_LIMIT)
        if not events:
            return seq
        zone = tenant.region.zone
        folding = await fold_run(connection, region, zone, generation, families, events)
        seq = folding.seq
        # The end of the log as it was then: to look for a moment without any new event would be,
        # where events never cease to come, to hold the lock for good.
        if limit is not None or len(events) < RUN_LIMIT:
            return seq


async def _swap(
    connection: Connection, old: Projection, generation: int, seq: int, now: datetime
) -> Projection:
    """Make the new generation the living one, under a new epoch, at rev 1."""
    assert old.region is not None  # noqa: S101 - a region's projection
    parts = await _parts(connection, old.region, generation, seq, now)
    swapped = replace(
        old,
        epoch=new_epoch(),
        generation=generation,
        rev=1,
        seq=seq,
        current_at=now,
        watermark=await event_log.newest_time(connection, old.region, seq, now),
        state=dumps(build(parts, now)),
        state_at=now,
    )
    await frames.move(connection, swapped)
    await frames.forget_epoch(connection, old.channel, old.epoch)
    await frames.log(connection, first_frame(swapped), now)
    return swapped


async def _parts(
    connection: Connection, region: str, generation: int, seq: int, now: datetime
) -> RegionParts:
    families = await register.families(connection)
    newest = await event_log.newest_counted(connection, region, seq, LATEST)
    return RegionParts(
        region=(await register.tenants(connection, region))[0].region,
        cells=await cells.load(connection, region, generation, hour_of(now - RECENT)),
        families=families,
        overdue=await cases.count_overdue(connection, region, generation, None, now),
        sources=await cells.sources(connection, region, generation),
        latest={
            event.seq: await _line(connection, region, generation, families[event.app], event)
            for event in newest
        },
        demo=await is_demo(connection),
    )


async def _line(
    connection: Connection, region: str, generation: int, family: str, event: LoggedEvent
) -> dict[str, Any]:
    meaning = meaning_of(event.type, family)
    if meaning is None or event.subject is None:
        return feed_line(event, None, None)
    key = CaseKey(event.app, meaning.kind.code, event.subject)
    kept = await cases.of_keys(connection, region, generation, [key])
    state = meaning.state.code if meaning.state is not None else None
    return feed_line(event, state, kept.get(key))
