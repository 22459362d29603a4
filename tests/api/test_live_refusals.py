"""What the live protocol refuses: with a problem, or a close code (3.4)."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from tests.api.client import Place, metric, slug
from tests.api.conftest import Installation, MakePlace
from tests.api.running import api_here
from tests.api.waiting import eventually
from tests.live_client import LiveClient


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        ("region:99.99", "scope-missing"),
        ("region:33.28", "scope-missing"),
        ("region:", "invalid-parameter"),
        ("region", "invalid-parameter"),
        ("region:36.71:x", "invalid-parameter"),
        ("REGION:36.71", "invalid-parameter"),
        ("network:36.71", "invalid-parameter"),
        ("Network", "invalid-parameter"),
        ("*", "invalid-parameter"),
        ("", "invalid-parameter"),
        ("region:RAHASIA", "invalid-parameter"),
        ("x" * 65, "invalid-parameter"),
        (7, "invalid-parameter"),
        (None, "invalid-parameter"),
        (["network"], "invalid-parameter"),
    ],
)
async def test_a_channel_that_cannot_be_had_is_a_problem_on_the_same_socket(
    wall: LiveClient, channel: Any, name: str
) -> None:
    await wall.send({"op": "subscribe", "channel": channel})
    problem = await wall.until_op("problem")
    assert slug(problem["problem"]) == name
    assert "RAHASIA" not in json.dumps(problem)
    await wall.subscribe("network")
    await wall.until_op("snapshot")


async def test_channels_of_others_answer_alike_whether_they_are_there_or_not(
    wall: LiveClient,
) -> None:
    found = set()
    for channel in ("region:36.71", "region:99.99", "region:36", "region:36.71.01"):
        await wall.send({"op": "subscribe", "channel": channel})
        found.add(json.dumps(await wall.until_op("problem")))
    assert len(found) == 1


@pytest.mark.parametrize("scope", ["events:write", "cases:read", "events:read"])
async def test_a_key_without_the_scope_sees_nothing(
    installation: Installation, places: MakePlace, scope: str
) -> None:
    place = await places(scopes=frozenset({scope}))
    async with LiveClient(installation.api.base, place.key) as wall:
        for channel in (place.channel, "network"):
            await wall.send({"op": "subscribe", "channel": channel})
            assert slug((await wall.until_op("problem"))["problem"]) == "scope-missing"


NONSENSE: list[Any] = [
    {},
    {"epoch": "x"},
    {"rev": 1},
    {"epoch": 7, "rev": 1},
    {"epoch": "x", "rev": "1"},
    {"epoch": "x", "rev": 1.5},
    {"epoch": "x", "rev": None},
    {"epoch": None, "rev": 1},
    {"epoch": "x" * 65, "rev": 1},
    {"epoch": "x", "rev": True},
    "x.1",
    7,
    [],
    ["x", 1],
]


@pytest.mark.parametrize("position", NONSENSE, ids=json.dumps)
async def test_a_position_of_no_form_is_a_problem_and_never_silence(
    place: Place, wall: LiveClient, position: Any
) -> None:
    await wall.send({"op": "subscribe", "channel": place.channel, "position": position})
    problem = await wall.until_op("problem")
    assert slug(problem["problem"]) == "invalid-parameter"
    assert problem["problem"]["field"].startswith("position")
    await wall.subscribe(place.channel)
    await wall.until_op("snapshot")


BAD = {
    "no JSON": "halo",
    "nothing": "",
    "half an object": '{"op":',
    "a list": "[]",
    "text": '"subscribe"',
    "null": "null",
    "no op": "{}",
    "an op that is no text": '{"op": 7}',
    "a member twice": '{"op": "subscribe", "op": "seen"}',
    "NaN": '{"op": "seen", "channel": "network", "rev": 1, "glass_ms": NaN}',
    "U+0000": '{"op": "subscribe", "channel": "\\u0000"}',
    "a lone surrogate": '{"op": "subscribe", "channel": "\\ud800"}',
    "too deep": '{"op": "seen", "x": ' + "[" * 40 + "]" * 40 + "}",
    "bytes": b'{"op": "subscribe", "channel": "network"}',
}


@pytest.mark.parametrize("message", BAD.values(), ids=BAD.keys())
async def test_a_message_that_is_none_ends_the_connection_for_good(
    wall: LiveClient, message: str | bytes
) -> None:
    await wall.send(message)
    assert await wall.closed() == 4510


@pytest.mark.parametrize(
    "message",
    [
        {"op": "dance"},
        {"op": "subscribe"},
        {"op": "unsubscribe"},
        {"op": "hello"},
        {"op": "seen", "channel": "network"},
        {"op": "seen", "channel": "network", "rev": -1, "glass_ms": 5},
        {"op": "seen", "channel": "network", "rev": 1, "glass_ms": -5},
        {"op": "seen", "channel": "network", "rev": 1, "glass_ms": "RAHASIA"},
    ],
    ids=json.dumps,
)
async def test_a_message_of_the_wrong_form_is_a_problem(
    wall: LiveClient, message: dict[str, Any]
) -> None:
    await wall.send(message)
    problem = await wall.until_op("problem")
    assert slug(problem["problem"]) == "invalid-parameter"
    assert "RAHASIA" not in json.dumps(problem)
    await wall.subscribe("network")
    await wall.until_op("snapshot")


async def test_members_that_nobody_knows_yet_are_passed_over(wall: LiveClient) -> None:
    wall.checker.asking("network", None)
    await wall.send({"op": "subscribe", "channel": "network", "tomorrow": {"x": [1]}})
    await wall.until_op("snapshot")


async def test_what_walls_report_is_measured(
    web: httpx.AsyncClient, wall: LiveClient, place: Place
) -> None:
    before = await metric(web, "kentongan_glass_seconds_count") or 0
    await wall.send({"op": "seen", "channel": place.channel, "rev": 1, "glass_ms": 42})
    await wall.send({"op": "seen", "channel": place.channel, "rev": 1, "glass_ms": 42.5})
    await wall.subscribe(place.channel)
    await wall.until_op("snapshot")
    assert await metric(web, "kentongan_glass_seconds_count") >= before + 2  # type: ignore[operator]


async def test_a_client_that_tells_of_every_frame_is_no_flood(
    wall: LiveClient, place: Place
) -> None:
    for rev in range(200):
        await wall.send({"op": "seen", "channel": place.channel, "rev": rev, "glass_ms": 1})
    await wall.subscribe(place.channel)
    await wall.until_op("snapshot")


async def test_too_many_messages_end_the_connection(wall: LiveClient) -> None:
    async def flood() -> None:
        for _ in range(1_000):
            await wall.send({"op": "unsubscribe", "channel": "network"})

    flooding = asyncio.create_task(flood())
    assert await wall.closed() == 4429
    await asyncio.gather(flooding, return_exceptions=True)


async def test_a_message_that_is_too_long_ends_the_connection(wall: LiveClient) -> None:
    await wall.send({"op": "subscribe", "channel": "network", "x": "x" * 20_000})
    assert await wall.closed() == 1009


async def test_more_channels_than_there_can_be_end_the_connection(
    installation: Installation, city: Place
) -> None:
    with patch("app.routers.live.MAX_CHANNELS", 1):
        async with (
            api_here(installation.url) as base,
            LiveClient(base, city.key) as wall,
        ):
            for _ in range(3):
                await wall.subscribe("network")
            await wall.subscribe(city.channel)
            assert await wall.closed() == 4504


async def test_sockets_are_counted_and_forgotten(
    web: httpx.AsyncClient, installation: Installation, city: Place
) -> None:
    async def open_sockets() -> float:
        return await metric(web, "kentongan_sockets") or 0

    before = await open_sockets()
    clients = [LiveClient(installation.api.base, city.key) for _ in range(3)]
    for client in clients:
        await client.connect()
        await client.read()
    assert await open_sockets() == before + 3
    await clients[0].hang_up()
    clients[1].tear()
    await clients[2].send("nonsense")
    assert await clients[2].closed() == 4510

    async def forgotten() -> bool:
        return await open_sockets() == before

    await eventually(forgotten, "sockets that ended are no longer counted")
