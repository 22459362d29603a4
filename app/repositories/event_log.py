"""The event log: appending in groups, reading in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.events import LoggedEvent, Submission, sequence_number
from app.repositories.statements import copy, pages, run, value


class Appended(NamedTuple):
    """What became of one event of a group.

    ``seq`` is its place, or that of the event which had its id before (``known``);
    ``digest`` is of the content that is kept under the id.
    """

    seq: int
    known: bool
    digest: bytes


_APPEND = """
SELECT at_seq, was_known, kept_digest FROM append_events(
    $1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
    $7::text[], $8::text[], $9::text[], $10::boolean[], $11::bytea[], $12::text[])
"""


async def append(
    connection: AsyncConnection, events: Sequence[Submission], received_at: Sequence[datetime]
) -> list[Appended]:
    """Append events to their regions' logs, gap-free; known ids change nothing.

    No (region, source, id) may occur twice in ``events``. Every region must be
    registered. The regions stay locked until the transaction ends. It is one
    statement, and thus needs no transaction around it.
    """
    columns = (
        [event.region for event in events],
        list(received_at),
        [event.time for event in events],
        [event.source for event in events],
        [event.id for event in events],
        [event.type for event in events],
        [event.app for event in events],
        [event.subject for event in events],
        [event.sequence for event in events],
        [event.test for event in events],
        [event.digest for event in events],
        [event.envelope for event in events],
    )
    rows = await run(connection, _APPEND, columns)
    return [Appended(*row) for row in rows]


async def append_new(
    connection: AsyncConnection, events: Sequence[Submission], received_at: Sequence[datetime]
) -> list[Appended] | None:
    """Append events that are all thought to be new, as ``append`` does, by less work.

    Returns:
        Nothing where one is known after all: then the transaction must be rolled back.
    """
    regions = {event.region for event in events}
    rows = await run(
        connection,
        "SELECT region, head FROM region_logs WHERE region = ANY ($1) ORDER BY region FOR UPDATE",
        (list(regions),),
    )
    heads: dict[str, int] = {row[0]: row[1] for row in rows}
    appended, records = [], []
    for event, received in zip(events, received_at, strict=True):
        heads[event.region] = seq = heads[event.region] + 1
        appended.append(Appended(seq, False, event.digest))
        records.append((*event, seq, received))
    try:
        await copy(connection, "events", (*Submission._fields, "seq", "received_at"), records)
    except asyncpg.UniqueViolationError:
        return None
    await run(
        connection,
        "UPDATE region_logs l SET head = h.head FROM unnest($1::text[], $2::bigint[])"
        " AS h (region, head) WHERE l.region = h.region",
        (list(heads), list(heads.values())),
    )
    return appended


#: What a case is folded of: all but when it was received, on which no case depends.
_FOLDED = "seq, source, id, type, app, subject, time, sequence, test, envelope"
_TIME = _FOLDED.split(", ").index("time")
_COLUMNS = f"{_FOLDED}, received_at"


def _logged(row: Any) -> LoggedEvent:
    *folded, received_at = row
    return _event(folded, received_at)


def _event(folded: Any, received_at: datetime) -> LoggedEvent:
    seq, source, event_id, kind, app, subject, time, sequence, test, envelope = folded
    data = orjson.loads(envelope).get("data")
    if type(data) is not dict:
        data = {}
    number = 0 if sequence is None else sequence_number(sequence)
    return LoggedEvent(
        seq, source, event_id, kind, app, subject, time, number, received_at, test, data
    )


async def after(
    connection: AsyncConnection, region: str, seq: int, limit: int
) -> list[LoggedEvent]:
    """Return a region's next events after ``seq``, in seq order."""
    rows = await run(
        connection,
        f"SELECT {_COLUMNS} FROM events WHERE region = $1 AND seq > $2 ORDER BY seq LIMIT $3",  # noqa: S608
        (region, seq, limit),
    )
    return [_logged(row) for row in rows]


async def of_subjects(
    connection: AsyncConnection, region: str, subjects: Iterable[tuple[str, str]], up_to: int
) -> list[LoggedEvent]:
    """Return all events up to a seq with any of the (app, subject) pairs, in no order."""
    wanted = frozenset(subjects)
    # Two arrays and no join, for the reason that ``cases.of_keys`` gives.
    rows = await run(
        connection,
        f"SELECT {_COLUMNS} FROM events WHERE region = $1 AND seq <= $4"  # noqa: S608
        " AND app = ANY ($2::text[]) AND subject = ANY ($3::text[])",
        (region, list({app for app, _ in wanted}), list({name for _, name in wanted}), up_to),
    )
    found = map(_logged, rows)
    return [event for event in found if (event.app, event.subject) in wanted]


async def by_case(
    connection: AsyncConnection, region: str, up_to: int
) -> AsyncIterator[list[LoggedEvent]]:
    """Page through a region's events with a subject, up to a seq, those of one side by side.

    When they were received is not read, and told as when they happened: the driver takes 1 µs
    for each time, a twentieth of what it takes to verify an event.
    """
    found = pages(
        connection,
        f"SELECT {_FOLDED} FROM events WHERE region = $1 AND seq <= $2"  # noqa: S608
        " AND subject IS NOT NULL ORDER BY app, subject",
        (region, up_to),
    )
    async for rows in found:
        yield [_event(row, row[_TIME]) for row in rows]


async def feed(
    connection: AsyncConnection, region: str, seq: int, limit: int
) -> list[tuple[int, str]]:
    """Return (seq, envelope) of a region's next events after ``seq``."""
    rows = await run(
        connection,
        "SELECT seq, envelope FROM events WHERE region = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        (region, seq, limit),
    )
    return [(row[0], row[1]) for row in rows]


async def head(connection: AsyncConnection, region: str) -> int | None:
    """Return how far a region's log reaches, or nothing for an unknown region."""
    found = await value(connection, "SELECT head FROM region_logs WHERE region = $1", (region,))
    return None if found is None else int(found)


async def newest_counted(
    connection: AsyncConnection, region: str, up_to: int, limit: int
) -> list[LoggedEvent]:
    """Return the newest events up to a seq that are no tests, newest first."""
    rows = await run(
        connection,
        f"SELECT {_COLUMNS} FROM events WHERE region = $1 AND seq <= $2 AND NOT test"  # noqa: S608
        " ORDER BY seq DESC LIMIT $3",
        (region, up_to, limit),
    )
    return [_logged(row) for row in rows]


class End(NamedTuple):
    """How far a region's log reaches, and how many sources the region has."""

    head: int
    sources: int


async def ends(connection: AsyncConnection) -> dict[str, End]:
    """Return the end of each region's log."""
    rows = await run(
        connection,
        "SELECT l.region, l.head, (SELECT count(*) FROM sources s WHERE s.region = l.region)"
        " FROM region_logs l",
    )
    return {row[0]: End(row[1], row[2]) for row in rows}


async def extent(connection: AsyncConnection, region: str) -> tuple[int, int]:
    """Return how many events a region's log holds, and the newest seq (0 when empty)."""
    ((count, newest),) = await run(
        connection,
        "SELECT count(*), coalesce(max(seq), 0) FROM events WHERE region = $1",
        (region,),
    )
    return int(count), int(newest)


async def count_without_subject(
    connection: AsyncConnection, region: str, up_to: int
) -> dict[tuple[str, datetime], tuple[int, int]]:
    """Count events that belong to no subject by (app, hour): those that count, and all."""
    rows = await run(
        connection,
        "SELECT app, date_trunc('hour', time, 'UTC'), count(*) FILTER (WHERE NOT test), count(*)"
        " FROM events WHERE region = $1 AND seq <= $2 AND subject IS NULL GROUP BY 1, 2",
        (region, up_to),
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


async def types(
    connection: AsyncConnection, region: str, source: str
) -> dict[str, tuple[int, int]]:
    """Count a source's events by type: those that count, and tests."""
    rows = await run(
        connection,
        "SELECT type, count(*) FILTER (WHERE NOT test), count(*) FILTER (WHERE test)"
        " FROM events WHERE region = $1 AND source = $2 GROUP BY type ORDER BY type",
        (region, source),
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def of_source(
    connection: AsyncConnection, region: str, source: str
) -> AsyncIterator[list[LoggedEvent]]:
    """Page through a source's events that are no tests and have a subject, in no order."""
    found = pages(
        connection,
        f"SELECT {_COLUMNS} FROM events WHERE region = $1"  # noqa: S608
        " AND source = $2 AND NOT test AND subject IS NOT NULL",
        (region, source),
    )
    async for rows in found:
        yield [_logged(row) for row in rows]


async def newest_time(
    connection: AsyncConnection, region: str, up_to: int, now: datetime
) -> datetime | None:
    """Return the newest event time up to a seq, at most ``now``."""
    found: datetime | None = await value(
        connection,
        "SELECT least(max(time), $3::timestamptz) FROM events WHERE region = $1 AND seq <= $2",
        (region, up_to, now),
    )
    return found
