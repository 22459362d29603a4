"""Running statements in the driver's own words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection


async def run(connection: AsyncConnection, statement: str, values: Sequence[Any] = ()) -> Any:
    """Execute a statement with ``$1`` parameters, arrays among them; rows come untyped.

    The driver takes whole columns as arrays, which is how many rows go over in
    one round trip.
    """
    return await connection.exec_driver_sql(statement, tuple(values))
