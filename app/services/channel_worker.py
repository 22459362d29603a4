"""One channel's work in a projector: steps whenever it is woken, until it is to leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from app.bus import FRAMES, Bus
from app.services.pace import Pace


class Stepping(Protocol):
    """What brings a channel forward, at the pace of its frames."""

    pace: Pace

    async def step(self) -> bool:
        """Bring the channel forward."""


class ChannelWorker:
    """Steps a channel at its pace and rings for each frame.

    ``step`` says whether there is more to do at once; it raises nothing.
    """

    def __init__(
        self,
        channel: str,
        stepping: Stepping,
        wake: asyncio.Event,
        step: Callable[[], Awaitable[bool]],
        bus: Bus,
    ) -> None:
        self.channel = channel
        self.wake = wake
        self._pace = stepping.pace
        self._step = step
        self._bus = bus
        self._leaving = False

    def leave(self) -> None:
        """Have the work end after the step under way."""
        self._leaving = True
        self.wake.set()

    async def run(self) -> None:
        """Work until told to leave."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            if self._leaving:
                return
            before = self._pace.frames
            more = await self._step()
            if self._pace.frames != before:
                self._bus.ring(FRAMES, {self.channel})
            if more:
                self.wake.set()
            if not self._leaving:
                await self._pace.begin()
