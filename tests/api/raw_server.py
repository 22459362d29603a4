"""An api process that is sent what breaks rules, and the check that it took no harm."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from tests.api.client import metric
from tests.api.raw_socket import TEXT, asking, dialled, frame, opened
from tests.api.running import Role, start_api
from tests.api.waiting import SOON, eventually

#: What uvicorn says of a request that is no HTTP.
NO_HTTP = "Invalid HTTP request received."
#: What it may say besides, of clients alone: none of it is a failure.
EXPECTED = {NO_HTTP, "Unsupported upgrade request."}


@dataclass(frozen=True, eq=False)
class RawServer:
    """The process and a key of its."""

    role: Role
    web: httpx.AsyncClient
    key: str
    _checked: list[str] = field(default_factory=list)

    @property
    def base(self) -> str:
        """Where it listens."""
        return self.role.base

    async def check_unharmed(self) -> None:
        """Check that it serves others, holds no connection, and has written of no failure."""
        async with opened(self.base, self.key) as healthy:
            await healthy.send(frame(TEXT, asking("network")))
            assert (await healthy.frame()).op == "snapshot"
        assert (await self.web.get("/livez")).status_code == 200

        async def nobody_is_there() -> bool:
            return await metric(self.web, "kentongan_sockets") == 0

        await eventually(nobody_is_there, "every connection was let go")
        for line in await self._said_since():
            told = json.loads(line)  # whatever the server did not write itself is no JSON
            assert told["level"] in {"info", "warning"}, line
            assert "exception" not in told, line
            assert "action" in told or told["event"] in EXPECTED, line

    async def _said_since(self) -> list[str]:
        """Return what the process has said since it was last checked.

        Its lines come through a pipe, so one that is caused now is waited for.
        """
        before = self._said_of_no_http()
        async with dialled(self.base) as client:
            await client.send(b"halo\r\n\r\n")
            await client.rest()

        async def is_told() -> bool:
            return self._said_of_no_http() > before

        await eventually(is_told, "the log tells of what is no HTTP")
        new = self.role.log[len(self._checked) :]
        self._checked.extend(new)
        return new

    def _said_of_no_http(self) -> int:
        return sum(NO_HTTP in line for line in self.role.log)


@asynccontextmanager
async def raw_server(url: str, key: str) -> AsyncIterator[RawServer]:
    """Run an api process of the test's own, which also has to end in order."""
    role = await start_api(url)
    try:
        async with httpx.AsyncClient(base_url=role.base, timeout=SOON, trust_env=False) as web:
            yield RawServer(role, web, key)
    finally:
        code = await role.end()
    assert code == 0, "".join(role.log)
    assert role.failures() == []
