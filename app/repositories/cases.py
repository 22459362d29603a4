"""Cases as the projector keeps them and as readers list them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.cases import Case, CaseKey
from app.domain.errors import InvariantBroken
from app.repositories.statements import copy, one, run, value

#: Column, PostgreSQL type and member of ``Case``, in the order of every statement here.
_FIELDS = (
    ("state", "text", "state"),
    ("open", "boolean", "open"),
    ("opened_at", "timestamptz", "opened_at"),
    ("first_response_at", "timestamptz", "first_response_at"),
    ("closed_at", "timestamptz", "closed_at"),
    ("reopen_count", "bigint", "reopen_count"),
    ("service", "text", "service"),
    ("area", "text", "area"),
    ("agency", "text", "agency"),
    ("channel", "text", "channel"),
    ("reason", "text", "reason"),
    ("due_at", "timestamptz", "due_at"),
    ("fee_idr", "bigint", "fee_idr"),
    ("tariff_idr", "bigint", "tariff_idr"),
    ("rating", "bigint", "rating"),
    ("duplicate_of", "text", "duplicate_of"),
)
_KEY = ("app", "kind", "case_id")
_ORDER = (
    ("last_time", "timestamptz"),
    ("last_sequence", "numeric"),
    ("last_id", "text"),
    ("last_source", "text"),
)
# A row's columns are the members of a case in their order, between its key and its order.
assert [member for _, _, member in _FIELDS] == [m.name for m in fields(Case)][2:]  # noqa: S101
_members = attrgetter(*(member for _, _, member in _FIELDS))
_NAMES = [name for name, _, _ in _FIELDS]
_COLUMNS = ", ".join([*_KEY, *_NAMES, *(name for name, _ in _ORDER)])
_TYPES = ["text"] * 3 + [kind for _, kind, _ in _FIELDS] + [kind for _, kind in _ORDER]
_ALL = [*_KEY, *_NAMES, *(name for name, _ in _ORDER)]

_SAVE = f"""
INSERT INTO cases (region, generation, {", ".join(_ALL)})
SELECT $1, $2, {", ".join("c." + name for name in _ALL)}
FROM unnest({", ".join(f"${i}::{kind}[]" for i, kind in enumerate(_TYPES, start=3))})
     AS c ({", ".join(_ALL)})
ON CONFLICT (region, generation, app, kind, case_id) DO UPDATE SET
     {", ".join(f"{name} = excluded.{name}" for name in _ALL[3:])}
"""  # noqa: S608 - made of the constants above


def _case(row: Sequence[Any]) -> Case:
    app, kind, case_id, *members, time, sequence, event_id, source = row
    return Case(CaseKey(app, kind, case_id), (time, int(sequence), event_id, source), *members)


async def of_keys(
    connection: AsyncConnection, region: str, generation: int, keys: Collection[CaseKey]
) -> dict[CaseKey, Case]:
    """Return the kept cases among ``keys``; what is not kept is left out."""
    # Three arrays and no join with one of keys: whatever the planner thinks of a table that has
    # yet to be analyzed, this is one way through one index, where a join may be as many ways
    # through the whole region as there are keys.
    rows = await run(
        connection,
        f"SELECT {_COLUMNS} FROM cases WHERE region = $1 AND generation = $2"  # noqa: S608
        " AND app = ANY ($3::text[]) AND kind = ANY ($4::text[]) AND case_id = ANY ($5::text[])",
        (
            region,
            generation,
            list({key.app for key in keys}),
            list({key.kind for key in keys}),
            list({key.case_id for key in keys}),
        ),
    )
    # One id under two apps, of which one is wanted, gives both.
    wanted = keys if isinstance(keys, AbstractSet | Mapping) else frozenset(keys)
    return {case.key: case for case in map(_case, rows) if case.key in wanted}


async def add(
    connection: AsyncConnection, region: str, generation: int, cases: Iterable[Case]
) -> None:
    """Keep cases under whose keys nothing was kept.

    Raises:
        InvariantBroken: something was.
    """
    rows = [(region, generation, *_row(case)) for case in cases]
    if not rows:
        return
    try:
        await copy(connection, "cases", ("region", "generation", *_ALL), rows)
    except asyncpg.UniqueViolationError as error:
        raise InvariantBroken("a case is kept already") from error


async def save(
    connection: AsyncConnection, region: str, generation: int, cases: Iterable[Case]
) -> None:
    """Keep cases, in place of what was kept under their keys."""
    rows = [_row(case) for case in cases]
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        await run(connection, _SAVE, (region, generation, *columns))


def _row(case: Case) -> tuple[Any, ...]:
    assert case.order is not None  # noqa: S101 - a case without events is never kept
    time, sequence, event_id, source = case.order
    return *case.key, *_members(case), time, sequence, event_id, source


async def count_overdue(
    connection: AsyncConnection,
    region: str,
    generation: int,
    after: datetime | None,
    until: datetime,
) -> dict[tuple[str, str], int]:
    """Count open cases by (app, kind) whose due date lies in (after, until]."""
    rows = await run(
        connection,
        "SELECT app, kind, count(*) FROM cases"
        " WHERE region = $1 AND generation = $2 AND open AND due_at <= $3"
        " AND ($4::timestamptz IS NULL OR due_at > $4::timestamptz) GROUP BY app, kind",
        (region, generation, until, after),
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def next_due(
    connection: AsyncConnection, region: str, generation: int, after: datetime
) -> datetime | None:
    """Return when the next open case becomes overdue, or nothing when none will."""
    found: datetime | None = await value(
        connection,
        "SELECT min(due_at) FROM cases WHERE region = $1 AND generation = $2 AND open"
        " AND due_at > $3",
        (region, generation, after),
    )
    return found


@dataclass(frozen=True, slots=True)
class Filter:
    """Which cases of a region a reader wants; absent members do not narrow.

    ``area`` is a kecamatan or kelurahan. ``before`` is the place of the last
    case already read: (opened_at, app, kind, case_id).
    """

    app: str | None = None
    kind: str | None = None
    state: str | None = None
    service: str | None = None
    area: str | None = None
    overdue: bool | None = None
    before: tuple[datetime, str, str, str] | None = None


async def listed(
    connection: AsyncConnection, region: str, wanted: Filter, now: datetime, limit: int
) -> list[Case]:
    """Return a region's cases, newest opening first, from a keyset cursor on."""
    values: list[Any] = [region, limit]
    where = ["state IS NOT NULL"]

    def given(clause: str, *parameters: Any) -> None:
        places = [f"${len(values) + i}" for i in range(1, len(parameters) + 1)]
        values.extend(parameters)
        where.append(clause.format(*places))

    for name in ("app", "kind", "state", "service"):
        value = getattr(wanted, name)
        if value is not None:
            given(f"{name} = {{0}}::text", value)
    if wanted.area is not None:
        given("(area = {0}::text OR starts_with(area, {1}::text))", wanted.area, wanted.area + ".")
    if wanted.overdue is not None:
        overdue = "(open AND due_at IS NOT NULL AND due_at <= {0}::timestamptz)"
        given(overdue if wanted.overdue else f"NOT {overdue}", now)
    if wanted.before is not None:
        place = "({0}::timestamptz, {1}::text, {2}::text, {3}::text)"
        given(f"(opened_at, app, kind, case_id) < {place}", *wanted.before)
    rows = await run(
        connection,
        f"SELECT {_COLUMNS} FROM cases"  # noqa: S608 - clauses from the constants above
        " WHERE region = $1 AND generation = (SELECT generation FROM projections"
        f" WHERE region = $1) AND {' AND '.join(where)}"
        " ORDER BY opened_at DESC, app DESC, kind DESC, case_id DESC LIMIT $2",
        tuple(values),
    )
    return [_case(row) for row in rows]


async def read(connection: AsyncConnection, region: str, key: CaseKey) -> Case | None:
    """Return one case of the living generation."""
    row = await one(
        connection,
        f"SELECT {_COLUMNS} FROM cases WHERE region = $1 AND app = $2 AND kind = $3"  # noqa: S608
        " AND case_id = $4 AND state IS NOT NULL"
        " AND generation = (SELECT generation FROM projections WHERE region = $1)",
        (region, *key),
    )
    return None if row is None else _case(row)


async def count(connection: AsyncConnection, region: str, generation: int) -> int:
    """Count the kept cases of a generation, those before any state event too."""
    kept = await value(
        connection,
        "SELECT count(*) FROM cases WHERE region = $1 AND generation = $2",
        (region, generation),
    )
    return int(kept)
