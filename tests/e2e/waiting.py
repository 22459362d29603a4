"""Waiting for what gives no signal, and the deadlines of everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

#: Seconds. Reached only where something is broken: the machine may be busy with all else.
SOON = 60.0
#: Seconds between two questions to a program that has no way to call us.
GLANCE = 0.05


async def eventually(ask: Callable[[], Awaitable[T | None]], what: str, within: float = SOON) -> T:
    """Ask until the answer is something, and return it; ``what`` names it for the person."""
    try:
        async with asyncio.timeout(within):
            while not (answer := await ask()):  # noqa: ASYNC110 - another process sets no event
                await asyncio.sleep(GLANCE)
            return answer
    except TimeoutError:
        raise AssertionError(f"{what}: not within {within:g} s") from None


class News:
    """Something that changes: whoever waits for a change looks again at each."""

    def __init__(self) -> None:
        self._condition = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self) -> None:
        """Wake whoever waits; never waits itself."""
        task = asyncio.get_running_loop().create_task(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        async with self._condition:
            self._condition.notify_all()

    async def until(
        self, so: Callable[[], bool], what: Callable[[], str], within: float = SOON
    ) -> None:
        """Return as soon as it is ``so``."""
        try:
            async with asyncio.timeout(within), self._condition:
                await self._condition.wait_for(so)
        except TimeoutError:
            raise AssertionError(f"not within {within:g} s: {what()}") from None
