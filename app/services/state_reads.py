"""Reading states: all who ask while a reading is under way share the next one.

A reading is a connection of the pool and a round trip, more than all else that an answer
takes; with four who ask by turns, two share each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from app.database import Engine, lookup
from app.domain.errors import UnknownRegion
from app.repositories import frames
from app.repositories.frames import Projection as StateReading

#: Seconds after which those who wait have a reading of their own: the one under way may be of
#: a server that does not answer, and theirs would be given up later than they were promised.
PATIENCE_S = 0.05


class StateReads:
    """Tells where channels stand, each as of after it was asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._wanted: dict[str, asyncio.Future[StateReading]] = {}
        self._latest: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def read(self, channel: str) -> StateReading:
        """Return where a channel stands, with its state as JSON text.

        Raises:
            UnknownRegion: there is no such channel.
            DatabaseAway: no answer came in time.
        """
        loop = asyncio.get_running_loop()
        if not self._wanted:
            if self._latest is None:
                loop.call_soon(self._begin)
            else:
                loop.call_later(PATIENCE_S, self._begin)
        future = self._wanted.get(channel)
        if future is None:
            future = self._wanted[channel] = loop.create_future()
        # One who leaves must not take the answer from those who wait beside him.
        return await asyncio.shield(future)

    def _begin(self) -> None:
        """Read what is wanted by now, unless that has begun meanwhile."""
        if self._wanted:
            wanted, self._wanted = self._wanted, {}
            self._latest = asyncio.create_task(self._read(wanted))
            self._under_way.add(self._latest)
            self._latest.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if task is self._latest:
            self._latest = None
        self._begin()

    async def _read(self, wanted: dict[str, asyncio.Future[StateReading]]) -> None:
        try:
            async with lookup(self._engine) as connection:
                found = await frames.read_each(connection, wanted)
        except Exception as error:
            _fail(wanted.values(), error)
            return
        except asyncio.CancelledError:
            for future in wanted.values():
                future.cancel()
            raise
        for channel, future in wanted.items():
            if channel in found:
                future.set_result(found[channel])
            else:
                _fail([future], UnknownRegion("no such region is registered here", field="region"))


def _fail(futures: Iterable[asyncio.Future[StateReading]], error: Exception) -> None:
    for future in futures:
        future.set_exception(error)
        future.exception()  # heard, also where everybody who asked has gone
