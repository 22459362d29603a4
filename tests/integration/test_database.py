"""What the engine tells, and does not tell, of a statement that failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import asyncpg
import pytest
from sqlalchemy import text

from app.database import (
    Connection,
    Engine,
    driver_of,
    lookup,
    snapshot,
    statement,
    transaction,
)
from app.domain.errors import DatabaseAway
from app.repositories.statements import run, value

Way = Callable[[Engine], AbstractAsyncContextManager[Connection]]


async def test_a_failed_statement_does_not_tell_its_values(engine: Engine) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError) as failed:
        async with transaction(engine) as connection:
            await run(connection, "SELECT 1 / length(left($1::text, 0))", ("NIK 3671012501900001",))
    assert "3671012501900001" not in str(failed.value)
    assert "division by zero" in str(failed.value)


@pytest.mark.parametrize("ways", [transaction, statement, snapshot, lookup])
@pytest.mark.parametrize("by_expression", [True, False])
async def test_a_connection_that_is_lost_is_the_database_away_and_is_replaced(
    engine: Engine, ways: Way, by_expression: bool
) -> None:
    async def lose_it() -> None:
        async with ways(engine) as connection:
            backend = await value(connection, "SELECT pg_backend_pid()")
            async with transaction(engine) as other:
                await run(other, "SELECT pg_terminate_backend($1)", (backend,))
            for _ in range(2):  # the first may still be answered
                if by_expression:
                    await connection.execute(text("SELECT 1"))
                else:
                    await run(connection, "SELECT 1")

    with pytest.raises(DatabaseAway):
        await lose_it()
    for _ in range(12):  # more than the pool holds
        async with ways(engine) as connection:
            assert await value(connection, "SELECT 1") == 1


async def test_a_connection_that_was_lost_while_nobody_used_it_is_never_met(
    engine: Engine,
) -> None:
    async with statement(engine) as connection:
        driver = driver_of(connection)
    driver.terminate()
    for _ in range(12):
        async with statement(engine) as connection:
            assert await value(connection, "SELECT 1") == 1


async def test_a_statement_that_was_given_up_is_not_handed_on(engine: Engine) -> None:
    drivers = []

    async def give_up() -> None:
        async with statement(engine) as connection, asyncio.timeout(0.05):
            drivers.append(driver_of(connection))
            await run(connection, "SELECT pg_sleep(60)")

    with pytest.raises(DatabaseAway):
        await give_up()
    assert drivers[0].is_closed()
    async with statement(engine) as connection:
        assert await value(connection, "SELECT 1") == 1


async def _failing(engine: Engine, *, by_itself: bool) -> None:
    async with transaction(engine) as connection:
        await run(connection, "CREATE TABLE left_behind ()")
        if by_itself:
            await run(connection, "SELECT 1 / 0")
        raise RuntimeError("changed my mind")


@pytest.mark.parametrize(
    ("by_itself", "error"), [(True, asyncpg.DivisionByZeroError), (False, RuntimeError)]
)
async def test_a_transaction_that_fails_leaves_nothing(
    engine: Engine, by_itself: bool, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await _failing(engine, by_itself=by_itself)
    async with transaction(engine) as connection:
        assert await value(connection, "SELECT to_regclass('left_behind')") is None
