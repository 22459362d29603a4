"""What the engine tells, and does not tell, of a statement that failed."""

from __future__ import annotations

import asyncpg
import pytest

from app.database import Engine, transaction
from app.repositories.statements import run


async def test_a_failed_statement_does_not_tell_its_values(engine: Engine) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError) as failed:
        async with transaction(engine) as connection:
            await run(connection, "SELECT 1 / length(left($1::text, 0))", ("NIK 3671012501900001",))
    assert "3671012501900001" not in str(failed.value)
    assert "division by zero" in str(failed.value)
