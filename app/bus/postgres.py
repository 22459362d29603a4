"""The bus between processes of one database: LISTEN and NOTIFY.

NOTIFY takes a lock of the whole database at commit, so it is sent from a
connection of its own, once for all rings of a moment, and never in the
transaction of an event (measured: 2,218 against 718 transactions a second).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from app.bus.doorbell import Ring
from app.database import connect_raw, is_away, notify, told

log = structlog.get_logger()

#: Rings of this span are carried as one. Short against the 100 ms between
#: frames, long against the 2,000 transactions a second that may ring.
GATHER_S = 0.004
#: PostgreSQL takes payloads under 8,000 bytes; more names than that ring for all.
MAX_PAYLOAD = 7_000
ALL = "*"
RECONNECT_S = 0.5


class PostgresBus:
    """Rings here at once, and in other processes by way of the database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._listeners: dict[str, list[Ring]] = {}
        self._pending: dict[str, set[str]] = {}
        self._rung = asyncio.Event()
        self._carried = asyncio.Event()
        self._carried.set()

    def ring(self, topic: str, names: set[str]) -> None:
        """Ring the listeners here, and remember to ring elsewhere."""
        self._call(topic, names)
        self._pending.setdefault(topic, set()).update(names)
        self._carried.clear()
        self._rung.set()

    def listen(self, topic: str, ring: Ring) -> None:
        """Call ``ring`` whenever the topic is rung. To be called before ``run``."""
        self._listeners.setdefault(topic, []).append(ring)

    def _call(self, topic: str, names: set[str]) -> None:
        for listener in self._listeners.get(topic, ()):
            listener(names)

    async def run(self) -> None:
        """Carry rings until cancelled, through losses of the connection."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reconnecting(self._hear))
            tasks.create_task(self._reconnecting(self._tell))

    async def _reconnecting(self, work: Callable[[Any], Awaitable[None]]) -> None:
        lost = False
        while True:
            try:
                connection = await connect_raw(self._url)
                lost = False
                try:
                    await work(connection)
                finally:
                    connection.terminate()
            except Exception as error:
                if is_away(error):
                    if not lost:  # said once, however long it lasts
                        log.warning("The bus lost its database", action="bus.lost")
                    lost = True
                else:
                    # Rings are hints: their failure must not be that of the whole process.
                    log.error(  # noqa: TRY400 - a traceback could hold what was sent
                        "The bus failed and will try again",
                        action="bus.failed",
                        error=told(error),
                    )
            await asyncio.sleep(RECONNECT_S)

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

    async def flush(self) -> None:
        """Wait until what was rung has been carried; for commands that end."""
        await self._carried.wait()

    async def _tell(self, connection: Any) -> None:
        self._teller = connection.get_server_pid()
        while True:
            await self._rung.wait()
            self._rung.clear()
            pending, self._pending = self._pending, {}
            try:
                for topic, names in pending.items():
                    payload = " ".join(sorted(names))
                    await notify(connection, topic, payload if len(payload) < MAX_PAYLOAD else ALL)
            except Exception:
                # Kept for the next connection; a ring too many is harmless.
                for topic, names in pending.items():
                    self.ring(topic, names)
                raise
            if not self._pending:
                self._carried.set()
            await asyncio.sleep(GATHER_S)
