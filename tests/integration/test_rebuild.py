"""What a rebuild says of its picture's age, and what it leaves behind."""

from __future__ import annotations

import asyncio
from datetime import datetime
from itertools import count

import pytest

from app.bus import MemoryBus
from app.database import Connection, transaction
from app.domain.events import LoggedEvent
from app.repositories import event_log
from app.repositories.statements import run
from app.services.rebuild import rebuild
from tests.builders import a_report
from tests.city import Hands, a_city
from tests.conftest import Database


async def test_a_rebuilt_picture_is_no_younger_than_the_last_look_at_the_log(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Hands()
    looks: list[datetime] = []
    read = event_log.after

    async def read_and_move_on(
        connection: Connection, region: str, seq: int, limit: int
    ) -> list[LoggedEvent]:
        """Read the log; what arrives in the minute after is not in the picture."""
        looks.append(clock())
        found = await read(connection, region, seq, limit)
        clock.move(minutes=1)
        return found

    async with a_city(database.engine, clock) as city:
        await city.post(a_report("submitted"))
        await city.fold()
        monkeypatch.setattr(event_log, "after", read_and_move_on)
        await rebuild(database.engine, database.url, MemoryBus(), clock, "36.71", lambda _: None)
        assert (await city.projection()).current_at == looks[-1]


async def test_a_rebuild_ends_where_events_never_cease(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, numbers = event_log.after, count()

    async with a_city(database.engine) as city:

        async def read_while_others_post(
            connection: Connection, region: str, seq: int, limit: int
        ) -> list[LoggedEvent]:
            """Read the log; before anybody looks again there is more."""
            found = await read(connection, region, seq, limit)
            number = next(numbers)
            await city.post(a_report("submitted", f"M-{number}", id=f"m-{number}"))
            return found

        await city.post(a_report("submitted"))
        await city.fold()
        monkeypatch.setattr(event_log, "after", read_while_others_post)
        async with asyncio.timeout(30):
            await rebuild(
                database.engine, database.url, MemoryBus(), city.clock, "36.71", lambda _: None
            )
        monkeypatch.undo()
        assert (await city.fold())["apps"]["laksa"]["report"]["open"] == next(numbers) + 1


async def test_a_rebuild_removes_what_killed_ones_left(database: Database) -> None:
    async with a_city(database.engine) as city:
        await city.post(a_report("submitted"))
        await city.fold()
        async with transaction(database.engine) as connection:
            for generation in (0, 2, 7):
                await run(
                    connection,
                    "INSERT INTO gauges SELECT region, $1, app, kind, metric, key, n FROM gauges"
                    " WHERE generation = 1",
                    (generation,),
                )
        done = await rebuild(
            database.engine, database.url, MemoryBus(), city.clock, "36.71", lambda _: None
        )
        kept = (await city.projection()).generation
        async with transaction(database.engine) as connection:
            rows = await run(connection, "SELECT DISTINCT generation FROM gauges")
            assert [row[0] for row in rows] == [kept]
    assert done.cases == 1
