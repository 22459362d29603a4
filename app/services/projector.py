"""The projector role: works on its share of the channels, and looks by itself each second."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog

from app.bus import FRAMES, LOG, OWNERS, Bus
from app.database import Engine, connect_raw, is_away, told, transaction
from app.domain.errors import DatabaseAway, InvariantBroken
from app.domain.times import Clock
from app.repositories import event_log, frames, keys
from app.repositories.frames import NETWORK, region_channel
from app.services.channel_worker import ChannelWorker
from app.services.network_projector import NetworkProjector
from app.services.ownership import Share
from app.services.region_projector import RegionProjector
from app.services.statistics import Statistics

log = structlog.get_logger()

T = TypeVar("T")

#: Whatever the doorbells do, the log, and who works on what, are looked at this often.
TICK_S = 1.0
#: An hour in which a wall may resume, and a margin for clocks that differ.
FRAMES_KEPT = timedelta(minutes=65)
HOUSEKEEPING_S = 60.0
#: Steps under way at once: one writes while others wait for the disk.
CONCURRENT_STEPS = 4
RETRY_S = 1.0
#: For the steps under way when the process is told to stop. Shorter than the time after
#: which the server would end a session that says nothing.
LEAVES_WITHIN_S = 2.0
#: A server that says nothing for so long has ended the session anyhow, or is not there.
ANSWERS_WITHIN_S = 5.0


class Projector:
    """Folds the regions that are its own among all projectors, and the network if that is."""

    def __init__(self, engine: Engine, url: str, bus: Bus, clock: Clock, member: int) -> None:
        self._engine = engine
        self._url = url
        self._bus = bus
        self._clock = clock
        #: The same through losses of the database, so that the same regions come back.
        self._member = member
        self._channels: frozenset[str] = frozenset()
        self._regions: dict[str, RegionProjector] = {}
        self._working: dict[str, tuple[ChannelWorker, asyncio.Task[None]]] = {}
        self._statistics = Statistics(engine)
        #: In all regions, as of the last tick.
        self._events = 0
        self._steps = asyncio.Semaphore(CONCURRENT_STEPS)
        self._review = asyncio.Event()
        bus.listen(LOG, self._rung)
        bus.listen(FRAMES, lambda _: self._wake(NETWORK))
        bus.listen(OWNERS, lambda _: self._review.set())

    async def run(self) -> None:
        """Fold until cancelled, through losses of the database; then leave in order."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._housekeeping())
                tasks.create_task(self._follow())
                tasks.create_task(self._ticking())
                while True:
                    await self._own_guarded(tasks)
                    await asyncio.sleep(RETRY_S)
        finally:
            # Told to others at once, who would see it within a second.
            self._bus.ring(OWNERS, {str(self._member)})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S):
                    await self._bus.flush()

    def _rung(self, regions: set[str]) -> None:
        for region in self._regions if "*" in regions else regions:
            self._wake(region_channel(region))

    def _wake(self, channel: str) -> None:
        if channel in self._working:
            self._working[channel][0].wake.set()

    # --- whose is what -------------------------------------------------------------------------

    async def _own_guarded(self, tasks: asyncio.TaskGroup) -> None:
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

    async def _own(self, tasks: asyncio.TaskGroup) -> None:
        """Hold this projector's share on one session, for as long as that lives."""
        session = await connect_raw(self._url)
        try:
            share = Share(session, self._member)
            while not await _answered(share.join()):  # noqa: ASYNC110 - its end sets no event
                await asyncio.sleep(TICK_S)
            self._bus.ring(OWNERS, {str(self._member)})
            while True:
                self._review.clear()
                await _answered(self._take_and_leave(share, tasks))
                await _set_or_after(self._review, TICK_S)
        except asyncio.CancelledError:
            await self._finish(self._working)
            raise
        finally:
            session.terminate()

    async def _take_and_leave(self, share: Share, tasks: asyncio.TaskGroup) -> None:
        """Give back what was left, leave what is another's now, take what is ours and free."""
        left = [name for name, (_, task) in self._working.items() if task.done()]
        if left:
            await share.give_back(left)
            self._forget(left)
            self._bus.ring(OWNERS, set(left))
        mine = await share.mine(self._channels)
        for channel in self._working.keys() - mine:
            self._working[channel][0].leave()
        for channel in await share.take(mine - self._working.keys()):
            worker = self._worker(channel)
            task = tasks.create_task(worker.run())
            task.add_done_callback(lambda _: self._review.set())
            self._working[channel] = worker, task
            log.info("Working on a channel", action="projector.owns", channel=channel)

    def _worker(self, channel: str) -> ChannelWorker:
        if channel == NETWORK:
            network, wake = NetworkProjector(self._engine, self._clock), asyncio.Event()
            wake.set()
            step = partial(self._step_network, network)
            return ChannelWorker(channel, network, wake, step, self._bus)
        region = channel.removeprefix(region_channel(""))
        projector = RegionProjector(self._engine, region, self._clock)
        self._regions[region] = projector
        step = partial(self._guarded, projector.step, projector)
        return ChannelWorker(channel, projector, projector.wake, step, self._bus)

    def _forget(self, channels: Iterable[str]) -> None:
        for channel in channels:
            del self._working[channel]
            self._regions.pop(channel.removeprefix(region_channel("")), None)
            log.info("Left a channel to others", action="projector.leaves", channel=channel)

    async def _finish(self, working: dict[str, tuple[ChannelWorker, asyncio.Task[None]]]) -> None:
        """Let the steps under way come to their end."""
        for worker, _ in working.values():
            worker.leave()
        if working:
            await asyncio.wait([task for _, task in working.values()], timeout=LEAVES_WITHIN_S)

    def _disown(self) -> None:
        for _, task in self._working.values():
            task.cancel()
        self._working.clear()
        self._regions.clear()

    # --- what is to be done --------------------------------------------------------------------

    async def _ticking(self) -> None:
        while True:
            # Workers and the session of the locks tell of a database that is away.
            with contextlib.suppress(DatabaseAway):
                await self._tick()
            await asyncio.sleep(TICK_S)

    async def _tick(self) -> None:
        """See which channels there are, wake what has work, and note that the rest is current."""
        async with transaction(self._engine) as connection:
            now = self._clock()
            ends = await event_log.ends(connection)
        self._events = sum(end.head for end in ends.values())
        channels = frozenset({NETWORK, *map(region_channel, ends)})
        if channels != self._channels:
            self._channels = channels
            self._review.set()
        quiet = {}
        for region, projector in self._regions.items():
            if region in ends and not self._has_work(projector, ends[region], now):
                assert projector.at is not None  # noqa: S101 - else there is work
                quiet[projector.channel] = (projector.at[0], projector.at[2])
        if quiet:
            async with transaction(self._engine) as connection:
                await frames.checked(connection, quiet, now)
        self._wake(NETWORK)

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

    async def _guarded(
        self, step: Callable[[], Awaitable[bool]], projector: RegionProjector
    ) -> bool:
        try:
            async with self._steps:
                return await step()
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

    async def _step_network(self, network: NetworkProjector) -> bool:
        try:
            async with self._steps:
                await network.step()
        except DatabaseAway:
            await asyncio.sleep(RETRY_S)
            return True
        except Exception as error:
            log.error(  # noqa: TRY400 - a traceback could quote what was folded
                "Telling of the network failed and will be tried again",
                action="projector.network_failed",
                error=told(error),
            )
            await asyncio.sleep(RETRY_S)
            return True
        return False

    async def _follow(self) -> None:
        """Have statistics follow the log; one projector does it, and no tick waits for it."""
        while True:
            await asyncio.sleep(TICK_S)
            if NETWORK in self._working and not await self._statistics.grown(self._events):
                await asyncio.sleep(HOUSEKEEPING_S)

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


async def _answered(asking: Awaitable[T]) -> T:
    """Return what a server answers; one that does not is away."""
    async with asyncio.timeout(ANSWERS_WITHIN_S):
        return await asking


async def _set_or_after(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after a time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
