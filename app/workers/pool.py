"""A pool of processes for many regions: this one, and workers beside it.

This one takes its part, so that a single region, or a single processor, needs no
other, and nobody waits until the others are up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Generic

import structlog

from app.database import url_of
from app.embedded import as_a_child, how_it_ended
from app.wiring import running
from app.workers import messages
from app.workers.errors import WorkerLost
from app.workers.messages import Done, Failed, Folded, Logged, Ready, Rung, Task
from app.workers.work import T, Tools, Work

log = structlog.get_logger()

#: Events for which a further process is worth its start: that takes 0.8 s of a processor,
#: in which more are folded.
SHARE = 20_000
#: PostgreSQL works beside each process, and a rebuild takes three of its 100 connections.
MOST = 8


def processes_for(sizes: Mapping[str, int]) -> int:
    """Return in how many processes to work on regions of these sizes."""
    worth = sum(sizes.values()) // SHARE
    return max(1, min(_processors(), len(sizes), worth, MOST))


def _processors() -> int:
    """Return how many processors we may use, of which a container may have less than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


async def each_region(
    work: Work[T],
    tools: Tools,
    sizes: Mapping[str, int],
    *,
    progress: Callable[[str, int], None] = lambda _, __: None,
    found: Callable[[T], None] = lambda _: None,
    processes: int | None = None,
) -> list[T]:
    """Do the same work on each region, the largest first, and return the results in order.

    ``sizes`` is how many events each region has. ``progress`` is told of a region how many
    have been folded, ``found`` of each result, in the order of the regions.

    Raises:
        ExceptionGroup: the work on a region failed, or a worker did (``WorkerLost``); what
            was under way for others was given up.
    """
    pool = _Pool(work, tools, sizes, progress)
    count = processes_for(sizes) if processes is None else processes
    results = []
    async with AsyncExitStack() as stack:
        stack.enter_context(_awake_at_signals())
        workers = [await stack.enter_async_context(_a_worker()) for _ in range(count - 1)]
        await stack.enter_async_context(running(pool.work_here(), *map(pool.work_by, workers)))
        for region in sizes:
            results.append(await pool.results[region])
            found(results[-1])
    return results


@contextlib.contextmanager
def _awake_at_signals() -> Iterator[None]:
    """Have a signal wake the loop whichever thread the kernel gives it to.

    A thread waits for each worker's end. Where that is given a Ctrl-C, the main thread, which
    alone handles it, would sleep on: the loop asks to be woken only where it has a handler.
    """
    loop = asyncio.get_running_loop()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop.add_signal_handler(signal.SIGCHLD, lambda: None)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGCHLD)


class _Pool(Generic[T]):
    """The regions that nobody has begun yet, and the results there are."""

    def __init__(
        self,
        work: Work[T],
        tools: Tools,
        sizes: Mapping[str, int],
        progress: Callable[[str, int], None],
    ) -> None:
        self._work = work
        self._tools = tools
        self._progress = progress
        # Begun last, the largest would go on alone when all the others are done.
        self._waiting = deque(sorted(sizes, key=lambda region: sizes[region], reverse=True))
        loop = asyncio.get_running_loop()
        self.results: dict[str, asyncio.Future[T]] = {
            region: loop.create_future() for region in sizes
        }

    async def work_here(self) -> None:
        """Work on one region after the other in this process."""
        while self._waiting:
            region = self._waiting.popleft()
            result = await self._work(self._tools, region, partial(self._progress, region))
            self.results[region].set_result(result)

    async def work_by(self, worker: asyncio.subprocess.Process) -> None:
        """Have a worker work on one region after the other, as soon as it is up."""
        await self._ask(worker, "its start", Task(self._work, url_of(self._tools.engine)))
        while self._waiting:
            region = self._waiting.popleft()
            self.results[region].set_result(await self._ask(worker, region, region))

    async def _ask(self, worker: asyncio.subprocess.Process, name: str, message: Any) -> Any:
        """Send a message, see to all that is said, and return the answer."""
        assert worker.stdin is not None and worker.stdout is not None  # noqa: S101, PT018 - pipes
        worker.stdin.write(messages.pack(message))
        while (said := await messages.receive(worker.stdout)) is not None:
            match said:
                case Folded(events):
                    self._progress(name, events)
                case Rung(topic, names):
                    self._tools.bus.ring(topic, names)
                case Logged(level, fields):
                    getattr(log, level)(**fields)
                case Failed(error):
                    raise error
                case Done(result):
                    return result
                case Ready():
                    return None
        how = how_it_ended(await worker.wait())
        raise WorkerLost(f"the process that worked on {name} has ended ({how})")


@asynccontextmanager
async def _a_worker() -> AsyncIterator[asyncio.subprocess.Process]:
    """Give a worker, which is gone at the end, whatever it was at."""
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.workers.worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=as_a_child(),
    )
    try:
        yield worker
    finally:
        # The server undoes what was not committed, as after the loss of any process.
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        await worker.wait()
