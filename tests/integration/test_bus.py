"""The bus between processes: its failure is nobody else's."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

import asyncpg
import pytest

from app.bus import LOG, PostgresBus
from app.database import notify
from tests.conftest import Database

SOON = 30


@pytest.mark.parametrize(
    "failure",
    [
        # What the driver says of a connection that died between two messages.
        asyncpg.exceptions.InternalClientError("another operation (2) is in progress"),
        asyncpg.exceptions.ConnectionDoesNotExistError("closed in the middle"),
        RuntimeError("nobody thought of this"),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_a_ring_that_could_not_be_carried_is_carried_later(
    database: Database, failure: Exception
) -> None:
    failures, heard = [failure], asyncio.Event()

    async def failing_once(connection: Any, topic: str, payload: str) -> None:
        if failures:
            raise failures.pop()
        await notify(connection, topic, payload)

    here, there = PostgresBus(database.url), PostgresBus(database.url)
    there.listen(LOG, lambda names: heard.set() if names == {"36.71"} else None)
    with patch("app.bus.postgres.notify", failing_once):
        async with asyncio.timeout(SOON), asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(bus.run()) for bus in (here, there)]
            here.ring(LOG, {"36.71"})
            await heard.wait()
            for task in running:
                task.cancel()
    assert failures == []
