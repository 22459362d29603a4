"""A worker: ``python -m app.workers.worker``, started by a pool and by nobody else.

It opens no doors of its own but those to the database: what it has to say, log lines
and doorbells included, goes to the process that it works for.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import structlog

from app.bus import Ring
from app.database import make_engine
from app.domain.errors import DomainError
from app.workers import messages
from app.workers.messages import Done, Failed, Folded, Logged, Ready, Rung, Task
from app.workers.work import Tools

Say = Callable[[Any], None]
#: A rebuild reads by one and writes by another.
POOL_SIZE = 2


class _Bus:
    """A bus whose doorbells are rung by somebody else."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def ring(self, topic: str, names: set[str]) -> None:
        """Have it rung."""
        self._say(Rung(topic, names))

    def listen(self, topic: str, ring: Ring) -> None:
        """Hear nothing: nobody here waits for anything."""

    async def run(self) -> None:
        """Carry nothing."""

    async def flush(self) -> None:
        """Wait for nothing."""


def _log_to(say: Say) -> None:
    def forward(_: Any, level: str, fields: Any) -> Any:
        say(Logged(level, dict(fields)))
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.processors.format_exc_info, forward])


async def _serve(requests: BinaryIO, say: Say) -> None:
    task: Task | None = messages.read(requests)
    if task is None:
        return
    engine = make_engine(task.url, pool_size=POOL_SIZE, command_timeout=None)
    tools = Tools(engine, _Bus(say))
    say(Ready())
    try:
        # To wait here stops the loop, on which nothing else is to be done.
        while (region := messages.read(requests)) is not None:
            try:
                result = await task.work(tools, region, lambda events: say(Folded(events)))
            except DomainError as error:
                say(Failed(error))
            else:
                say(Done(result))
    finally:
        await engine.dispose()


def main() -> None:
    """Work on the regions that stdin names, one after the other, until it ends."""
    # What is printed by mistake is no message.
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

        def say(message: Any) -> None:
            answers.write(messages.pack(message))
            answers.flush()

        _log_to(say)
        asyncio.run(_serve(sys.stdin.buffer, say))


if __name__ == "__main__":
    main()
