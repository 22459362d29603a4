"""Resuming: what was missed and nothing else, or a snapshot that says why (3.4, G5)."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.clock import now
from app.database import make_engine, transaction
from app.services.rebuild import rebuild
from app.wiring import commands_bus
from tests.api.client import Api, Place, folded
from tests.api.conftest import Installation, make_place
from tests.api.databases import a_copy
from tests.api.running import Role, api_here, projector_here, start_api
from tests.api.waiting import SOON
from tests.live_client import Ledger, LiveClient


async def test_a_position_is_resumed_with_what_was_missed(
    api: Api, place: Place, wall: LiveClient
) -> None:
    await folded(api, place, wall, place.event())
    left = wall.held[place.channel]
    wall.tear()
    await api.batch(*(place.event() for _ in range(5)))
    await wall.connect()
    await wall.resume(place.channel)
    held = await wall.follow(place.channel, 6)
    told = [m["op"] for m in wall.messages if m.get("channel")]
    assert told[-2:] in (["resumed", "delta"], ["delta", "delta"])
    assert [m["op"] for m in wall.messages].count("snapshot") == 1
    assert held.epoch == left.epoch
    wall.ledger.note_reading(await api.state(place.region))


async def test_a_position_that_missed_nothing_is_resumed_and_nothing_more(
    api: Api, place: Place, wall: LiveClient
) -> None:
    await folded(api, place, wall, place.event())
    wall.tear()
    await wall.connect()
    await wall.resume(place.channel)
    resumed = await wall.until_op("resumed")
    assert list(resumed) == ["op", "channel", "epoch", "rev"]
    count = len(wall.messages)
    await wall.send({"op": "subscribe", "channel": "region:99.99"})
    await wall.until_op("problem")
    assert {m["op"] for m in wall.messages[count:]} <= {"heartbeat", "problem"}


async def some_revs(api: Api, place: Place, wall: LiveClient, count: int) -> list[dict[str, Any]]:
    """Make revs and return the positions, oldest first."""
    positions = []
    for _ in range(count):
        await folded(api, place, wall, place.event())
        positions.append(wall.held[place.channel].position)
    return positions


async def test_any_position_that_was_held_is_resumed_on_any_process(
    installation: Installation, second_api: Role, api: Api, place: Place, wall: LiveClient
) -> None:
    positions = await some_revs(api, place, wall, 8)
    newest = positions[-1]["rev"]
    for base in (installation.api.base, second_api.base):
        for position in positions:
            other = LiveClient(base, place.key, wall.ledger)
            other.checker.past = wall.checker.past
            other.checker.held = {place.channel: held_at(wall, place, position)}
            async with other:
                await other.subscribe(place.channel, position)
                await other.until_op("resumed")
                while other.held[place.channel].rev < newest:
                    await other.read()
                assert [m["op"] for m in other.messages].count("snapshot") == 0


def held_at(wall: LiveClient, place: Place, position: dict[str, Any]) -> Any:
    """Return what a client held at a position."""
    return wall.checker.past[place.channel, position["epoch"], position["rev"]]


@pytest.mark.parametrize(
    ("shift", "reason"),
    [
        pytest.param({"rev": 1}, "unknown", id="from the future"),
        pytest.param({"rev": 10**6}, "unknown", id="from the far future"),
        pytest.param({"rev": 2**70}, "unknown", id="beyond all numbers"),
        pytest.param({"to": 0}, "unknown", id="nothing"),
        pytest.param({"to": -1}, "unknown", id="negative"),
        pytest.param({"to": -(2**70)}, "unknown", id="very negative"),
        pytest.param({"epoch": "other"}, "epoch", id="of another epoch"),
        pytest.param({"epoch": ""}, "epoch", id="of no epoch"),
        pytest.param({"epoch": "other", "to": -1}, "epoch", id="of another epoch and negative"),
        pytest.param({"epoch": "é\n'--"}, "epoch", id="of a hostile epoch"),
    ],
)
async def test_a_position_that_never_was_gets_a_snapshot_that_says_why(
    api: Api, place: Place, wall: LiveClient, shift: dict[str, Any], reason: str
) -> None:
    await folded(api, place, wall, place.event())
    held = wall.held[place.channel].position
    position = {
        "epoch": shift.get("epoch", held["epoch"]),
        "rev": shift["to"] if "to" in shift else held["rev"] + shift.get("rev", 0),
    }
    await wall.subscribe(place.channel, position)
    assert (await wall.until_op("snapshot"))["reason"] == reason
    await folded(api, place, wall, place.event())


async def test_a_position_out_of_the_window_gets_a_snapshot(
    installation: Installation, api: Api, place: Place, wall: LiveClient
) -> None:
    positions = await some_revs(api, place, wall, 4)
    async with transaction(installation.engine) as connection:
        await connection.execute(
            text("DELETE FROM frames WHERE channel = :channel AND rev <= :rev"),
            {"channel": place.channel, "rev": positions[2]["rev"]},
        )
    wall.checker.forget_past()
    await wall.hang_up()
    # A process that has looked at nothing yet, as after a restart.
    async with api_here(installation.url) as base:
        for position in positions[:3]:
            client = LiveClient(base, place.key, wall.ledger)
            async with client:
                await client.subscribe(place.channel, position)
                assert (await client.until_op("snapshot"))["reason"] == "expired"
                await api.send(place.event())
                await client.until_op("delta")


async def test_where_the_delta_would_be_larger_the_state_is_sent(
    api: Api, place: Place, wall: LiveClient
) -> None:
    cases = [
        place.event(subject=f"L-{n}", data={"service": f"{n:02}" + "layanan " * 7})
        for n in range(50)
    ]
    await folded(api, place, wall, *cases)
    wall.tear()
    await api.batch(*(place.report("resolved", f"L-{n}") for n in range(50)))
    await wall.connect()
    await wall.resume(place.channel)
    await wall.follow(place.channel, 100)
    snapshots = [m for m in wall.messages if m["op"] == "snapshot"]
    assert [m["reason"] for m in snapshots] == ["initial", "behind"]
    wall.ledger.note_reading(await api.state(place.region))


async def test_a_rebuild_begins_a_new_epoch_for_all(
    installation: Installation, api: Api, place: Place, wall: LiveClient, ledger: Ledger
) -> None:
    await folded(api, place, wall, place.event(), place.event())
    before = wall.held[place.channel]
    async with LiveClient(installation.api.base, place.key, ledger) as away:
        await away.subscribe(place.channel)
        await away.follow(place.channel, 2)
        away.tear()
        async with commands_bus(installation.url) as bus:
            await rebuild(
                installation.engine, installation.url, bus, now, place.region, lambda _: None
            )
        # Who is there is told at once, and who comes back is told why.
        assert (await wall.until_op("snapshot"))["reason"] == "epoch"
        await away.connect()
        await away.resume(place.channel)
        assert (await away.until(lambda m: m["op"] == "snapshot"))["reason"] == "epoch"
        after = away.held[place.channel]
    assert after.epoch != before.epoch
    assert after.rev == 1
    assert after.document == before.document
    await folded(api, place, wall, place.event())
    ledger.note_reading(await api.state(place.region))


async def test_a_restart_of_the_api_says_so_and_resumes_all(
    installation: Installation, api: Api, place: Place, ledger: Ledger
) -> None:
    role = await start_api(installation.url)
    clients = [LiveClient(role.base, place.key, ledger) for _ in range(4)]
    for client in clients:
        await client.connect()
        await client.subscribe("network")
        await client.subscribe(place.channel)
        await client.follow(place.channel, 0)
    await api.send(place.event())
    ending = asyncio.create_task(role.end(signal.SIGTERM))
    codes = await asyncio.gather(*(client.closed() for client in clients))
    assert codes == [1012] * 4
    assert await ending == 0
    assert role.failures() == []
    await api.batch(*(place.event() for _ in range(3)))

    again = await start_api(installation.url, int(role.base.rsplit(":", 1)[1]))
    for client in clients:
        await client.connect()
        await client.resume("network")
        await client.resume(place.channel)
        await client.follow(place.channel, 4)
        snapshots = [m for m in client.messages if m["op"] == "snapshot"]
        assert {m["reason"] for m in snapshots} <= {"initial", "behind"}
        assert [m["channel"] for m in client.messages if m["op"] == "resumed"].count(
            place.channel
        ) == 1
        await client.hang_up()
    assert await again.end() == 0
    assert again.failures() == []
    ledger.note_reading(await api.state(place.region))


async def test_a_projector_that_lost_its_locks_goes_on_where_it_was(template: str) -> None:
    async with a_copy(template, "kentongan_locks") as url:
        engine = make_engine(url, pool_size=1)
        place = await make_place(engine, "36.71")
        async with (
            api_here(url) as base,
            projector_here(url),
            httpx.AsyncClient(base_url=base, timeout=SOON, trust_env=False) as web,
            LiveClient(base, place.key) as wall,
        ):
            api = Api(web, place.key)
            await folded(api, place, wall, place.event())
            async with transaction(engine) as connection:
                await connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_locks"
                        " WHERE locktype = 'advisory' AND database ="
                        " (SELECT oid FROM pg_database WHERE datname = current_database())"
                    )
                )
            await folded(api, place, wall, *(place.event() for _ in range(5)))
            assert [m["op"] for m in wall.messages].count("snapshot") == 1
            wall.ledger.note_reading(await api.state(place.region))
        await engine.dispose()


async def test_a_lost_listening_connection_is_not_seen(
    installation: Installation, api: Api, place: Place, wall: LiveClient
) -> None:
    await folded(api, place, wall, place.event())
    async with transaction(installation.engine) as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )
        )
    for _ in range(3):
        await folded(api, place, wall, place.event())
    assert [m["op"] for m in wall.messages].count("snapshot") == 1


async def test_a_connection_that_is_torn_mid_message_costs_nothing(
    installation: Installation, api: Api, place: Place, wall: LiveClient, ledger: Ledger
) -> None:
    for _ in range(15):
        client = LiveClient(installation.api.base, place.key, ledger)
        await client.connect()
        await client.subscribe(place.channel)
        client.tear()
    client = LiveClient(installation.api.base, place.key, ledger)
    async with client:
        await client.subscribe(place.channel)
        await folded(api, place, client, place.event())
