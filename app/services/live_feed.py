"""Feeding the hub: what the projectors log becomes what this process's walls see."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable
from functools import partial
from typing import Any, TypeVar

import structlog

from app.bus import FRAMES, Bus
from app.database import Engine, lookup, statement
from app.domain import patches
from app.domain.errors import DatabaseAway, UnknownRegion
from app.live.hub import Channel, Hub
from app.live.pictures import Picture, Position
from app.repositories import frames
from app.repositories.frames import Frame, Projection

log = structlog.get_logger()

#: Missed doorbells cost at most this.
POLL_S = 1.0
#: Beyond so many missed frames the newest state is read instead.
CATCH_UP_LIMIT = 200
#: Pictures made again for resuming walls, shared by all that stopped at the same rev.
REMADE = 256

T = TypeVar("T")


class _Flights:
    """What is being read right now, so that all who ask for the same share one answer.

    After a restart a thousand walls ask at once. A failure is shared like an
    answer: were each to try for himself in turn, the last would wait for as
    many timeouts as there are walls.
    """

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}

    async def share(self, what: Hashable, read: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what ``read`` gives, of the one that is under way where there is one."""
        task: asyncio.Task[T] | None = self._under_way.get(what)
        if task is None:
            task = self._under_way[what] = asyncio.create_task(read())
            task.add_done_callback(partial(self._landed, what))
        # A wall that leaves must not take the answer from those who wait beside it.
        return await asyncio.shield(task)

    def _landed(self, what: Hashable, task: asyncio.Task[Any]) -> None:
        del self._under_way[what]
        if not task.cancelled():
            task.exception()  # heard, also where everybody who asked has gone


class LiveFeed:
    """Keeps the hub's channels at the newest frames."""

    def __init__(self, engine: Engine, bus: Bus, hub: Hub) -> None:
        self._engine = engine
        self._hub = hub
        self._rung: set[str] = set()
        self._wake = asyncio.Event()
        self._flights = _Flights()
        # None is a picture that can no longer be made: revs do not come back.
        self._remade: OrderedDict[tuple[str, Position], Picture | None] = OrderedDict()
        bus.listen(FRAMES, self._ring)

    def _ring(self, channels: set[str]) -> None:
        self._rung |= channels
        self._wake.set()

    async def run(self) -> None:
        """Bring channels forward on doorbells, and look at all of them each second.

        The look is due by the clock and not by silence: while one region rings
        without pause, the pictures of quiet ones must not seem to age.
        """
        loop = asyncio.get_running_loop()
        look_at = loop.time()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(look_at):
                    await self._wake.wait()
            self._wake.clear()
            rung, self._rung = self._rung, set()
            if "*" in rung or loop.time() >= look_at:
                look_at = loop.time() + POLL_S
                await self._guarded(self.poll)
            else:
                await self._guarded(partial(self._advance, rung))

    @staticmethod
    async def _guarded(work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except DatabaseAway:
            # Walls keep their picture and show its age; the next poll goes on.
            await asyncio.sleep(POLL_S)
        except Exception:
            log.exception("Feeding the walls failed", action="live.feed_failed")
            await asyncio.sleep(POLL_S)

    async def poll(self) -> None:
        """Compare where channels stand with what we hold; most have only been looked at."""
        if not self._hub.channels:
            return
        async with statement(self._engine) as connection:
            standings = await frames.standings(connection, self._hub.channels)
        behind = set()
        for name, standing in standings.items():
            channel = self._hub.channels.get(name)
            if channel is None:
                continue
            picture = channel.picture
            if (standing.epoch, standing.rev) == (picture.epoch, picture.rev):
                channel.touch(standing.head, standing.current_at, standing.watermark)
            else:
                behind.add(name)
        await self._advance(behind)

    async def _advance(self, names: Collection[str]) -> None:
        for name in names:
            channel = self._hub.channels.get(name)
            if channel is not None:
                await self._catch_up(name, channel)
                channel.wake()

    async def _catch_up(self, name: str, channel: Channel) -> None:
        picture = channel.picture
        async with statement(self._engine) as connection:
            new = await frames.since(
                connection, name, picture.epoch, picture.rev, CATCH_UP_LIMIT + 1
            )
            follows = all(frame.rev == picture.rev + i for i, frame in enumerate(new, start=1))
            if not new or not follows or len(new) > CATCH_UP_LIMIT:
                projection = await frames.read(connection, name)
                if projection is not None and _place(projection) != _place(picture):
                    channel.reset(_picture(projection))
                return
        for frame in new:
            if frame.rev == channel.picture.rev + 1:  # another catch-up may have been quicker
                channel.advance(frame.rev, _standing(frame), json.loads(frame.patch))

    async def open(self, name: str, wake: Callable[[], None]) -> Channel:
        """Subscribe to a channel, reading it first where nobody here watches it yet.

        Raises:
            UnknownRegion: there is no such channel.
        """
        if name not in self._hub.channels:
            picture = await self._flights.share(name, partial(self._read, name))
            if name not in self._hub.channels:  # nobody who waited beside us was quicker
                self._hub.channels[name] = Channel(picture)
        # Subscribed before anything else is read, so that nothing falls between.
        return self._hub.subscribe(name, wake)

    async def _read(self, name: str) -> Picture:
        async with lookup(self._engine) as connection:
            projection = await frames.read(connection, name)
        if projection is None:
            raise UnknownRegion("there is no such channel", field="channel")
        return _picture(projection)

    def close(self, name: str, wake: Callable[[], None]) -> None:
        """End a subscription."""
        self._hub.unsubscribe(name, wake)

    async def picture_at(
        self, name: str, channel: Channel, position: Position
    ) -> tuple[Picture | None, str]:
        """Return the picture that a client holds, or nothing and the reason why not."""
        await self._reach(name, channel, position)
        if position.epoch != channel.picture.epoch:
            return None, "epoch"
        if not 1 <= position.rev <= channel.picture.rev:
            return None, "unknown"
        recent = channel.at(position)
        if recent is not None:
            return recent, "initial"
        place = name, position
        if place not in self._remade:
            remake = partial(self._remake, name, position)
            return await self._flights.share(place, remake), "expired"
        return self._remade[place], "expired"

    async def _reach(self, name: str, channel: Channel, position: Position) -> None:
        """Catch up with a client that is ahead: this process may be behind the one it left.

        What is under way may have begun before the client's frame was kept; what
        begins after that one was asked for has not.
        """
        for _ in range(2):
            held = channel.picture
            if position.epoch != held.epoch or position.rev <= held.rev:
                return
            catch_up = partial(self._catch_up, name, channel)
            await self._flights.share((name, id(channel)), catch_up)

    async def _remake(self, name: str, position: Position) -> Picture | None:
        """Make an old picture again from the keyframe before it."""
        async with statement(self._engine) as connection:
            kept = await frames.up_to(connection, name, position.epoch, position.rev)
        picture = None
        if kept:
            document = json.loads(kept[0].state or "{}")
            for frame in kept[1:]:
                document = patches.apply(document, json.loads(frame.patch))
            picture = _standing(kept[-1], document)
        self._remade[name, position] = picture
        if len(self._remade) > REMADE:
            self._remade.popitem(last=False)
        return picture


def _place(at: Projection | Picture) -> tuple[str, int]:
    return at.epoch, at.rev


def _picture(at: Projection) -> Picture:
    return Picture(
        at.channel,
        at.epoch,
        at.rev,
        at.seq,
        at.head,
        at.current_at,
        at.watermark,
        json.loads(at.state),
    )


def _standing(at: Frame, document: patches.Document | None = None) -> Picture:
    return Picture(
        at.channel,
        at.epoch,
        at.rev,
        at.seq,
        at.head,
        at.current_at,
        at.watermark,
        document or {},
    )
