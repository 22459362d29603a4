"""The bus between processes of one database: LISTEN and NOTIFY.

NOTIFY takes a lock of the whole database at commit, so it is sent from a
connection of its own, once for all rings of a moment, and never in the
transaction of an event (measured: 2,218 against 718 transactions a second).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from app.bus.carried import CarriedBus
from app.bus.doorbell import ALL
from app.database import connect_raw, is_away, notify


class PostgresBus(CarriedBus):
    """Rings here at once, and in other processes by way of the database."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    async def run(self) -> None:
        """Carry rings until cancelled, through losses of the connection."""
        keep_up = partial(
            self._reconnecting,
            self._connected,
            is_away=is_away,
            lost_words="The bus lost its database",
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_up(self._hear))
            tasks.create_task(keep_up(self._tell))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        connection = await connect_raw(self._url)
        try:
            yield connection
        finally:
            connection.terminate()

    async def _hear(self, connection: Any) -> None:
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        own = connection.get_server_pid()

        def heard(_: object, sender: int, topic: str, payload: str) -> None:
            if sender not in (own, self._teller):
                self._call(topic, set(payload.split()))

        for topic in self._listeners:
            await connection.add_listener(topic, heard)
            # What was rung while nobody listened is not known: look at all.
            self._call(topic, {ALL})
        await lost.wait()

    _teller: int = 0

    async def _tell(self, connection: Any) -> None:
        self._teller = connection.get_server_pid()
        await self._tell_by(partial(notify, connection))
