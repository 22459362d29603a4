"""Refused events of known sources, masked, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from app.repositories.statements import one, run


@dataclass(frozen=True, slots=True)
class Refused:
    """An event to be kept aside: ``problem`` is the stable type of the refusal.

    ``digest`` is of the content as sent, so that a retry of the same event does
    not fill the quarantine, and a replay is the same event to the log.
    """

    region: str
    source: str
    problem: str
    detail: str
    field: str | None
    digest: bytes
    event: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A refused event as it is kept; ``event`` is the masked event as JSON text."""

    id: int
    region: str
    source: str
    first_refused_at: datetime
    last_refused_at: datetime
    times: int
    problem: str
    detail: str
    field: str | None
    digest: bytes
    event: str
    replayed_at: datetime | None


async def add(connection: AsyncConnection, refused: Sequence[Refused], now: datetime) -> None:
    """Keep refused events; the same content again only counts up."""
    unique = {(item.region, item.source, item.digest): item for item in refused}
    items = sorted(unique.values(), key=lambda item: (item.region, item.source, item.digest))
    await run(
        connection,
        "INSERT INTO quarantine AS q (region, source, problem, detail, field, digest, event,"
        " first_refused_at, last_refused_at)"
        " SELECT r.*, $8, $8 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[],"
        " $5::text[], $6::bytea[], $7::text[]) AS r"
        " ON CONFLICT (region, source, digest) DO UPDATE SET times = q.times + 1,"
        " last_refused_at = excluded.last_refused_at, problem = excluded.problem,"
        " detail = excluded.detail, field = excluded.field, replayed_at = NULL",
        (
            [item.region for item in items],
            [item.source for item in items],
            [item.problem for item in items],
            [item.detail for item in items],
            [item.field for item in items],
            [item.digest for item in items],
            [item.event for item in items],
            now,
        ),
    )


_COLUMNS = (
    "id, region, source, first_refused_at, last_refused_at, times, problem, detail, field,"
    " digest, event, replayed_at"
)


async def listed(
    connection: AsyncConnection, region: str, source: str, before: int | None, limit: int
) -> list[Entry]:
    """Return a source's refused events, newest first, from a keyset cursor on."""
    rows = await run(
        connection,
        f"SELECT {_COLUMNS} FROM quarantine WHERE region = $1 AND source = $2"  # noqa: S608
        " AND ($3::bigint IS NULL OR id < $3::bigint) ORDER BY id DESC LIMIT $4",
        (region, source, before, limit),
    )
    return [Entry(*row) for row in rows]


async def read(connection: AsyncConnection, entry_id: int) -> Entry | None:
    """Return one refused event."""
    row = await one(
        connection,
        f"SELECT {_COLUMNS} FROM quarantine WHERE id = $1",  # noqa: S608
        (entry_id,),
    )
    return None if row is None else Entry(*row)


async def mark_replayed(
    connection: AsyncConnection, region: str, entry_id: int, now: datetime
) -> None:
    """Write down that a refused event has since been accepted."""
    await run(
        connection,
        "UPDATE quarantine SET replayed_at = $3 WHERE region = $1 AND id = $2",
        (region, entry_id, now),
    )


async def refusals(connection: AsyncConnection, region: str, source: str) -> dict[str, int]:
    """Count a source's refusals by type of problem."""
    rows = await run(
        connection,
        "SELECT problem, sum(times)::bigint FROM quarantine WHERE region = $1 AND source = $2"
        " GROUP BY problem ORDER BY problem",
        (region, source),
    )
    return {row[0]: row[1] for row in rows}


async def trim(connection: AsyncConnection, region: str, source: str, keep: int) -> None:
    """Keep only the newest refused events of a source, so that a broken app costs no disk."""
    await run(
        connection,
        "DELETE FROM quarantine WHERE region = $1 AND source = $2 AND id <= ("
        " SELECT id FROM quarantine WHERE region = $1 AND source = $2"
        " ORDER BY id DESC OFFSET $3 LIMIT 1)",
        (region, source, keep),
    )
