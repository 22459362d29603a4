"""The program's roles for tests: as processes of their own, or within this one.

A role within this process is the very one that the commands start; only the
listening socket (a free port), the clock and the signals are the test's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest.mock import patch

import httpx
import uvicorn
from pydantic import SecretStr

from app import main, wiring
from app.clock import now
from app.domain.times import Clock
from app.settings import Settings
from tests.api.waiting import SOON, eventually
from tests.ports import free_port

#: What the roles must not inherit: settings of a person's shell, debugging of this process.
FOREIGN = ("KENTONGAN_", "PYTHON", "COVERAGE")


def _environment(database_url: str, **settings: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    given = {f"KENTONGAN_{name.upper()}": value for name, value in settings.items()}
    return own | given | {"KENTONGAN_DATABASE_URL": database_url, "KENTONGAN_LOG_JSON": "true"}


def _listening() -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    return listener


@dataclass(eq=False)
class Role:
    """A process of the program; ``log`` is what it has said so far."""

    process: asyncio.subprocess.Process
    base: str = ""
    log: list[str] = field(default_factory=list)
    _hearing: asyncio.Task[None] | None = None

    async def end(self, how: int = signal.SIGTERM) -> int:
        """Tell the process to end, and return its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(how)
        async with asyncio.timeout(SOON):
            code = await self.process.wait()
        if self._hearing is not None:
            await self._hearing
        return code

    def listen(self) -> None:
        """Hear what the process says, so that its pipe never fills."""
        self._hearing = asyncio.create_task(self._hear())

    async def _hear(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.log.append(line.decode(errors="replace"))

    def failures(self) -> list[str]:
        """Return the lines that tell of a failure which the role did not expect."""
        return [line for line in self.log if "http.failed" in line or "Traceback" in line]


async def start(
    role: str, database_url: str, *words: str, broken: str = "", **settings: str
) -> Role:
    """Start a role as a process of its own; ``broken`` is code that it runs first."""
    program = ("-c", f"{broken}\nfrom app.cli import main\nmain()") if broken else ("-m", "app")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *program, role, *words),
        env=_environment(database_url, **settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    started = Role(process)
    started.listen()
    return started


async def start_api(database_url: str, port: int | None = None, **settings: str) -> Role:
    """Start an api process and return once it answers."""
    port = port or free_port()
    role = await start("api", database_url, "--port", str(port), **settings)
    role.base = f"http://127.0.0.1:{port}"
    await answering(role)
    return role


async def answering(role: Role) -> None:
    """Return once the api answers; fail if it ended instead."""
    async with httpx.AsyncClient(base_url=role.base, trust_env=False) as client:

        async def answers() -> bool:
            assert role.process.returncode is None, "".join(role.log)
            with contextlib.suppress(httpx.TransportError):
                return (await client.get("/livez")).status_code == 200
            return False

        await eventually(answers, "the api answers")


class _Here(uvicorn.Server):
    """A server in the test's own process: it listens where it is told, and leaves signals alone."""

    started_at: asyncio.Event
    listener: socket.socket

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on the test's socket until told to stop."""
        del sockets
        await self._serve([self.listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell the test."""
        await super().startup(sockets)
        self.started_at.set()


@contextlib.contextmanager
def _here(clock: Clock | None) -> Iterator[list[_Here]]:
    """Have ``serve_api`` build its server here; gives the list that it will be in."""
    made: list[_Here] = []

    def build(config: uvicorn.Config) -> _Here:
        server = _Here(config)
        server.started_at, server.listener = asyncio.Event(), _listening()
        made.append(server)
        return server

    create = main.create_app if clock is None else partial(main.create_app, clock=clock)
    with patch("app.main.uvicorn.Server", build), patch("app.main.create_app", create):
        yield made


@asynccontextmanager
async def api_here(
    database_url: str, *, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[str]:
    """Serve the api role within this process; gives its base address."""
    chosen = Settings(database_url=SecretStr(database_url), **settings)
    stop = asyncio.Event()
    with _here(clock) as made:
        task = asyncio.create_task(main.serve_api(chosen, database_url, stop))
        await eventually(lambda: _is_made(made, task), "the server is built")
    server = made[0]
    try:
        await asyncio.wait_for(server.started_at.wait(), SOON)
        yield f"http://127.0.0.1:{server.listener.getsockname()[1]}"
    finally:
        stop.set()
        await task
        server.listener.close()


async def _is_made(made: list[_Here], task: asyncio.Task[None]) -> bool:
    if task.done():
        task.result()
    return bool(made)


@asynccontextmanager
async def projector_here(database_url: str, clock: Clock | None = None) -> AsyncIterator[None]:
    """Run the projector role within this process."""
    settings = Settings(database_url=SecretStr(database_url))
    task = asyncio.create_task(wiring.run_projector(settings, database_url, clock or now))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
