"""The projector role: owns regions, wakes on doorbells, and looks by itself each second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from app.bus import FRAMES, LOG, Bus
from app.database import Engine, connect_raw, is_away, told, touch, transaction, try_lock
from app.domain.errors import DatabaseAway, InvariantBroken
from app.domain.times import Clock
from app.repositories import event_log, frames, keys
from app.repositories.frames import NETWORK
from app.services.network_projector import NetworkProjector
from app.services.region_projector import RegionProjector

log = structlog.get_logger()

#: The first change goes at once, further ones of a channel this much apart.
PACE_S = 0.1
#: Whatever the doorbells do, the log is looked at this often.
TICK_S = 1.0
#: An hour in which a wall may resume, and a margin for clocks that differ.
FRAMES_KEPT = timedelta(minutes=65)
HOUSEKEEPING_S = 60.0
#: Steps under way at once: one writes while others wait for the disk.
CONCURRENT_STEPS = 4
RETRY_S = 1.0


class Projector:
    """Folds every region whose lock it holds, and the network where it holds that."""

    def __init__(self, engine: Engine, url: str, bus: Bus, clock: Clock) -> None:
        self._engine = engine
        self._url = url
        self._bus = bus
        self._clock = clock
        self._owned: dict[str, tuple[RegionProjector, asyncio.Task[None]]] = {}
        self._network = NetworkProjector(engine, clock)
        self._network_wake = asyncio.Event()
        self._network_task: asyncio.Task[None] | None = None
        self._steps = asyncio.Semaphore(CONCURRENT_STEPS)
        bus.listen(LOG, self._rung)
        bus.listen(FRAMES, lambda _: self._network_wake.set())

    async def run(self) -> None:
        """Fold until cancelled, through losses of the database."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._housekeeping())
            while True:
                try:
                    await self._own(tasks)
                except Exception as error:
                    if not (is_away(error) or isinstance(error, DatabaseAway)):
                        raise
                    log.warning(
                        "The projector lost its database and will try again",
                        action="projector.database_lost",
                    )
                finally:
                    self._disown()
                await asyncio.sleep(RETRY_S)

    def _rung(self, regions: set[str]) -> None:
        wanted = self._owned if "*" in regions else regions & self._owned.keys()
        for region in wanted:
            self._owned[region][0].wake.set()

    async def _own(self, tasks: asyncio.TaskGroup) -> None:
        """Hold the locks on one connection, and tick while it lives."""
        connection = await connect_raw(self._url)
        try:
            while True:
                await self._tick(connection, tasks)
                await asyncio.sleep(TICK_S)
        finally:
            connection.terminate()

    async def _tick(self, locks: Any, tasks: asyncio.TaskGroup) -> None:
        """Take what nobody holds, wake what has work, and note that the rest is current."""
        async with transaction(self._engine) as connection:
            now = self._clock()
            ends = await event_log.ends(connection)
        for region in ends.keys() - self._owned.keys():
            if await try_lock(locks, region):
                projector = RegionProjector(self._engine, region, self._clock)
                self._owned[region] = projector, tasks.create_task(self._work(projector))
                log.info("Folding a region", action="projector.owns", region=region)
        if self._network_task is None and await try_lock(locks, NETWORK):
            self._network_task = tasks.create_task(self._work_network())
        # A statement on the lock's own connection: were it lost, the locks would be too.
        await touch(locks)
        quiet = {}
        for region, (projector, _) in self._owned.items():
            if region in ends and not self._has_work(projector, ends[region], now):
                assert projector.at is not None  # noqa: S101 - else there is work
                quiet[projector.channel] = (projector.at[0], projector.at[2])
        if quiet:
            async with transaction(self._engine) as connection:
                await frames.checked(connection, quiet, now)
        self._network_wake.set()

    def _has_work(self, projector: RegionProjector, end: event_log.End, now: datetime) -> bool:
        if projector.known_sources != end.sources:
            projector.known_sources = -1
        elif (
            projector.at is not None
            and projector.at[3] == end.head
            and projector.next_change is not None
            and now < projector.next_change
        ):
            return False
        projector.wake.set()
        return True

    def _disown(self) -> None:
        for _, task in self._owned.values():
            task.cancel()
        self._owned.clear()
        if self._network_task is not None:
            self._network_task.cancel()
            self._network_task = None

    async def _work(self, projector: RegionProjector) -> None:
        """Step whenever woken, at the channel's pace."""
        while True:
            await projector.wake.wait()
            projector.wake.clear()
            more = await self._guarded(projector.step, projector)
            if more:
                projector.wake.set()
            await _pace(projector.last_frame)

    async def _guarded(
        self, step: Callable[[], Awaitable[bool]], projector: RegionProjector
    ) -> bool:
        before = projector.last_frame
        try:
            async with self._steps:
                more = await step()
        except DatabaseAway:
            await asyncio.sleep(RETRY_S)
            return True
        except InvariantBroken as error:
            await self._halt(projector, str(error))
            return False
        except Exception as error:
            # Not known to be broken, and not known to be well: other regions go
            # on, this one is tried again, and its walls show their age meanwhile.
            log.error(  # noqa: TRY400 - a traceback could quote what was folded
                "Folding failed and will be tried again",
                action="projector.failed",
                region=projector.region,
                error=told(error),
            )
            await asyncio.sleep(RETRY_S)
            return True
        if projector.last_frame != before:
            self._bus.ring(FRAMES, {projector.channel})
        return more

    async def _halt(self, projector: RegionProjector, reason: str) -> None:
        """Stop folding a region whose numbers contradict its log, and say so."""
        log.error(
            "Folding stopped: a number contradicts the log; run `kentongan verify`, then"
            " `kentongan rebuild`",
            action="projector.halted",
            region=projector.region,
            reason=reason,
        )
        try:
            async with transaction(self._engine) as connection:
                await frames.halt(connection, projector.channel, reason, self._clock())
        except DatabaseAway:
            projector.wake.set()  # it will break again, and then be written down

    async def _work_network(self) -> None:
        while True:
            await self._network_wake.wait()
            self._network_wake.clear()
            try:
                async with self._steps:
                    framed = await self._network.step()
            except DatabaseAway:
                await asyncio.sleep(RETRY_S)
                continue
            except Exception as error:
                log.error(  # noqa: TRY400 - a traceback could quote what was folded
                    "Telling of the network failed and will be tried again",
                    action="projector.network_failed",
                    error=told(error),
                )
                await asyncio.sleep(RETRY_S)
                self._network_wake.set()
                continue
            if framed:
                self._bus.ring(FRAMES, {NETWORK})
                await _pace(self._network.last_frame)

    async def _housekeeping(self) -> None:
        """Forget frames out of every window, and tickets that nobody used."""
        while True:
            try:
                async with transaction(self._engine) as connection:
                    await frames.forget(connection, self._clock() - FRAMES_KEPT)
                    await keys.forget_tickets(connection, self._clock())
            except DatabaseAway:
                log.info("Housekeeping waits for the database", action="projector.no_housekeeping")
            except Exception as error:
                log.error(  # noqa: TRY400 - a traceback could quote what was kept
                    "Housekeeping failed and will be tried again",
                    action="projector.housekeeping_failed",
                    error=told(error),
                )
            await asyncio.sleep(HOUSEKEEPING_S)


async def _pace(last_frame: float) -> None:
    wait = last_frame + PACE_S - time.monotonic()
    if wait > 0:
        await asyncio.sleep(wait)
