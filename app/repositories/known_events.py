"""Which events the log has already, asked without locking anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from app.repositories.statements import run


class EventName(NamedTuple):
    """By what an event is known for as long as it is kept."""

    region: str
    source: str
    id: str


async def digests(
    connection: AsyncConnection, names: Sequence[EventName]
) -> dict[EventName, bytes]:
    """Return the content digest of each named event that the log has."""
    rows = await run(
        connection,
        "SELECT e.region, e.source, e.id, e.digest"
        " FROM unnest($1::text[], $2::text[], $3::text[]) AS named (region, source, id)"
        " JOIN events e ON e.region = named.region AND e.source = named.source"
        " AND e.id = named.id",
        (
            [name.region for name in names],
            [name.source for name in names],
            [name.id for name in names],
        ),
    )
    return {EventName(*row[:3]): row[3] for row in rows}
