"""Keys end: posts with them are refused, and what they opened is closed (G8)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import patch
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from app.clock import now
from app.database import Engine, make_engine, transaction
from app.domain.errors import DatabaseAway, InvalidParameter, UnknownKey
from app.domain.regions import parse_source
from app.repositories.keys import KeptKey
from app.services import leases
from app.services.access import DEMO_PAGE, Reader
from app.services.keys import list_keys, make_key, revoke_key
from app.services.leases import Ended, Leases
from tests.api.client import ALL_SCOPES, Api, Place, check_problem
from tests.api.conftest import Installation
from tests.api.running import Role, api_here
from tests.api.waiting import SOON, eventually, soon
from tests.city import Hands
from tests.live_client import PROTOCOL, LiveClient

REVOKED, LATER = 4503, 1013


async def a_key(
    engine: Engine, place: Place, lives: timedelta | None = None
) -> tuple[str, KeptKey]:
    """Make a further key of a source."""
    return await make_key(
        engine, now, parse_source(place.source), ALL_SCOPES, label="ujian", lives=lives
    )


async def watching(base: str, place: Place, key: str) -> LiveClient:
    """Return a wall that shows a region."""
    client = LiveClient(base, key)
    await client.connect()
    await client.subscribe(place.channel)
    await client.until_op("snapshot")
    return client


async def refused(web: httpx.AsyncClient, place: Place, key: str) -> None:
    """Wait until a key is refused, and check how."""
    api = Api(web, key)

    async def answer() -> httpx.Response | None:
        found = await api.get(f"/v1/regions/{place.region}/state")
        return found if found.status_code != 200 else None

    check_problem(await eventually(answer, "the key is refused"), 401, "credential-unknown")


async def test_a_revoked_key_closes_what_it_opened_over_all_processes_and_no_more(
    installation: Installation, second_api: Role, web: httpx.AsyncClient, place: Place
) -> None:
    engine = installation.engine
    key, kept = await a_key(engine, place)
    stays = await watching(installation.api.base, place, place.key)
    goes = [await watching(role.base, place, key) for role in (installation.api, second_api)]
    ticket = (await Api(web, key).post("/v1/live/tickets")).json()["ticket"]
    by_ticket = LiveClient(installation.api.base)
    await by_ticket.connect(subprotocols=[PROTOCOL, f"ticket.{ticket}"])
    await by_ticket.subscribe(place.channel)
    await by_ticket.until_op("snapshot")
    late = (await Api(web, key).post("/v1/live/tickets")).json()["ticket"]

    await revoke_key(engine, now, kept.id)

    for client in (*goes, by_ticket):
        assert await client.closed() == REVOKED
    await refused(web, place, key)
    # A ticket that was got before opens nothing that would stay open.
    after = LiveClient(installation.api.base)
    await after.connect(subprotocols=[PROTOCOL, f"ticket.{late}"])
    assert await after.closed() == REVOKED
    # The other key of the same source goes on, and so does what it opened.
    receipt = (await Api(web, place.key).send(place.report("submitted", "C-1"))).json()
    await stays.follow(place.channel, receipt["receipts"][0]["seq"])
    await stays.hang_up()


async def test_an_event_stream_ends_with_its_key(
    installation: Installation, web: httpx.AsyncClient, place: Place
) -> None:
    key, kept = await a_key(installation.engine, place)
    headers = {"Authorization": f"Bearer {key}"}
    path = f"/v1/live/sse?channel={place.channel}"
    async with web.stream("GET", path, headers=headers) as stream:
        lines = stream.aiter_lines()
        assert await anext(lines)
        await revoke_key(installation.engine, now, kept.id)
        async with asyncio.timeout(SOON):
            async for _ in lines:
                pass
    await refused(web, place, key)


async def test_a_key_ends_by_itself(installation: Installation, place: Place) -> None:
    clock = Hands(now())
    key, _ = await a_key(installation.engine, place, timedelta(days=1))
    async with (
        api_here(installation.url, clock=clock) as base,
        httpx.AsyncClient(base_url=base, timeout=SOON, trust_env=False) as web,
    ):
        client = await watching(base, place, key)
        clock.moment += timedelta(days=1, seconds=1)
        assert await client.closed() == REVOKED
        await refused(web, place, key)


async def test_it_is_known_when_a_key_was_last_used(
    installation: Installation, web: httpx.AsyncClient, place: Place
) -> None:
    engine = installation.engine
    key, kept = await a_key(engine, place)
    source = parse_source(place.source)

    async def listed() -> KeptKey:
        found = await list_keys(engine, source)
        assert len(found) == 2
        assert found[0].id == kept.id
        return found[0]

    assert (await listed()).last_used_at is None
    assert (await Api(web, key).get(f"/v1/regions/{place.region}/state")).status_code == 200
    used = (await listed()).last_used_at
    assert used is not None
    assert abs(now() - used) < timedelta(minutes=1)
    async with transaction(engine) as connection:
        rows = await connection.execute(
            text("SELECT count(*) FROM api_keys WHERE strpos(api_keys::text, :key) > 0"),
            {"key": key},
        )
        assert rows.scalar_one() == 0, "the key itself is kept nowhere"
    again = await revoke_key(engine, now, kept.id)
    assert (await revoke_key(engine, now, kept.id)).revoked_at == again.revoked_at


async def test_keys_that_could_not_be_are_refused(installation: Installation, place: Place) -> None:
    engine, source = installation.engine, parse_source(place.source)
    with pytest.raises(UnknownKey):
        await revoke_key(engine, now, UUID(int=0))
    for wrong in ({"label": ""}, {"label": "x" * 101}, {"lives": timedelta(0)}):
        with pytest.raises(InvalidParameter):
            await make_key(engine, now, source, ALL_SCOPES, **wrong)
    with pytest.raises(InvalidParameter):
        await make_key(engine, now, source, frozenset({"all:powers"}))


# --- a database that stands still ---------------------------------------------------------


@contextmanager
def at(moment: list[float]) -> Iterator[None]:
    """Let leases see a clock of ours, and look often."""
    with (
        patch.object(leases, "monotonic", lambda: moment[0]),
        patch.object(leases, "LOOK_EVERY_S", 0.01),
    ):
        yield


async def test_what_cannot_be_confirmed_for_half_a_minute_ends() -> None:
    moment = [100.0]
    nowhere = make_engine("postgresql://nobody@127.0.0.1:1/nowhere", pool_size=1)
    kept = Leases(nowhere, now)
    ended: dict[str, Ended] = {}
    old, new = (Reader(f"key:{UUID(int=n)}", None, None, frozenset()) for n in (1, 2))
    looks = 0

    async def look(self: Leases) -> None:
        nonlocal looks
        looks += 1
        await real(self)

    real = Leases.look
    with at(moment), patch.object(Leases, "look", look):
        kept.hold(DEMO_PAGE, lambda why: ended.update(demo=why))
        kept.hold(old, lambda why: ended.update(old=why))
        moment[0] += 10
        kept.hold(new, lambda why: ended.update(new=why))
        with pytest.raises(DatabaseAway):
            await kept.look()
        task = asyncio.create_task(kept.run())
        moment[0] = 100.0 + leases.LEASE_S
        seen = looks
        await soon(lambda: looks > seen + 3, "it was looked again")
        assert ended == {}
        moment[0] += 1
        await soon(lambda: bool(ended), "the older one has ended")
        assert ended == {"old": Ended.UNCONFIRMED}
        moment[0] += 10
        await soon(lambda: len(ended) > 1, "the newer one has ended")
        task.cancel()
    assert ended == {"old": Ended.UNCONFIRMED, "new": Ended.UNCONFIRMED}
    await nowhere.dispose()


async def test_a_wall_whose_key_cannot_be_confirmed_is_told_to_come_again_later(
    installation: Installation, place: Place
) -> None:
    async with api_here(installation.url) as base:
        client = await watching(base, place, place.key)

        async def away(_: Leases) -> None:
            raise DatabaseAway("it stands still")

        with patch.object(Leases, "look", away), patch.object(leases, "LEASE_S", -1.0):
            assert await client.closed() == LATER
