"""Simulated time: from a start on, at a speed, never beyond the present."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic, time


def _wall() -> int:
    return int(time() * 1000)


class Clock:
    """Milliseconds since the epoch, running ``speed`` times as fast as real ones.

    Once the present is reached, simulated time goes on with it. A clock with an
    ``end`` stands still there.
    """

    def __init__(
        self,
        start: int,
        speed: float = 1.0,
        end: int | None = None,
        *,
        wall: Callable[[], int] = _wall,
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self._start = start
        self._speed = speed
        self._end = end
        self._wall = wall
        self._ticks = ticks
        self._began = ticks()

    def now(self) -> int:
        """Return the simulated instant."""
        played = self._start + int((self._ticks() - self._began) * 1000 * self._speed)
        return min(played, self._wall() if self._end is None else self._end)

    def over(self) -> bool:
        """Tell whether the end has been reached."""
        return self._end is not None and self.now() >= self._end

    def seconds_to(self, at: int) -> float:
        """Return the real seconds until the instant, at least a hundredth."""
        ahead = (at - self.now()) / 1000
        # At the present a fast clock can go no faster than real time.
        caught_up = self._end is None and self.now() >= self._wall()
        return max(ahead if caught_up else ahead / self._speed, 0.01)


async def wait(stop: asyncio.Event, seconds: float) -> bool:
    """Wait so long, or until the run is stopped; tell whether it is."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True
