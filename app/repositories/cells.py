"""Cells: the gauges and flows of a region, and what its sources last sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.cells import Delta, FlowKey, GaugeKey, RegionCells
from app.domain.errors import InvariantBroken
from app.domain.region_state import SourceActivity
from app.repositories.statements import run, value

# The statement tells how many cells fell below zero: a CHECK would also refuse
# the proposed row of an upsert that only subtracts.
_ADD = """
WITH gauged AS (
    INSERT INTO gauges AS g (region, generation, app, kind, metric, key, n)
    SELECT $1, $2, d.app, d.kind, d.metric, d.key, d.n
    FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
         AS d (app, kind, metric, key, n)
    ON CONFLICT (region, generation, app, kind, metric, key) DO UPDATE SET n = g.n + excluded.n
    RETURNING g.n
), flowed AS (
    INSERT INTO flows AS f (region, generation, app, kind, metric, hour, n)
    SELECT $1, $2, d.app, d.kind, d.metric, d.hour, d.n
    FROM unnest($8::text[], $9::text[], $10::text[], $11::timestamptz[], $12::bigint[])
         AS d (app, kind, metric, hour, n)
    ON CONFLICT (region, generation, app, kind, metric, hour) DO UPDATE SET n = f.n + excluded.n
    RETURNING f.n
) SELECT (SELECT count(*) FROM gauged WHERE n < 0) + (SELECT count(*) FROM flowed WHERE n < 0)
"""


async def add(connection: AsyncConnection, region: str, generation: int, delta: Delta) -> None:
    """Add a change to the kept cells.

    Raises:
        InvariantBroken: a cell fell below zero; the transaction must not commit.
    """
    columns: list[list[Any]] = []
    for counts in (delta.gauges, delta.flows):
        rows = [(*key, n) for key, n in counts.items() if n]
        columns += [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * 5
    if await value(connection, _ADD, (region, generation, *columns)):
        raise InvariantBroken("a kept cell fell below zero")


async def load(
    connection: AsyncConnection, region: str, generation: int, since: datetime
) -> RegionCells:
    """Return a region's gauges, and its flows from the hour ``since`` on.

    Raises:
        InvariantBroken: a kept cell is below zero.
    """
    cells = RegionCells(since=since)
    delta = Delta()
    for gauge, n in (await gauges(connection, region, generation)).items():
        delta.gauges[gauge] = n
    for flow, n in (await flows(connection, region, generation, since)).items():
        delta.flows[flow] = n
    cells.apply(delta)
    return cells


async def gauges(connection: AsyncConnection, region: str, generation: int) -> dict[GaugeKey, int]:
    """Return every gauge of a region that is not zero."""
    rows = await run(
        connection,
        "SELECT app, kind, metric, key, n FROM gauges"
        " WHERE region = $1 AND generation = $2 AND n <> 0",
        (region, generation),
    )
    return {GaugeKey(*row[:4]): row[4] for row in rows}


async def flows(
    connection: AsyncConnection, region: str, generation: int, since: datetime | None = None
) -> dict[FlowKey, int]:
    """Return every flow of a region that is not zero, from an hour on."""
    rows = await run(
        connection,
        "SELECT app, kind, metric, hour, n FROM flows"
        " WHERE region = $1 AND generation = $2 AND n <> 0"
        " AND ($3::timestamptz IS NULL OR hour >= $3::timestamptz)",
        (region, generation, since),
    )
    return {FlowKey(*row[:4]): row[4] for row in rows}


class Heard(NamedTuple):
    """What a batch told of one source: its last receipt, that local day, and the count of it."""

    last_event_at: datetime
    day: date
    today: int


async def hear(
    connection: AsyncConnection, region: str, generation: int, heard: Mapping[str, Heard]
) -> None:
    """Keep when sources were last heard; a new day begins its own count."""
    if not heard:
        return
    await run(
        connection,
        "INSERT INTO source_activity AS s (region, generation, source, last_event_at, day, today)"
        " SELECT $1, $2, * FROM unnest($3::text[], $4::timestamptz[], $5::date[], $6::bigint[])"
        " ON CONFLICT (region, generation, source) DO UPDATE SET"
        " last_event_at = greatest(s.last_event_at, excluded.last_event_at),"
        " today = CASE WHEN excluded.day = s.day THEN s.today + excluded.today"
        "              WHEN excluded.day > s.day THEN excluded.today ELSE s.today END,"
        " day = greatest(s.day, excluded.day)",
        (
            region,
            generation,
            list(heard),
            [line.last_event_at for line in heard.values()],
            [line.day for line in heard.values()],
            [line.today for line in heard.values()],
        ),
    )


async def sources(
    connection: AsyncConnection, region: str, generation: int
) -> dict[str, SourceActivity]:
    """Return every registered source of a region and when it was last heard."""
    rows = await run(
        connection,
        "SELECT s.urn, s.expected_interval, a.last_event_at, a.day, a.today FROM sources s"
        " LEFT JOIN source_activity a"
        " ON a.region = s.region AND a.source = s.urn AND a.generation = $2"
        " WHERE s.region = $1",
        (region, generation),
    )
    return {
        row[0]: SourceActivity(
            expected_interval=row[1] or timedelta(hours=24),
            last_event_at=row[2],
            day=row[3].isoformat() if row[3] else "",
            today=row[4] or 0,
        )
        for row in rows
    }


async def keep_only(connection: AsyncConnection, region: str, generation: int) -> None:
    """Remove everything kept under other generations than the living one."""
    for table in ("cases", "gauges", "flows", "source_activity"):
        await run(
            connection,
            f"DELETE FROM {table} WHERE region = $1 AND generation <> $2",  # noqa: S608
            (region, generation),
        )


async def hear_again(
    connection: AsyncConnection, region: str, generation: int, up_to: int, timezone: str
) -> None:
    """Recompute when each source was last heard from the log up to a seq."""
    await run(
        connection,
        "INSERT INTO source_activity (region, generation, source, last_event_at, day, today)"
        " SELECT $1, $2, e.source, max(newest.last_event_at), newest.day,"
        "        count(*) FILTER (WHERE NOT e.test)"
        " FROM (SELECT source, max(received_at) AS last_event_at,"
        "              (max(received_at) AT TIME ZONE $4)::date AS day"
        "       FROM events WHERE region = $1 AND seq <= $3 GROUP BY source) newest"
        " JOIN events e ON e.region = $1 AND e.seq <= $3 AND e.source = newest.source"
        "  AND (e.received_at AT TIME ZONE $4)::date = newest.day"
        " GROUP BY e.source, newest.day",
        (region, generation, up_to, timezone),
    )
