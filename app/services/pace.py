"""The pace of a channel: how far apart its frames are, and when to begin with the next.

A step that began only when the frame is due would have it late by as long as the step takes,
and whatever came just after the step before had read the log would wait that much longer. So
a step begins earlier by what the last ones took, and waits at its end where it was quicker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

#: The first change goes at once, further ones of a channel at least this much apart.
PACE_S = 0.1
#: A step begins no earlier than this: one that reads the log sooner has less to tell.
MOST_AHEAD_S = PACE_S / 2
#: The weight of the newest step in what steps take.
SHARE_OF_NEWEST = 0.25


class Pace:
    """When a channel's frames were kept, and when the next may be."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.frames = 0
        self._clock = clock
        self._sleep = sleep
        self._last = float("-inf")
        self._begun = self._takes = 0.0

    async def begin(self) -> None:
        """Wait until a step that begins now is done when the next frame is due."""
        await self._until(self._last + PACE_S - min(self._takes, MOST_AHEAD_S))

    def begun(self) -> None:
        """Note that a step begins."""
        self._begun = self._clock()

    async def due(self) -> None:
        """Wait, with all of a step done but the frame, until that may be kept."""
        took = self._clock() - self._begun
        self._takes += (took - self._takes) * SHARE_OF_NEWEST
        await self._until(self._last + PACE_S)

    def kept(self) -> None:
        """Note that a frame was kept just now."""
        self.frames += 1
        self._last = self._clock()

    async def _until(self, moment: float) -> None:
        wait = moment - self._clock()
        if wait > 0:
            await self._sleep(wait)
