"""Several processes of each role on one database of a test's own, as on several machines."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from app.database import Engine, make_engine, transaction
from app.repositories import frames, ownership
from tests.api.conftest import make_place
from tests.api.databases import a_copy
from tests.api.running import Role, answering, start, start_api
from tests.api.waiting import SOON, eventually
from tests.e2e.posting import Credential
from tests.ports import free_port

#: Taking over takes five seconds at most, where its processes get the CPU that they need: here
#: all the other tests may be before them.
TAKEN_OVER_WITHIN_S = 30.0
SOURCES = ("urn:pemda:36.71:laksa", "urn:pemda:33.28:laksa", "urn:pemda:72.02:laksa")
_numbers = count(1)


@dataclass
class Nodes:
    """Processes of one installation."""

    url: str
    engine: Engine
    keys: list[Credential]
    stack: AsyncExitStack
    settings: dict[str, str]
    apis: list[Role] = field(default_factory=list)
    projectors: list[Role] = field(default_factory=list)

    async def add_projector(self, broken: str = "") -> Role:
        """Start one more projector; ``broken`` is code that breaks it before it starts."""
        role = await start("projector", self.url, broken=broken, **self.settings)
        self.stack.push_async_callback(self._end, role)
        self.projectors.append(role)
        return role

    async def add_api(self, **settings: str) -> Role:
        """Start one more api."""
        chosen: dict[str, Any] = self.settings | settings
        role = await start_api(self.url, **chosen)
        self.stack.push_async_callback(self._end, role)
        self.apis.append(role)
        return role

    def go_on(self) -> None:
        """Let processes that stand still go on."""
        for role in self.projectors:
            if role.process.returncode is None:
                role.process.send_signal(signal.SIGCONT)

    @staticmethod
    async def _end(role: Role) -> None:
        if role.process.returncode is None:
            role.process.send_signal(signal.SIGCONT)
        await role.end()
        assert role.failures() == []

    async def shares(self) -> list[int]:
        """Return on how many channels each living projector works."""
        async with transaction(self.engine) as connection:
            return await ownership.shares(connection)

    async def spread_over(self, projectors: int) -> None:
        """Wait until all channels are spread evenly over so many projectors."""

        async def so() -> bool:
            shares = await self.shares()
            even = len(shares) == projectors and shares[0] - shares[-1] <= 1
            return even and sum(shares) == len(await self.ages())

        await eventually(so, f"channels spread evenly over {projectors}")

    async def ages(self) -> dict[str, datetime]:
        """Return until when each channel's picture was true."""
        async with transaction(self.engine) as connection:
            standings = await frames.standings(connection)
        return {name: standing.current_at for name, standing in standings.items()}

    async def true_again(self, within: float = TAKEN_OVER_WITHIN_S) -> None:
        """Wait until somebody has looked at every channel's log after now."""
        now = datetime.now(UTC)

        async def so() -> bool:
            return min((await self.ages()).values()) > now

        await eventually(so, "every channel is worked on", within=within)


@asynccontextmanager
async def some_nodes(
    template: str, *, apis: int, projectors: int, **settings: str
) -> AsyncIterator[Nodes]:
    """Run processes on a database of their own; what one of them did not expect fails the test."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(a_copy(template, f"kentongan_nodes_{next(_numbers)}"))
        engine = make_engine(url, pool_size=3)
        stack.push_async_callback(engine.dispose)
        keys = []
        for source in SOURCES:
            place = await make_place(engine, source.split(":")[2])
            keys.append(Credential(source, place.key))
        nodes = Nodes(url, engine, keys, stack, settings)
        for _ in range(projectors):
            await nodes.add_projector()
        for _ in range(apis):
            await nodes.add_api()
        if projectors:
            await nodes.spread_over(projectors)
        yield nodes


@dataclass
class NatsServer:
    """A NATS server of the test's own, from its wheel."""

    port: int = field(default_factory=free_port)
    options: tuple[str, ...] = ()
    userinfo: str = ""
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Its address, with what lets a client in."""
        return f"nats://{self.userinfo}127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it and return once it takes connections."""
        self.process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "nats-server"),
            *("--addr", "127.0.0.1", "--port", str(self.port), *self.options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

        async def answers() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                return False
            writer.close()
            return True

        await eventually(answers, "NATS answers")

    async def kill(self) -> None:
        """Kill it, as a power cut does."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


@asynccontextmanager
async def a_nats(
    *options: str, userinfo: str = "", started: bool = True
) -> AsyncIterator[NatsServer]:
    """Give a NATS server."""
    server = NatsServer(options=options, userinfo=userinfo)
    if started:
        await server.start()
    try:
        yield server
    finally:
        await server.kill()


@asynccontextmanager
async def a_client_of(api: Role) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of one api process."""
    await answering(api)
    async with httpx.AsyncClient(base_url=api.base, timeout=SOON, trust_env=False) as client:
        yield client
