"""New York's open 311 data read as LAKSA reports: rows, events, and counts of the file alone.

The file gives local times without an offset. They are read as local times of the
region that a borough stands for, so that the file's own days are the region's
local days and counts by day can be compared one to one. (Read as New York's time
they would fall on other days in Indonesia; and no hour is missing or doubled,
because Indonesia's zones have no summer time.)
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

Row = Mapping[str, str]
Event = dict[str, object]

#: Each borough stands for a region with, where there is one, a kecamatan for each of
#: its community boards: board n is the n-th kecamatan; parks and airports have none.
REGION_OF_BOROUGH: Mapping[str, str] = MappingProxyType(
    {
        "MANHATTAN": "36.71",
        "BROOKLYN": "33.28",
        "QUEENS": "36.03",
        "BRONX": "14.05",
        "STATEN ISLAND": "13.74",
    }
)
#: Before the file's key, so that these cases are known among others of the region.
PREFIX = "NYC-"
_TYPE = "id.go.tangerangkota.laksa.report.{}.v1"


class Place(NamedTuple):
    """What the register says of a region: its zone and its kecamatan codes, in order."""

    zone: ZoneInfo
    areas: Sequence[str]


@dataclass(frozen=True, slots=True)
class Case:
    """What must be known of a case; times are local, without an offset, as in the file."""

    region: str
    case_id: str
    state: str
    service: str | None
    area: str | None
    opened: datetime
    first_response: datetime | None
    closed: datetime | None


def read_rows(path: Path) -> list[Row]:
    """Return the rows of the file, in its order."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def split(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows that have a borough, and those that have not and are left out."""
    kept: list[Row] = []
    left_out: list[Row] = []
    for row in rows:
        (kept if row["Borough"] in REGION_OF_BOROUGH else left_out).append(row)
    return kept, left_out


def local_time(text: str) -> datetime | None:
    """Return a time of the file, naive as it is there; None where there is none.

    >>> local_time("3/14/2025 1:20")
    datetime.datetime(2025, 3, 14, 1, 20)
    """
    # Naive on purpose: the file has no offset, and days are compared as the file's.
    return datetime.strptime(text, "%m/%d/%Y %H:%M") if text else None  # noqa: DTZ007


def area_of(board: str, areas: Sequence[str]) -> str | None:
    """Return the kecamatan that a community board stands for.

    >>> area_of("02 BRONX", ("14.05.01", "14.05.02"))
    '14.05.02'
    >>> area_of("Unspecified BRONX", ("14.05.01",)) is None
    True
    """
    number = board.split(" ", 1)[0]
    if not number.isdigit() or not 1 <= int(number) <= len(areas):
        return None
    return areas[int(number) - 1]


def case_of(row: Row, places: Mapping[str, Place]) -> Case:
    """Return what the file says of one row's case.

    Raises:
        ValueError: the row has no time of creation.
    """
    region = REGION_OF_BOROUGH[row["Borough"]]
    opened = local_time(row["Created Date"])
    if opened is None:
        raise ValueError("a row has no time of creation")
    closed = local_time(row["Closed Date"])
    progressed = _progressed(row, opened, closed)
    state = "resolved" if closed else "in_progress" if progressed else "received"
    return Case(
        region=region,
        case_id=PREFIX + row["Unique Key"],
        state=state,
        service=row["Complaint Type"],
        area=area_of(row["Community Board"], places[region].areas),
        opened=opened,
        first_response=progressed or closed,
        closed=closed,
    )


def _progressed(row: Row, opened: datetime, closed: datetime | None) -> datetime | None:
    """Return the last action where it is a step of its own.

    The file keeps one action of each request. One at or after the closing is the
    closing itself; one before the opening (there are six) was taken for another.
    """
    acted = local_time(row["Resolution Action Updated Date"])
    if acted is None or acted < opened or (closed is not None and acted >= closed):
        return None
    return acted


def events_of(row: Row, places: Mapping[str, Place]) -> Iterator[Event]:
    """Yield the events of one row: submitted, progressed, resolved, as far as they are there.

    Many requests are closed in the minute in which they were opened; ``sequence``
    then keeps the steps in order.
    """
    case = case_of(row, places)
    zone = places[case.region].zone
    closed = case.closed
    steps = [
        ("submitted", case.opened),
        ("progressed", _progressed(row, case.opened, closed)),
        ("resolved", closed),
    ]
    for number, (verb, at) in enumerate(steps, 1):
        if at is not None:
            yield {
                "specversion": "1.0",
                "id": f"{case.case_id}-{number}",
                "source": source_of(case.region),
                "type": _TYPE.format(verb),
                "subject": case.case_id,
                "time": _utc(at, zone),
                "sequence": str(number),
                "datacontenttype": "application/json",
                "data": _facts(row, case) if verb == "submitted" else {},
            }


def _facts(row: Row, case: Case) -> dict[str, object]:
    facts: dict[str, object] = {
        "service": case.service,
        "agency": row["Agency"],
        "summary": row["Descriptor"],
    }
    if case.area:
        facts["area"] = case.area
    return facts


def _utc(local: datetime, zone: ZoneInfo) -> str:
    return local.replace(tzinfo=zone).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def source_of(region: str) -> str:
    """Return the source that posts the region's complaints."""
    return f"urn:pemda:{region}:laksa"


class Cell(NamedTuple):
    """A number to be compared: of which region, counted by what, for which value."""

    region: str
    by: str
    value: str


def counts_of(cases: Iterable[Case]) -> Counter[Cell]:
    """Count cases by region and state, service, local day of opening and of closing."""
    counts: Counter[Cell] = Counter()
    for case in cases:
        counts[Cell(case.region, "state", case.state)] += 1
        counts[Cell(case.region, "service", case.service or "")] += 1
        counts[Cell(case.region, "opened", f"{case.opened:%Y-%m-%d}")] += 1
        if case.closed:
            counts[Cell(case.region, "closed", f"{case.closed:%Y-%m-%d}")] += 1
    return counts


def counts_of_file(rows: Iterable[Row]) -> Counter[Cell]:
    """Count the same from the words of the file alone, without a case and without its times.

    A second way to the same numbers, so that a mistake in ``case_of`` cannot hide
    by being made on both sides.
    """
    counts: Counter[Cell] = Counter()
    for row in rows:
        region = REGION_OF_BOROUGH[row["Borough"]]
        opened, closed = _stamp(row["Created Date"]), _stamp(row["Closed Date"])
        acted = _stamp(row["Resolution Action Updated Date"])
        state = "resolved" if closed else "in_progress" if acted >= opened else "received"
        counts[Cell(region, "state", state)] += 1
        counts[Cell(region, "service", row["Complaint Type"])] += 1
        counts[Cell(region, "opened", opened[:10])] += 1
        if closed:
            counts[Cell(region, "closed", closed[:10])] += 1
    return counts


def _stamp(text: str) -> str:
    """Return a time of the file as words that sort: ``2025-03-14 01:20``; none stays empty."""
    if not text:
        return ""
    date, time = text.split(" ")
    month, day, year = date.split("/")
    return f"{year}-{month:0>2}-{day:0>2} {time:0>5}"


def wall_counts_of(cases: Iterable[Case]) -> Counter[Cell]:
    """Count cases as a wall does: all by state, open ones by service and kecamatan."""
    counts: Counter[Cell] = Counter()
    for case in cases:
        counts[Cell(case.region, "by_state", case.state)] += 1
        if case.closed is None:
            if case.service:
                counts[Cell(case.region, "by_service", case.service)] += 1
            if case.area:
                counts[Cell(case.region, "by_area", case.area)] += 1
    return counts
