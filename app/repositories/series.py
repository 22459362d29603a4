"""Flows over time: sums of the hourly cells, and of single cases where cells are too coarse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.cases import CaseKey
from app.repositories.statements import run, value

#: Flows of which a case has at most one, and the column that says when.
_ONCE = {"opened": "opened_at", "first_responded": "first_response_at"}


@dataclass(frozen=True, slots=True)
class Cut:
    """What of a region's flows is wanted: a metric in [start, end), in buckets of a zone.

    ``start`` and ``end`` are whole hours. Absent members do not narrow; ``area``
    is a kecamatan, or a kelurahan, which cells do not know, nor services.
    """

    metric: str
    bucket: str
    zone: str
    start: datetime
    end: datetime
    app: str | None = None
    kind: str | None = None
    service: str | None = None
    area: str | None = None


async def of_cells(
    connection: AsyncConnection, region: str, generation: int, cut: Cut
) -> dict[datetime, int]:
    """Sum a flow by the start of its bucket; a missing bucket is zero."""
    rows = await run(
        connection,
        "SELECT date_trunc($3, hour, $4), sum(n)::bigint FROM flows"
        " WHERE region = $1 AND generation = $2 AND metric = $5 AND hour >= $6 AND hour < $7"
        " AND ($8::text IS NULL OR app = $8::text) AND ($9::text IS NULL OR kind = $9::text)"
        " GROUP BY 1 HAVING sum(n) <> 0",
        (
            *(region, generation, cut.bucket, cut.zone, cut.metric),
            *(cut.start, cut.end, cut.app, cut.kind),
        ),
    )
    return {row[0]: row[1] for row in rows}


#: Of whom: the cases of a generation by app, kind, service and area.
_OF_WHOM = """
region = $1 AND generation = $2
AND ($3::text IS NULL OR app = $3::text) AND ($4::text IS NULL OR kind = $4::text)
AND ($5::text IS NULL OR service = $5::text)
AND ($6::text IS NULL OR area = $6::text OR starts_with(area, $6::text || '.'))
"""


def _of_whom(region: str, generation: int, cut: Cut) -> tuple[Any, ...]:
    return (region, generation, cut.app, cut.kind, cut.service, cut.area)


def is_counted_once(metric: str) -> bool:
    """Say whether a case has this flow at most once, so that its row tells when."""
    return metric in _ONCE


async def of_cases(
    connection: AsyncConnection, region: str, generation: int, cut: Cut
) -> dict[datetime, int]:
    """Count cases by the bucket in which they had a flow that each has at most once."""
    at = _ONCE[cut.metric]
    rows = await run(
        connection,
        f"SELECT date_trunc($7, {at}, $8), count(*) FROM cases WHERE {_OF_WHOM}"  # noqa: S608
        f" AND {at} >= $9 AND {at} < $10 GROUP BY 1",
        (*_of_whom(region, generation, cut), cut.bucket, cut.zone, cut.start, cut.end),
    )
    return {row[0]: row[1] for row in rows}


async def moved(
    connection: AsyncConnection, region: str, generation: int, cut: Cut, limit: int
) -> set[CaseKey]:
    """Return the cases that may have been closed or reopened in the span, at most ``limit``.

    A case that was never reopened has one closing, which its row tells; of one
    that was, the row tells only the last, and that it had events since ``start``.
    Those are few in a hundred, and all of the region are looked at: an index over
    when cases last moved would be written to with every event of every case.
    """
    rows = await run(
        connection,
        f"SELECT app, kind, case_id FROM cases WHERE {_OF_WHOM}"  # noqa: S608
        " AND closed_at >= $7 AND closed_at < $8"
        f" UNION SELECT app, kind, case_id FROM cases WHERE {_OF_WHOM}"
        " AND reopen_count > 0 AND last_time >= $7 AND opened_at < $8 LIMIT $9",
        (*_of_whom(region, generation, cut), cut.start, cut.end, limit),
    )
    return {CaseKey(*row) for row in rows}


async def is_area(connection: AsyncConnection, code: str) -> bool:
    """Say whether the register has a place with this code."""
    found = await value(connection, "SELECT 1 FROM regions WHERE code = $1", (code,))
    return found is not None
