"""Peers that send and take nothing: they fill no memory, and hold up nobody who stops."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import patch

import httpx
import psutil

from tests.api.client import Place, metric
from tests.api.conftest import Installation
from tests.api.raw_server import raw_server
from tests.api.raw_socket import (
    PING,
    TEXT,
    RawSocket,
    asking,
    check_welcome,
    close,
    frame,
    head,
)
from tests.api.running import api_here
from tests.api.waiting import SOON, eventually

#: Far more than what server and kernel hold for one socket, some 400 KB.
PINGS = 30_000
PAYLOAD = 120


@asynccontextmanager
async def narrow(base: str, key: str) -> AsyncIterator[RawSocket]:
    """Open a websocket with little room for what is not read."""
    host, port = base.removeprefix("http://").split(":")
    with socket.socket() as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        own.setblocking(False)
        await asyncio.get_running_loop().sock_connect(own, (host, int(port)))
        # The reader stops to take anything when it holds twice its limit.
        reader, writer = await asyncio.open_connection(sock=own, limit=2_048)
        try:
            client = RawSocket(reader, writer)
            check_welcome(await client.open(head(key)))
            yield client
        finally:
            writer.transport.abort()


def pings() -> bytes:
    """Write many pings, each of its own."""
    return b"".join(frame(PING, b"%0*d" % (PAYLOAD, at)) for at in range(PINGS))


async def test_pings_of_one_that_takes_nothing_fill_no_memory(
    installation: Installation, city: Place, web: httpx.AsyncClient
) -> None:
    async def seen() -> float:
        return await metric(web, "kentongan_glass_seconds_count") or 0

    before = await seen()
    async with narrow(installation.api.base, city.key) as client:
        tell = b'{"op":"seen","channel":"network","rev":1,"glass_ms":1}'
        await client.send(pings(), frame(TEXT, tell))

        async def all_is_read() -> bool:
            return await seen() > before

        await eventually(all_is_read, "the server has read all")
        await client.send(frame(TEXT, asking("network")))
        assert (await client.frame()).op == "hello"
        told = await client.until(TEXT)
        assert told[-1].op == "snapshot"
        # As long as there was room each was answered, and then the newest alone.
        answered = [int(pong.payload) for pong in told[:-1]]
        assert answered == sorted(set(answered))
        assert answered[-1] == PINGS - 1
        assert len(answered) * PAYLOAD < 1_000_000


async def test_the_server_stops_in_order_when_one_has_left_and_takes_nothing(
    installation: Installation, city: Place
) -> None:
    async with raw_server(installation.url, city.key) as server:
        async with narrow(server.base, city.key) as client:
            await client.send(pings(), close(1000))

            async def it_has_left() -> bool:
                return await metric(server.web, "kentongan_sockets") == 0

            await eventually(it_has_left, "its goodbye is read")
            assert is_held(server.role.process.pid, client)
            await server.role.end()
        assert server.role.process.returncode == 0, "".join(server.role.log)
        assert not [line for line in server.role.log if '"level": "error"' in line]


async def test_one_that_leaves_and_takes_nothing_is_cut_off(
    installation: Installation, city: Place
) -> None:
    with patch("app.routers.websocket_protocol.LINGER_S", 0.2):
        async with api_here(installation.url) as base, narrow(base, city.key) as client:
            await client.send(pings(), close(1000))

            async def is_cut_off() -> bool:
                return not is_held(psutil.Process().pid, client)

            await eventually(is_cut_off, "it is let go", within=SOON)


def is_held(pid: int, client: RawSocket) -> bool:
    """Say whether a process has the other end of a connection."""
    port = client.writer.get_extra_info("sockname")[1]
    held = psutil.Process(pid).net_connections("tcp")
    return any(getattr(connection.raddr, "port", None) == port for connection in held)
