"""Work on regions that no program has, for the pool's tests: a worker finds it here by name."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import structlog

from app.bus import LOG, MemoryBus
from app.database import make_engine
from app.domain.errors import RebuildUnderWay
from app.workers.pool import each_region
from app.workers.work import Progress, Tools

NOWHERE = "postgresql://u:p@127.0.0.1:1/nothing"


async def meet(_: Tools, region: str, progress: Progress) -> int:
    """Open a pipe, which is possible only while its other end is opened as well."""
    mode, path = region.split(":")
    with await asyncio.to_thread(open, path, mode):
        progress(7)
    return os.getpid()


async def speak(tools: Tools, region: str, progress: Progress) -> str:
    """Ring, write a log line and something on stdout."""
    tools.bus.ring(LOG, {region})
    structlog.get_logger().warning("Something was done", action="test.done", region=region)
    sys.stdout.write("printed by mistake\n")
    sys.stdout.flush()
    progress(3)
    return region


async def end(_: Tools, region: str, __: Progress) -> None:
    """End as the region says."""
    if region == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    raise ZeroDivisionError("a bug")


async def refuse_or_go_on(_: Tools, region: str, progress: Progress) -> None:
    """Refuse a region, or never come to an end with it."""
    progress(os.getpid())
    if region == "refused":
        raise RebuildUnderWay("the region is being rebuilt by another process")
    await asyncio.Event().wait()


async def _be_busy() -> None:
    def tell(region: str, pid: int) -> None:
        print(region, pid, flush=True)  # noqa: T201 - to the test

    tools = Tools(make_engine(NOWHERE, pool_size=1), MemoryBus())
    sizes = {"one": 2, "other": 1}
    await each_region(refuse_or_go_on, tools, sizes, progress=tell, processes=2)


def be_busy() -> None:
    """Be a program of two processes, both at work until somebody ends them."""
    # As at a terminal: what runs in the background of a script is started deaf to it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        asyncio.run(_be_busy())
    except KeyboardInterrupt:
        sys.exit(130)
