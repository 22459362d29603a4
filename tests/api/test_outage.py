"""The database goes away, comes back, or does not keep what it says: 503, and nothing half-done."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from sqlalchemy import text

from app import embedded
from app.clock import now
from app.database import make_engine, transaction
from app.services import installation
from tests.api.client import Api, Place, check_problem, outcomes, receipt, slug
from tests.api.conftest import make_place
from tests.api.databases import a_copy, administer
from tests.api.ledger import Receipts
from tests.api.running import api_here, projector_here
from tests.api.waiting import SOON, eventually
from tests.folders import quick_folder
from tests.live_client import LiveClient


@dataclass
class Own:
    """A program of the test's own: its PostgreSQL, its base address, a region and a client."""

    postgres: embedded.EmbeddedPostgres
    base: str
    place: Place
    api: Api

    async def lose_database(self) -> None:
        """Stop PostgreSQL as an operator in a hurry does."""
        os.kill(self.postgres.pid, signal.SIGINT)
        await self.postgres.wait()

    async def unready(self) -> bool:
        """Say whether the api tells that it cannot work."""
        return (await self.api.http.get("/readyz")).status_code == 503

    async def ready(self) -> bool:
        """Say whether the api tells that it can work."""
        return (await self.api.http.get("/readyz")).status_code == 200


@pytest.fixture(scope="module")
async def own() -> AsyncIterator[Own]:
    """Run a program on a PostgreSQL that no other test uses."""
    folder = quick_folder()
    async with await embedded.start(folder / "data") as postgres:
        engine = make_engine(postgres.url, pool_size=2)
        await installation.prepare(engine, now, demo=False)
        place = await make_place(engine, "36.71")
        await engine.dispose()
        async with (
            api_here(postgres.url) as base,
            projector_here(postgres.url),
            httpx.AsyncClient(base_url=base, timeout=SOON, trust_env=False) as web,
        ):
            yield Own(postgres, base, place, Api(web, place.key))
    embedded.erase(folder / "data")
    shutil.rmtree(folder, ignore_errors=True)


async def test_without_the_database_nothing_is_acknowledged_and_nothing_is_lost(
    own: Own,
) -> None:
    receipts = Receipts()
    region = own.place.region
    async with LiveClient(own.base, own.place.key) as wall:
        await wall.subscribe(own.place.channel)
        start = receipt(await own.api.send(own.place.event()))["seq"]
        await wall.follow(own.place.channel, start)
        epoch = wall.held[own.place.channel].epoch

        # Posts are under way while it goes.
        events = [own.place.event() for _ in range(40)]
        posting = [asyncio.create_task(own.api.send(event)) for event in events]
        await own.lose_database()
        answers = await asyncio.gather(*posting)
        for answer in answers:
            receipts.note(answer)
            if answer.status_code != 202:
                # Those beyond a sender's turns wait for one, and no longer than a second.
                assert answer.status_code == 503
                assert slug(answer.json()) in ("database-away", "overloaded")

        for path in (
            f"/v1/regions/{region}/state",
            f"/v1/cases?region={region}",
            f"/v1/events?region={region}",
            f"/v1/quarantine?source={own.place.source}",
            f"/v1/regions/{region}/verify",
            "/v1/regions",
        ):
            check_problem(await own.api.get(path), 503, "database-away")
        check_problem(await own.api.send(own.place.event()), 503, "database-away")
        check_problem(await own.api.post("/v1/live/tickets"), 503, "database-away")
        readiness = await own.api.get("/readyz")
        assert (readiness.status_code, readiness.json()["status"]) == (503, "not-ready")
        assert (await own.api.get("/livez")).status_code == 200
        assert (await own.api.get("/metrics")).status_code == 200
        # The socket lives on, and a wish that cannot be met now is answered on it.
        await wall.subscribe("network")
        problem = await wall.until_op("problem")
        assert problem["problem"]["retryable"] is True
        wall.checker.leaving("network")

        await own.postgres.launch()
        await eventually(own.ready, "the api recovers by itself")
        for event in events:
            again = await own.api.send(event)
            assert again.status_code == 202
            receipts.note(again)
        feed = await own.api.feed(region)
        receipts.check(feed)
        assert len(feed) == start + len(events)
        held = await wall.follow(own.place.channel, len(feed))
        assert held.epoch == epoch
        wall.ledger.note_reading(await own.api.state(region))
    verified = (await own.api.get(f"/v1/regions/{region}/verify")).json()
    assert verified["differences"] == []


async def test_a_database_that_would_lose_what_it_acknowledges_is_refused(own: Own) -> None:
    for setting in ("fsync", "full_page_writes"):
        await administer(own.postgres.url, f"ALTER SYSTEM SET {setting} = off")
        await administer(own.postgres.url, "SELECT pg_reload_conf()")
        await eventually(own.unready, f"the api hears of {setting}")
        readiness = (await own.api.get("/readyz")).json()
        assert readiness["status"] == "not-ready"
        assert setting in readiness["problems"][0]

        async def refused() -> httpx.Response | None:
            answer = await own.api.send(own.place.event())
            return answer if answer.status_code != 202 else None

        answer = await eventually(refused, "nothing is taken any more")
        check_problem(answer, 503, "not-durable")
        await administer(own.postgres.url, f"ALTER SYSTEM RESET {setting}")
        await administer(own.postgres.url, "SELECT pg_reload_conf()")
        await eventually(own.ready, f"the api hears that {setting} is on again")
    assert outcomes(await own.api.send(own.place.event())) == ["accepted"]


@asynccontextmanager
async def served(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an api of the test's own."""
    async with (
        api_here(url) as base,
        httpx.AsyncClient(base_url=base, timeout=SOON, trust_env=False) as web,
    ):
        yield web


async def test_a_database_that_answers_before_it_wrote_is_refused(template: str) -> None:
    async with a_copy(template, "kentongan_asynchronous") as url:
        await administer(url, "ALTER DATABASE kentongan_asynchronous SET synchronous_commit = off")
        engine = make_engine(url, pool_size=1)
        place = await make_place(engine, "36.71")
        await engine.dispose()
        async with served(url) as web:
            readiness = await web.get("/readyz")
            answer = await Api(web, place.key).send(place.event())
    assert readiness.status_code == 503
    assert readiness.json()["problems"] == ["the database has synchronous_commit off"]
    check_problem(answer, 503, "not-durable")


async def test_a_database_that_is_not_migrated_is_told_and_never_a_failure(
    template: str,
) -> None:
    async with a_copy(template, "kentongan_empty") as url:
        engine = make_engine(url, pool_size=1)
        async with transaction(engine) as connection:
            await connection.execute(text("DROP SCHEMA public CASCADE"))
            await connection.execute(text("CREATE SCHEMA public"))
        await engine.dispose()
        async with served(url) as web:
            readiness = await web.get("/readyz")
            assert readiness.status_code == 503
            assert "migrate" in readiness.json()["problems"][0]
            place = Place("36.71", "kentongan_" + 64 * "0" + "34b1e4cb")
            for answer in (
                await Api(web, place.key).send(place.event()),
                await Api(web, place.key).get("/v1/regions"),
                await web.get("/v1/regions/36.71"),
            ):
                check_problem(answer, 503, "not-prepared")
            assert (await web.get("/livez")).status_code == 200
            assert (await web.get("/metrics")).status_code == 200
