"""The door of the live protocol: keys, tickets, origins and subprotocols (3.4)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from app.clock import now
from app.database import make_engine, transaction
from tests.api.client import PROBLEM, Api, Place, check_problem, slug
from tests.api.conftest import Installation, MakePlace, make_place
from tests.api.databases import a_copy
from tests.api.running import api_here
from tests.api.waiting import SOON, eventually
from tests.city import Hands
from tests.live_client import PROTOCOL, LiveClient


@asynccontextmanager
async def dialled(
    base: str,
    *,
    key: str | None = None,
    offers: Sequence[str] = (PROTOCOL,),
    origin: str | None = None,
    query: str = "",
) -> AsyncIterator[ClientConnection]:
    """Open a connection, offering just this."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    if origin is not None:
        headers["Origin"] = origin
    address = base.replace("http", "ws", 1) + "/v1/live" + query
    async with connect(
        address,
        additional_headers=headers,
        compression=None,
        proxy=None,
        open_timeout=SOON,
        ping_interval=None,
        subprotocols=[Subprotocol(offer) for offer in offers] or None,
    ) as connection:
        yield connection


async def refusal(base: str, **offered: Any) -> tuple[int, dict[str, Any]]:
    """Return the status and the problem with which a handshake is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with dialled(base, **offered):
            pass
    response = refused.value.response
    assert response.headers["content-type"] == PROBLEM
    problem = json.loads(bytes(response.body))
    assert problem["status"] == response.status_code
    return response.status_code, problem


async def end(base: str, **offered: Any) -> int:
    """Return the close code with which an accepted connection is ended at once."""
    async with dialled(base, **offered) as connection:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(connection.recv(), SOON)
    assert closed.value.rcvd is not None
    return int(closed.value.rcvd.code)


async def greeted(base: str, **offered: Any) -> ClientConnection:
    """Return a connection that was greeted (closed by now)."""
    async with dialled(base, **offered) as connection:
        hello = await asyncio.wait_for(connection.recv(), SOON)
    assert '"op":"hello"' in str(hello)
    return connection


@pytest.fixture
def base(installation: Installation) -> str:
    """Give the address of the api process."""
    return installation.api.base


# --- keys and subprotocols ---------------------------------------------------------------


async def test_a_program_comes_in_with_its_key(base: str, place: Place) -> None:
    connection = await greeted(base, key=place.key)
    assert connection.response is not None
    assert connection.response.headers["Sec-WebSocket-Protocol"] == PROTOCOL


async def test_without_a_credential_nobody_need_come_again(base: str, place: Place) -> None:
    assert await end(base) == 4501
    assert await end(base, key="nonsense") == 4501
    assert await end(base, key=place.key[:-1] + "x") == 4501


@pytest.mark.parametrize("offers", [(), ("kentongan.v2",), ("chat", "ticket.x"), ("KENTONGAN.V1",)])
async def test_the_subprotocol_is_required(base: str, place: Place, offers: Sequence[str]) -> None:
    status, problem = await refusal(base, key=place.key, offers=offers)
    assert 400 <= status < 500
    assert slug(problem) == "invalid-parameter"


@pytest.mark.parametrize(
    "query", ["?token={}", "?access_token={}", "?ticket={}", "?KEY={}", "?x=1&authorization={}"]
)
async def test_a_credential_in_the_address_is_refused(base: str, place: Place, query: str) -> None:
    status, problem = await refusal(base, key=place.key, query=query.format("RAHASIA"))
    assert 400 <= status < 500
    assert "RAHASIA" not in str(problem)


async def test_a_key_in_the_address_is_refused_under_any_name(base: str, place: Place) -> None:
    status, problem = await refusal(base, key=place.key, query=f"?x={place.key}")
    assert 400 <= status < 500
    assert place.key not in str(problem)


# --- origins -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "{base}.evil.example",
        "{base}/",
        "{upper}",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "https://{host}",
        "file://",
    ],
)
async def test_a_page_of_another_origin_is_403_before_accept(
    base: str, place: Place, origin: str
) -> None:
    named = origin.format(base=base, upper=base.upper(), host=base.removeprefix("http://"))
    status, problem = await refusal(base, key=place.key, origin=named)
    assert (status, slug(problem)) == (403, "origin-not-allowed")
    assert "evil" not in str(problem)


async def test_our_own_page_may_come_in(base: str, place: Place) -> None:
    await greeted(base, key=place.key, origin=base)


async def test_an_origin_that_was_allowed_may_come_in(
    installation: Installation, place: Place
) -> None:
    allowed = "https://dinding.example.go.id"
    async with api_here(installation.url, allowed_origins=[allowed]) as own:
        await greeted(own, key=place.key, origin=allowed)
        status, _ = await refusal(own, key=place.key, origin="https://dinding.example.go.id:8443")
        assert status == 403


# --- tickets -----------------------------------------------------------------------------


async def test_a_ticket_is_good_for_one_connection(base: str, api: Api) -> None:
    answer = await api.post("/v1/live/tickets")
    assert answer.status_code == 201
    assert answer.json()["expires_in"] == 30
    ticket = f"ticket.{answer.json()['ticket']}"
    connection = await greeted(base, offers=(PROTOCOL, ticket), origin=base)
    assert connection.response is not None
    # What was offered is never echoed, in no header at all.
    assert ticket not in str(connection.response.headers)
    assert await end(base, offers=(PROTOCOL, ticket)) == 4401


async def test_the_order_of_the_offers_does_not_matter(base: str, api: Api) -> None:
    ticket = (await api.post("/v1/live/tickets")).json()["ticket"]
    connection = await greeted(base, offers=(f"ticket.{ticket}", PROTOCOL))
    assert connection.response is not None
    assert connection.response.headers["Sec-WebSocket-Protocol"] == PROTOCOL


async def test_a_ticket_works_in_one_of_two_connections_at_the_same_instant(
    base: str, api: Api
) -> None:
    ticket = (await api.post("/v1/live/tickets")).json()["ticket"]

    async def use() -> str:
        async with dialled(base, offers=(PROTOCOL, f"ticket.{ticket}")) as connection:
            try:
                return "in" if await asyncio.wait_for(connection.recv(), SOON) else ""
            except ConnectionClosed as closed:
                return str(closed.rcvd.code if closed.rcvd else None)

    found = await asyncio.gather(*(use() for _ in range(4)))
    assert sorted(found) == ["4401", "4401", "4401", "in"]


@pytest.mark.parametrize("ticket", ["", "nonsense", "x" * 4_000])
async def test_a_ticket_that_never_was_asks_for_a_fresh_one(base: str, ticket: str) -> None:
    assert await end(base, offers=(PROTOCOL, f"ticket.{ticket}")) == 4401


async def test_a_ticket_carries_no_more_than_its_key(
    base: str, places: MakePlace, web: httpx.AsyncClient, city: Place
) -> None:
    place = await places(scopes=frozenset({"state:read"}))
    ticket = (await Api(web, place.key).post("/v1/live/tickets")).json()["ticket"]
    client = LiveClient(base)
    await client.connect(subprotocols=[PROTOCOL, f"ticket.{ticket}"])
    for channel in (city.channel, "network"):
        await client.subscribe(channel)
        problem = await client.until_op("problem")
        assert slug(problem["problem"]) == "scope-missing"
        client.checker.leaving(channel)
    await client.subscribe(place.channel)
    await client.until_op("snapshot")
    await client.hang_up()


async def test_tickets_need_a_scope_that_reads(
    web: httpx.AsyncClient, places: MakePlace, base: str
) -> None:
    writer = await places(scopes=frozenset({"events:write"}))
    check_problem(await Api(web, writer.key).post("/v1/live/tickets"), 403, "scope-missing")
    check_problem(await Api(web, None).post("/v1/live/tickets"), 401, "credential-missing")
    # Nor does a page get one for its origin alone, where the city is real.
    own = {"Origin": base}
    answer = await Api(web, None).post("/v1/live/tickets", headers=own)
    check_problem(answer, 401, "credential-missing")


async def test_a_ticket_expires_after_thirty_seconds(
    installation: Installation, place: Place
) -> None:
    clock = Hands(now())
    async with (
        api_here(installation.url, clock=clock) as own,
        httpx.AsyncClient(base_url=own, timeout=SOON, trust_env=False) as web,
    ):
        api = Api(web, place.key)
        early, late = [(await api.post("/v1/live/tickets")).json()["ticket"] for _ in range(2)]
        clock.moment += timedelta(seconds=29)
        await greeted(own, offers=(PROTOCOL, f"ticket.{early}"))
        clock.moment += timedelta(seconds=2)
        assert await end(own, offers=(PROTOCOL, f"ticket.{late}")) == 4401


async def test_in_a_demo_our_own_page_gets_a_ticket_and_sees_that_it_is_one(
    template: str,
) -> None:
    async with a_copy(template, "kentongan_demonstration") as url:
        engine = make_engine(url, pool_size=1)
        async with transaction(engine) as connection:
            await connection.execute(
                text("UPDATE installation SET value = 'true' WHERE name = 'demo'")
            )
        place = await make_place(engine, "36.71")
        await engine.dispose()
        async with (
            api_here(url) as own,
            httpx.AsyncClient(base_url=own, timeout=SOON, trust_env=False) as web,
        ):

            async def issued() -> str | None:
                answer = await web.post("/v1/live/tickets", headers={"Origin": own})
                return answer.json()["ticket"] if answer.status_code == 201 else None

            ticket = await eventually(issued, "the api knows that this is a demo")
            for origin in ("https://evil.example", "null", own + "0"):
                answer = await web.post("/v1/live/tickets", headers={"Origin": origin})
                assert answer.status_code == 401
            assert (await web.post("/v1/live/tickets")).status_code == 401
            client = LiveClient(own)
            await client.connect(subprotocols=[PROTOCOL, f"ticket.{ticket}"], origin=own)
            for channel in (place.channel, "network"):
                await client.subscribe(channel)
                await client.until_op("snapshot")
            await client.hang_up()
