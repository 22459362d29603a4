"""Live over plain HTTP: one channel as server-sent events, with the same messages (3.4)."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from tests.api.client import Api, Place, check_problem, folded, metric
from tests.api.conftest import Installation
from tests.api.running import api_here, start_api
from tests.api.waiting import SOON, eventually
from tests.live_client import Checker, Ledger, LiveClient


class Stream:
    """A reader of server-sent events that checks each as a websocket's message."""

    def __init__(self, answer: httpx.Response, checker: Checker) -> None:
        self._lines = answer.aiter_lines()
        self.checker = checker
        self.last_event_id: str | None = None

    async def read(self) -> dict[str, Any]:
        """Read one event."""
        data: list[str] = []
        async with asyncio.timeout(SOON):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name == "data":
                    data.append(value)
                elif name == "id":
                    self.last_event_id = value
                elif not line and data:
                    return self.checker.told("\n".join(data))
                else:
                    assert name in ("retry", "")
        raise EOFError

    async def follow(self, channel: str, seq: int) -> None:
        """Read until the channel is folded up to ``seq``."""
        while channel not in self.checker.held or self.checker.held[channel].seq < seq:
            await self.read()


@asynccontextmanager
async def listening(
    web: httpx.AsyncClient, place: Place, checker: Checker, last: str | None = None
) -> AsyncIterator[Stream]:
    """Open a stream of a region's channel."""
    headers = {"Authorization": f"Bearer {place.key}"}
    position = None
    if last is not None:
        headers["Last-Event-ID"] = last
        epoch, rev = last.rsplit(".", 1)
        position = {"epoch": epoch, "rev": int(rev)}
    checker.connected()
    checker.asking(place.channel, position)
    parameters = {"channel": place.channel}
    async with web.stream("GET", "/v1/live/sse", params=parameters, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        yield Stream(answer, checker)


async def test_a_stream_carries_the_messages_of_the_websocket(
    web: httpx.AsyncClient, api: Api, place: Place, wall: LiveClient, ledger: Ledger
) -> None:
    async with listening(web, place, Checker(ledger)) as stream:
        assert (await stream.read())["op"] == "hello"
        first = await stream.read()
        assert (first["op"], first["reason"]) == ("snapshot", "initial")
        for seq in (1, 2, 3):
            await folded(api, place, wall, place.event())
            await stream.follow(place.channel, seq)
            held = stream.checker.held[place.channel]
            assert stream.last_event_id == f"{held.epoch}.{held.rev}"
    ledger.note_reading(await api.state(place.region))


async def test_a_stream_goes_on_where_the_last_event_was(
    web: httpx.AsyncClient, api: Api, place: Place, wall: LiveClient, ledger: Ledger
) -> None:
    checker = Checker(ledger)
    async with listening(web, place, checker) as stream:
        await folded(api, place, wall, place.event())
        await stream.follow(place.channel, 1)
        last = stream.last_event_id
    await folded(api, place, wall, place.event(), place.event())
    async with listening(web, place, checker, last) as stream:
        assert (await stream.read())["op"] == "hello"
        assert (await stream.read())["op"] == "resumed"
        await stream.follow(place.channel, 3)
        # A browser that lost even that comes again from where it stands now.
        again = stream.last_event_id
    async with listening(web, place, checker, again) as stream:
        await stream.read()
        assert (await stream.read())["op"] == "resumed"
        assert (await stream.read())["op"] == "heartbeat"
    ledger.note_reading(await api.state(place.region))


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("other.1", "epoch"),
        ("{epoch}.0", "unknown"),
        ("{epoch}.-1", "unknown"),
        ("{epoch}.999999", "unknown"),
        ("a.b.c.7", "epoch"),
        ("{epoch}." + "9" * 50, "unknown"),
    ],
)
async def test_an_event_that_never_was_gets_a_snapshot_that_says_why(
    web: httpx.AsyncClient, api: Api, place: Place, last: str, reason: str
) -> None:
    epoch = (await api.state(place.region))["epoch"]
    async with listening(web, place, Checker(), last.format(epoch=epoch)) as stream:
        await stream.read()
        assert (await stream.read())["reason"] == reason


@pytest.mark.parametrize("last", ["RAHASIA", ".1", "x.", "x.y", "x.1.", "x" * 65 + ".1", "x.٣"])
async def test_an_id_of_no_form_is_a_problem(api: Api, place: Place, last: str) -> None:
    answer = await api.get(
        "/v1/live/sse",
        params={"channel": place.channel},
        headers={"Last-Event-ID": last.encode()},
    )
    problem = check_problem(answer, 422, "invalid-parameter")
    assert problem["field"].lower() == "last-event-id"
    assert "RAHASIA" not in answer.text


async def test_refusals_are_ordinary_problems(
    web: httpx.AsyncClient, api: Api, place: Place
) -> None:
    path = "/v1/live/sse"
    check_problem(await web.get(path, params={"channel": "network"}), 401, "credential-missing")
    for channel, status, name in (
        ("region:33.28", 403, "scope-missing"),
        ("region:99.99", 403, "scope-missing"),
        ("nonsense", 422, "invalid-parameter"),
        ("", 422, "invalid-parameter"),
    ):
        check_problem(await api.get(path, params={"channel": channel}), status, name)
    check_problem(await api.get(path), 422, "invalid-parameter")
    wanted = {"channel": place.channel}
    evil = await api.get(path, params=wanted, headers={"Origin": "https://evil.example"})
    check_problem(evil, 403, "origin-not-allowed")
    answer = await api.get(path, params=wanted | {"token": place.key})
    check_problem(answer, 422, "invalid-parameter")
    assert place.key not in answer.text


async def test_a_stream_has_a_heartbeat(
    installation: Installation, place: Place, ledger: Ledger
) -> None:
    with patch("app.routers.sse.HEARTBEAT_S", 0.2):
        async with (
            api_here(installation.url) as base,
            httpx.AsyncClient(base_url=base, timeout=SOON, trust_env=False) as web,
            listening(web, place, Checker(ledger)) as stream,
        ):
            found = [(await stream.read())["op"] for _ in range(4)]
    assert found[:2] == ["hello", "snapshot"]
    assert "heartbeat" in found[2:]


async def test_a_stream_that_was_left_is_forgotten(web: httpx.AsyncClient, place: Place) -> None:
    before = await metric(web, "kentongan_sockets") or 0
    async with listening(web, place, Checker()) as stream:
        await stream.read()
        assert await metric(web, "kentongan_sockets") == before + 1

    async def forgotten() -> bool:
        return await metric(web, "kentongan_sockets") == before

    await eventually(forgotten, "the stream is no longer counted")


async def test_a_stream_does_not_keep_the_server_from_stopping(
    installation: Installation, place: Place
) -> None:
    role = await start_api(installation.url)
    async with (
        httpx.AsyncClient(base_url=role.base, timeout=SOON, trust_env=False) as web,
        listening(web, place, Checker()) as stream,
    ):
        await stream.read()
        begun = time.monotonic()
        ending = asyncio.create_task(role.end(signal.SIGTERM))
        with pytest.raises(EOFError):
            await stream.follow(place.channel, 1)  # that no event will ever reach
        assert await ending == 0
    # The requests under way have ten seconds; this one is none that ever ends.
    assert time.monotonic() - begun < 8
    assert role.failures() == []
