"""One clock for all connections of a process.

A timer of its own for each was more than half of what a thousand walls cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

log = structlog.get_logger()

TICK_S = 1.0

#: Called with the loop's time; it waits for nothing.
Tick = Callable[[float], None]


class Ticker:
    """Calls each second whoever asked to be called."""

    def __init__(self) -> None:
        self._ticks: set[Tick] = set()

    def add(self, tick: Tick) -> None:
        """Call from now on."""
        self._ticks.add(tick)

    def discard(self, tick: Tick) -> None:
        """Call no more."""
        self._ticks.discard(tick)

    async def run(self) -> None:
        """Call until cancelled; what one of them meets with is not the others' affair."""
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(TICK_S)
            for tick in list(self._ticks):
                try:
                    tick(now())
                except Exception:
                    log.exception("A connection could not be looked after", action="live.tick")
