"""The wire itself: clients that are slow, endless, broken, or gone in the middle (G10)."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from unittest.mock import patch

import httpx
import psutil
import pytest

from tests.api.client import PROBLEM, STRUCTURED, Api, Place, metric
from tests.api.conftest import Installation
from tests.api.running import api_here
from tests.api.waiting import SOON, eventually


@asynccontextmanager
async def wire(base: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a bare connection."""
    host, port = base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Read to the end of the connection; returns status, headers and body."""
    raw = await asyncio.wait_for(reader.read(), SOON)
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


@pytest.mark.parametrize(
    "raw",
    [
        b"halo\r\n\r\n",
        b"GET\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nA\x00: b\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nContent-Length: RAHASIA\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_what_is_no_http_is_a_problem_too(installation: Installation, raw: bytes) -> None:
    async with wire(installation.api.base) as (reader, writer):
        writer.write(raw)
        status, headers, body = await answer_of(reader)
    assert 400 <= status < 500
    assert headers["content-type"] == PROBLEM
    assert json.loads(body)["status"] == status
    assert b"RAHASIA" not in body


def request(place: Place, length: int) -> bytes:
    """Write the head of a post whose body is so long."""
    lines = [
        "POST /v1/events HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {place.key}",
        f"Content-Type: {STRUCTURED}",
        f"Content-Length: {length}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def test_a_client_that_leaves_in_the_middle_of_a_body_is_no_failure(
    installation: Installation, place: Place, web: httpx.AsyncClient
) -> None:
    body = json.dumps(place.event()).encode()
    before = len(installation.api.failures())
    for sent in (b"", body[:10], body[:-1]):
        async with wire(installation.api.base) as (_, writer):
            writer.write(request(place, len(body)) + sent)
            await writer.drain()
            writer.transport.abort()
    assert (await web.get("/livez")).status_code == 200
    assert len(installation.api.failures()) == before
    async with wire(installation.api.base) as (reader, writer):
        writer.write(request(place, len(body)) + body)
        assert (await reader.readline()).split()[1] == b"202"
    assert await metric(web, "kentongan_events_total", region=place.region, outcome="accepted") == 1


async def test_headers_that_are_too_long_are_refused(installation: Installation) -> None:
    async with wire(installation.api.base) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\nX: " + b"x" * 66_000)
        status, headers, body = await answer_of(reader)
    assert status == 431
    assert headers["content-type"] == PROBLEM
    assert json.loads(body)["type"] == "urn:kentongan:problem:headers-too-large"


async def test_headers_without_end_are_cut_off(installation: Installation) -> None:
    async def pour(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"X-Long: " + b"x" * 10_000 + b"\r\n")
            await writer.drain()

    async with wire(installation.api.base) as (_, writer):
        writer.write(b"GET /livez HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(pour(writer), SOON)


async def test_long_headers_within_reason_are_taken(installation: Installation) -> None:
    async with wire(installation.api.base) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\nX: " + b"x" * 15_000 + b"\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"200"


async def test_an_address_of_great_length_is_refused_or_not_there(
    installation: Installation,
) -> None:
    async with wire(installation.api.base) as (reader, writer):
        writer.write(b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nConnection: close\r\n\r\n")
        status, headers, _ = await answer_of(reader)
    assert status in (400, 404, 414, 431)
    assert headers["content-type"] == PROBLEM


async def test_who_sends_nothing_does_not_stay(installation: Installation, place: Place) -> None:
    with (
        patch("app.routers.http_protocol.HEADERS_WITHIN_S", 0.3),
        patch("app.routers.http_protocol.BODY_WITHIN_S", 0.3),
    ):
        async with api_here(installation.url) as base:
            for sent in (b"", b"GET /liv", b"GET /livez HTTP/1.1\r\nX: y", request(place, 100)):
                async with wire(base) as (reader, writer):
                    writer.write(sent)
                    await asyncio.wait_for(reader.read(), SOON)
            async with wire(base) as (reader, writer):
                writer.write(b"GET /liv")
                status, headers, _ = await answer_of(reader)
            assert (status, headers["content-type"]) == (408, PROBLEM)
            # Whoever was answered may ask again.
            async with httpx.AsyncClient(base_url=base, trust_env=False) as web:
                for _ in range(3):
                    assert (await web.get("/livez")).status_code == 200


async def test_a_slow_sender_within_the_time_is_served(
    installation: Installation, place: Place
) -> None:
    body = json.dumps(place.event()).encode()
    async with wire(installation.api.base) as (reader, writer):
        for piece in (request(place, len(body)), body):
            for at in range(0, len(piece), 7):
                writer.write(piece[at : at + 7])
                await writer.drain()
        assert (await reader.readline()).split()[1] == b"202"


async def test_requests_one_behind_the_other_are_answered_in_order(
    installation: Installation, place: Place
) -> None:
    bodies = [json.dumps(place.event(id=f"p-{n}")).encode() for n in range(5)]
    async with wire(installation.api.base) as (reader, writer):
        writer.write(b"".join(request(place, len(body)) + body for body in bodies))
        text = b""

        async def answered() -> bool:
            nonlocal text
            text += await asyncio.wait_for(reader.read(65_536), SOON)
            return text.count(b'"outcome":"accepted"') == 5

        await eventually(answered, "all are answered")
    places = [text.index(f'"id":"p-{n}"'.encode()) for n in range(5)]
    assert places == sorted(places)


async def test_who_takes_nothing_of_an_answer_is_cut_off(
    installation: Installation, api: Api, place: Place
) -> None:
    long = "x" * 60_000
    for _ in range(4):  # some 5 MB to read back: more than the kernel holds
        await api.batch(*(place.event(type="com.example.long", data=long) for _ in range(20)))
    with patch("app.routers.http_protocol.TAKES_WITHIN_S", 0.5):
        async with api_here(installation.url) as base:
            with narrow_socket(base) as reader:
                lines = [
                    f"GET /v1/events?region={place.region} HTTP/1.1",
                    "Host: x",
                    f"Authorization: Bearer {place.key}",
                ]
                reader.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
                await eventually(lambda: is_served(reader), "it is served")
                await eventually(lambda: is_let_go(reader), "it is let go")


def served(client: socket.socket) -> bool:
    """Say whether this process holds the other end of a connection."""
    ends = client.getsockname(), client.getpeername()
    open_now = psutil.Process().net_connections("tcp")
    return any((c.raddr, c.laddr) == ends for c in open_now)


async def is_served(client: socket.socket) -> bool:
    """Say whether the server has the connection."""
    return served(client)


async def is_let_go(client: socket.socket) -> bool:
    """Say whether the server has it no longer."""
    return not served(client)


@contextmanager
def narrow_socket(base: str) -> Iterator[socket.socket]:
    """Connect with little room for what is not read."""
    host, port = base.removeprefix("http://").split(":")
    with socket.socket() as narrow:
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        narrow.connect((host, int(port)))
        yield narrow
