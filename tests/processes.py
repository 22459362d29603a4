"""Waiting for processes that are not our children."""

import asyncio
import os

SOON = 60


async def gone(pid: int) -> None:
    """Return when the process has ended, whoever may still have to bury it."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        async with asyncio.timeout(SOON):
            await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
