"""Waiting for a server that has no way to call us."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

#: Seconds. Reached only where something is broken: the machine may be busy with all else.
SOON = 60.0
#: Seconds between two questions.
GLANCE = 0.02


async def eventually(
    ask: Callable[[], Awaitable[T | None]], what: str, *, within: float = SOON
) -> T:
    """Ask until the answer is something, and return it; ``what`` names it for the reader."""
    try:
        async with asyncio.timeout(within):
            while not (answer := await ask()):  # noqa: ASYNC110 - it cannot set our event
                await asyncio.sleep(GLANCE)
            return answer
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s: {what}") from None


async def soon(so: Callable[[], bool], what: str) -> None:
    """Return as soon as something in this process is so."""

    async def ask() -> bool:
        return so()

    await eventually(ask, what)
