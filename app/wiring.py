"""What every root is made of: the bus, tasks side by side, and the roots that serve nobody.

The api is apart (app/main.py): what it needs to serve HTTP is 25 MB of a
process, which a projector and a command do without.
"""

from __future__ import annotations

import asyncio
import gc
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from app import clock
from app.bus import Bus, open_bus
from app.database import Engine, make_engine
from app.domain.times import Clock
from app.services.group_commit import GroupCommit
from app.services.ingest import Ingest
from app.services.installation import bus_name
from app.services.ownership import session_name
from app.services.projector import Projector
from app.settings import Settings

#: A projector that stopped inside a step holds its channel's row: as short as it is given to
#: speak up at all (app/repositories/ownership.py), so that another may have gone on within 5 s.
#: A step is between two of its statements for some tens of milliseconds.
PROJECTOR_IDLE_IN_TRANSACTION_MS = 3_000
#: For a command's last doorbells, where the bus is away.
RINGS_WITHIN_S = 5.0


@asynccontextmanager
async def running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run tasks beside the body; the failure of one is the failure of the whole."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(item) for item in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def run_projector(settings: Settings, url: str, clock: Clock = clock.now) -> None:
    """Run the projector role until cancelled."""
    member = secrets.randbelow(2**31 - 1) + 1
    engine = make_engine(
        url,
        pool_size=settings.projector_pool_size,
        idle_in_transaction_ms=PROJECTOR_IDLE_IN_TRANSACTION_MS,
        name=session_name(member),
    )
    bus = make_bus(settings, url, engine)
    projector = Projector(engine, url, bus, clock, member)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        async with running(bus.run()):
            await projector.run()
    finally:
        await engine.dispose()


@asynccontextmanager
async def commands_bus(url: str) -> AsyncIterator[Bus]:
    """Give the bus by which a command rings the running processes."""
    engine = make_engine(url, pool_size=1)
    bus = make_bus(Settings(), url, engine)
    try:
        async with running(bus.run()):
            yield bus
            with suppress(TimeoutError):  # whoever was to be rung for looks by himself
                async with asyncio.timeout(RINGS_WITHIN_S):
                    await bus.flush()
    finally:
        await engine.dispose()


def make_bus(settings: Settings, url: str, engine: Engine) -> Bus:
    chosen = settings.bus_url
    name = partial(bus_name, engine)
    return open_bus(None if chosen is None else chosen.get_secret_value(), url, name)


@asynccontextmanager
async def command_ingest(engine: Engine, bus: Bus) -> AsyncIterator[Ingest]:
    """Give the door for events to a command."""
    committer = GroupCommit(engine, bus)
    async with running(committer.run()):
        yield Ingest(engine, committer, clock.now)
