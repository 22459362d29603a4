"""What buses between processes have in common, whatever carries their rings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import structlog

from app.bus.doorbell import ALL, Ring
from app.database import told

log = structlog.get_logger()

#: The first ring goes at once, further ones of this span as one. Short against the 100 ms
#: between frames, long against the hundreds of transactions a second that may ring.
GATHER_S = 0.01
#: PostgreSQL takes payloads under 8,000 bytes; more names than that ring for all.
MAX_PAYLOAD = 7_000
RECONNECT_S = 0.5

Link = TypeVar("Link")


class CarriedBus:
    """Rings here at once, and gathers what is to be rung elsewhere."""

    def __init__(self) -> None:
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

    async def flush(self) -> None:
        """Wait until what was rung has been carried; for those that end."""
        await self._carried.wait()

    async def _tell_by(self, send: Callable[[str, str], Awaitable[None]]) -> None:
        """Send what is rung, topic and payload, until that fails."""
        while True:
            await self._rung.wait()
            self._rung.clear()
            pending, self._pending = self._pending, {}
            try:
                for topic, names in pending.items():
                    payload = " ".join(sorted(names))
                    await send(topic, payload if len(payload) < MAX_PAYLOAD else ALL)
            except Exception:
                # Kept for the next connection; a ring too many is harmless.
                for topic, names in pending.items():
                    self.ring(topic, names)
                raise
            if not self._pending:
                self._carried.set()
            await asyncio.sleep(GATHER_S)

    async def _reconnecting(
        self,
        connect: Callable[[], AbstractAsyncContextManager[Link]],
        work: Callable[[Link], Awaitable[None]],
        *,
        is_away: Callable[[BaseException], bool],
        lost_words: str,
    ) -> None:
        """Work on one connection after the other; the loss of one is said once."""
        lost = False
        while True:
            try:
                async with connect() as link:
                    lost = False
                    await work(link)
            except Exception as error:
                if is_away(error):
                    if not lost:  # said once, however long it lasts
                        log.warning(lost_words, action="bus.lost", error=type(error).__name__)
                    lost = True
                else:
                    # Rings are hints: their failure must not be that of the whole process.
                    log.error(  # noqa: TRY400 - a traceback could hold what was sent
                        "The bus failed and will try again",
                        action="bus.failed",
                        error=told(error),
                    )
            await asyncio.sleep(RECONNECT_S)
