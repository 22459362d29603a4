"""The messages of the live protocol: their shapes, their order, and what is refused (3.4)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from tests.api.client import Api, Place, folded, receipt
from tests.api.conftest import Installation
from tests.api.running import api_here
from tests.live_client import Ledger, LiveClient

STANDING = ["epoch", "rev", "seq", "head", "current_at", "watermark"]


# --- shapes ------------------------------------------------------------------------------


async def test_the_first_message_greets_and_tells_the_terms(wall: LiveClient) -> None:
    hello = await wall.read()
    assert list(hello) == ["op", "server_time", "heartbeat_s", "resume_window_s"]
    assert (hello["op"], hello["heartbeat_s"], hello["resume_window_s"]) == ("hello", 15, 3600)
    age = datetime.now(UTC) - datetime.fromisoformat(hello["server_time"])
    assert abs(age.total_seconds()) < 30


async def test_a_snapshot_then_a_delta_for_every_change(
    api: Api, place: Place, wall: LiveClient
) -> None:
    await wall.subscribe(place.channel)
    first = await wall.until_op("snapshot")
    assert list(first) == ["op", "channel", *STANDING[:5], "reason", "state"]
    assert (first["channel"], first["reason"], first["seq"]) == (place.channel, "initial", 0)
    assert "watermark" not in first  # nothing was folded yet
    sent = place.event()
    await api.send(sent)
    delta = await wall.until_op("delta")
    assert list(delta) == ["op", "channel", "from", *STANDING, "patch"]
    assert (delta["from"], delta["rev"]) == (first["rev"], first["rev"] + 1)
    assert (delta["seq"], delta["head"]) == (1, 1)
    assert datetime.fromisoformat(delta["watermark"]) == datetime.fromisoformat(sent["time"])
    assert delta["patch"]["apps"]["laksa"]["report"]["open"] == 1
    wall.ledger.note_reading(await api.state(place.region))
    # No free text, and nothing of the data but service and area, is shown to walls.
    assert list(delta["patch"]["latest"]["1"]) == [
        *("type", "app", "case_id", "service", "state", "time")
    ]


async def test_what_reaches_a_wall_holds_no_free_text(
    api: Api, place: Place, wall: LiveClient
) -> None:
    await wall.subscribe(place.channel)
    secret = "RAHASIA"
    event = place.event(
        data={"summary": secret, "reason": secret, "nama": secret, "agency": secret},
        comexample=secret,
    )
    await folded(api, place, wall, event, place.event(type="com.example.x", data=secret))
    assert secret not in json.dumps(wall.messages)


async def test_two_channels_on_one_socket(api: Api, place: Place, wall: LiveClient) -> None:
    await wall.subscribe("network")
    await wall.subscribe(place.channel)
    seq = receipt(await api.send(place.event()))["seq"]
    await wall.follow(place.channel, seq)
    await wall.until(lambda _: network_seq(wall, place) == seq)
    wall.ledger.note_reading((await api.get("/v1/network/state")).json())


def network_seq(wall: LiveClient, place: Place) -> int:
    """Return how far a region is folded, as the network tells it."""
    held = wall.held.get("network")
    return 0 if held is None else int(held.document["regions"][place.region]["seq"])


async def test_a_channel_is_named_in_its_one_form(api: Api, place: Place, wall: LiveClient) -> None:
    wall.checker.asking(place.channel, None)
    await wall.send({"op": "subscribe", "channel": place.channel.replace(".", "")})
    assert (await wall.until_op("snapshot"))["channel"] == place.channel


async def test_subscribing_again_takes_the_place_of_the_first(
    api: Api, place: Place, wall: LiveClient
) -> None:
    await wall.subscribe(place.channel)
    await wall.until_op("snapshot")
    await wall.subscribe(place.channel)
    assert (await wall.until_op("snapshot"))["reason"] == "initial"
    await wall.resume(place.channel)
    await wall.until_op("resumed")
    await api.send(place.event())
    held = await wall.follow(place.channel, 1)
    # Told once, though it was asked for three times.
    deltas = [m for m in wall.messages if m["op"] == "delta"]
    assert [delta["rev"] for delta in deltas] == [held.rev]


async def test_a_channel_that_was_left_is_silent(api: Api, place: Place, wall: LiveClient) -> None:
    await wall.subscribe("network")
    await wall.subscribe(place.channel)
    await wall.follow(place.channel, 0)
    await wall.unsubscribe(place.channel)
    # Asked for what is no channel: its answer tells that the leaving was read.
    await wall.send({"op": "subscribe", "channel": "region:99.99"})
    await wall.until_op("problem")
    count = len(wall.messages)
    seq = receipt(await api.send(place.event()))["seq"]
    await wall.until(lambda _: network_seq(wall, place) == seq)
    assert {m["channel"] for m in wall.messages[count:]} == {"network"}
    await wall.unsubscribe(place.channel)  # harmless a second time
    await wall.resume(place.channel)
    assert (await wall.follow(place.channel, seq)).seq == seq


async def test_a_client_that_comes_later_sees_the_same(
    installation: Installation, api: Api, place: Place, wall: LiveClient, ledger: Ledger
) -> None:
    await folded(api, place, wall, *(place.event() for _ in range(3)))
    async with LiveClient(installation.api.base, place.key, ledger) as late:
        await late.subscribe(place.channel)
        await late.follow(place.channel, 3)
    ledger.note_reading(await api.state(place.region))
    assert wall.held[place.channel].document == late.held[place.channel].document


# --- heartbeats --------------------------------------------------------------------------


@asynccontextmanager
async def quick_hearts(installation: Installation) -> AsyncIterator[str]:
    """Serve an api whose heart beats every second."""
    with patch("app.routers.live.HEARTBEAT_S", 1), patch("app.live.session.HEARTBEAT_S", 1):
        async with api_here(installation.url) as base:
            yield base


async def test_heartbeats_tell_where_the_client_stands(
    installation: Installation, api: Api, place: Place, ledger: Ledger
) -> None:
    async with (
        quick_hearts(installation) as base,
        LiveClient(base, place.key, ledger) as wall,
    ):
        empty = await wall.until_op("heartbeat")
        assert list(empty) == ["op", "server_time", "positions"]
        assert empty["positions"] == {}
        await folded(api, place, wall, place.event())
        first = await wall.until_op("heartbeat")
        assert list(first["positions"]) == [place.channel]
        assert list(first["positions"][place.channel]) == STANDING
        before = first["positions"][place.channel]

        def younger(message: dict[str, Any]) -> bool:
            place_now = message.get("positions", {}).get(place.channel, before)
            return bool(place_now["current_at"] > before["current_at"])

        # The picture is the same, and it is known to be true until later.
        after = (await wall.until(younger))["positions"][place.channel]
        assert after["rev"] == before["rev"]
        await wall.unsubscribe(place.channel)
        await wall.until(lambda m: m["op"] == "heartbeat" and m["positions"] == {})


async def test_heartbeats_come_whatever_else_flows(
    installation: Installation, api: Api, place: Place, ledger: Ledger
) -> None:
    async with (
        quick_hearts(installation) as base,
        LiveClient(base, place.key, ledger) as wall,
    ):
        await wall.subscribe(place.channel)

        async def pour() -> None:
            while True:
                await api.send(place.event())

        pouring = asyncio.create_task(pour())
        for _ in range(3):
            await wall.until_op("delta")
            await wall.until_op("heartbeat", within=20)
            await wall.until_op("delta")
        pouring.cancel()
        await asyncio.gather(pouring, return_exceptions=True)


async def test_the_heart_beats_every_fifteen_seconds(wall: LiveClient, place: Place) -> None:
    await wall.subscribe(place.channel)
    hello = await wall.read()
    first = await wall.until_op("heartbeat", within=30)
    passed = [datetime.fromisoformat(m["server_time"]) for m in (hello, first)]
    assert 14 <= (passed[1] - passed[0]).total_seconds() <= 20
