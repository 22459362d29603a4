"""Flows over time, as a chart draws them: bounded, without gaps, at one place of the log."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from app.database import Connection, Engine, snapshot
from app.domain.cases import FLOW_METRICS, CaseKey, case_key_of, fold
from app.domain.cells import EVENTS
from app.domain.errors import InvalidParameter, UnknownRegion
from app.domain.events import LoggedEvent
from app.domain.families import FAMILIES
from app.domain.regions import parse_region_code
from app.domain.times import Clock, day_span, hour_of, local_day, parse_instant
from app.repositories import event_log, frames, register, series
from app.repositories.frames import Projection, region_channel
from app.repositories.series import Cut

#: What can be asked: the flows of cases, and events of every type but tests.
METRICS = (*FLOW_METRICS, EVENTS)
Bucket = Literal["hour", "day"]
HOUR = timedelta(hours=1)
#: No screen is wider; 166 days of hours, or eleven years of days.
MOST_POINTS = 4_000
#: Where no beginning is named: as far back as the wall's own chart, or a month.
USUAL_POINTS: Mapping[Bucket, int] = {"hour": 24, "day": 30}
#: Cases folded for one answer, about two seconds of work: more would keep others waiting.
MOST_MOVED = 10_000
#: Cases folded between two looks at the event loop's other work.
BREATH = 200
#: Nothing happens before the earliest event, nor where adding a day leaves the calendar.
YEARS = range(1999, 9999)

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader asks for; ``start`` and ``end`` are instants or local days, as text."""

    metric: str
    bucket: Bucket
    start: str | None = None
    end: str | None = None
    app: str | None = None
    kind: str | None = None
    service: str | None = None
    area: str | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """A flow in [start, end): ``points`` has the start and the count of every bucket, in order.

    The numbers are those of ``epoch`` at ``seq``, as in the region's state.
    """

    region: str
    timezone: str
    epoch: str
    seq: int
    head: int
    current_at: datetime
    start: datetime
    end: datetime
    points: list[tuple[datetime, int]]


async def read_series(engine: Engine, clock: Clock, region: str, wanted: Wanted) -> Series:
    """Return a flow of a region over time, all from one moment of the database.

    Raises:
        UnknownRegion: the region has no log here.
        InvalidParameter: nothing can be counted so; ``field`` says which parameter is wrong.
    """
    async with snapshot(engine) as connection:
        found = await register.tenants(connection, region)
        projection = await frames.read(connection, region_channel(region))
        if not found or projection is None or found[0].region.timezone is None:
            raise UnknownRegion("no such region is registered here", field="region")
        zone = ZoneInfo(found[0].region.timezone)
        edges = _edges(wanted, zone, clock())
        cut = await _cut(connection, region, wanted, edges, zone)
        counts = await _counts(connection, region, projection, cut)
    return Series(
        region=region,
        timezone=zone.key,
        epoch=projection.epoch,
        seq=projection.seq,
        head=projection.head,
        current_at=projection.current_at,
        start=edges[0],
        end=edges[-1],
        points=[(at, counts.get(at, 0)) for at in edges[:-1]],
    )


# --- when -----------------------------------------------------------------------------


def _edges(wanted: Wanted, zone: ZoneInfo, now: datetime) -> list[datetime]:
    """Return where the buckets begin, and where the last one ends.

    What is asked for is widened to whole buckets: a cell is an hour, not less.
    """
    end = _moment(wanted.end, "to", zone) or now
    start = _moment(wanted.start, "from", zone)
    if start is None:
        # As many buckets as usual, the one in which the end lies among them.
        back = HOUR if wanted.bucket == "hour" else timedelta(days=1)
        start = end - timedelta(microseconds=1) - back * (USUAL_POINTS[wanted.bucket] - 1)
    if start >= end:
        raise InvalidParameter("must be before `to`, which is now unless given", field="from")
    if wanted.bucket == "hour":
        return _hours(start, end)
    return _days(local_day(start, zone), local_day(end - timedelta(microseconds=1), zone), zone)


def _moment(text: str | None, field: str, zone: ZoneInfo) -> datetime | None:
    """Read an instant, or a local day, which is its first instant."""
    if text is None:
        return None
    try:
        if int(text[:4]) not in YEARS:
            raise ValueError
        if _DAY.fullmatch(text):
            return day_span(date.fromisoformat(text), zone)[0]
        return parse_instant(text)
    except ValueError:
        raise InvalidParameter(
            "not a day such as 2026-11-21, nor an RFC 3339 instant (its + is %2B in an address)",
            field=field,
        ) from None


def _hours(start: datetime, end: datetime) -> list[datetime]:
    first = hour_of(start)
    last = hour_of(end - timedelta(microseconds=1))
    _check_length((last - first) // HOUR + 1)
    return [first + HOUR * n for n in range((last - first) // HOUR + 2)]


def _days(first: date, last: date, zone: ZoneInfo) -> list[datetime]:
    _check_length((last - first).days + 1)
    return [day_span(first + timedelta(days=n), zone)[0] for n in range((last - first).days + 2)]


def _check_length(points: int) -> None:
    if points > MOST_POINTS:
        raise InvalidParameter(
            f"more than {MOST_POINTS} points: ask for a shorter time, or for days", field="from"
        )


# --- of whom --------------------------------------------------------------------------


async def _cut(
    connection: Connection, region: str, wanted: Wanted, edges: list[datetime], zone: ZoneInfo
) -> Cut:
    _check_events(wanted)
    _check_kind(wanted, await register.families(connection))
    return Cut(
        metric=wanted.metric,
        bucket=wanted.bucket,
        zone=zone.key,
        start=edges[0],
        end=edges[-1],
        app=wanted.app,
        kind=wanted.kind,
        service=wanted.service,
        area=await _area(connection, region, wanted.area),
    )


def _check_events(wanted: Wanted) -> None:
    if wanted.metric != EVENTS:
        return
    for field in ("kind", "service", "area"):
        if getattr(wanted, field) is not None:
            raise InvalidParameter("events are counted by app alone", field=field)


def _check_kind(wanted: Wanted, families: Mapping[str, str]) -> None:
    if wanted.app is not None and wanted.app not in families:
        raise InvalidParameter("no such app is registered here", field="app")
    possible = [families[wanted.app]] if wanted.app is not None else [*FAMILIES]
    if wanted.kind is not None and not any(wanted.kind in FAMILIES[f].kinds for f in possible):
        raise InvalidParameter("no such kind of case", field="kind")


async def _area(connection: Connection, region: str, text: str | None) -> str | None:
    """Return the code of a kecamatan or kelurahan of the region."""
    if text is None:
        return None
    code = parse_region_code(text, field="area")
    if not code.startswith(f"{region}.") or not await series.is_area(connection, code):
        raise InvalidParameter("not a kecamatan or kelurahan of this region", field="area")
    return code


# --- how many -------------------------------------------------------------------------


async def _counts(
    connection: Connection, region: str, projection: Projection, cut: Cut
) -> Mapping[datetime, int]:
    """Count by bucket: from the cells, or from the cases where cells are too coarse.

    A case counts under the service and the area that it has now, as everywhere.
    """
    generation = projection.generation
    if cut.service is None and cut.area is None:
        return await series.of_cells(connection, region, generation, cut)
    if series.is_counted_once(cut.metric):
        return await series.of_cases(connection, region, generation, cut)
    keys = await series.moved(connection, region, generation, cut, MOST_MOVED + 1)
    if len(keys) > MOST_MOVED:
        raise InvalidParameter(
            f"more than {MOST_MOVED} cases of that service or area moved: ask for a shorter time",
            field="from",
        )
    return await _of_moves(connection, region, projection.seq, keys, cut)


async def _of_moves(
    connection: Connection, region: str, seq: int, keys: set[CaseKey], cut: Cut
) -> Counter[datetime]:
    """Count closings or reopenings of cases, each folded from its own events."""
    counts: Counter[datetime] = Counter()
    families = await register.families(connection)
    zone = ZoneInfo(cut.zone)
    remaining = iter(sorted(keys))
    while some := list(itertools.islice(remaining, BREATH)):
        pairs = {(key.app, key.case_id) for key in some}
        events = await event_log.of_subjects(connection, region, pairs, seq)
        by_key = _by_case(events, families)
        for key in some:
            for flow in fold(key, families[key.app], by_key[key]).flows:
                if flow.metric == cut.metric and cut.start <= flow.hour < cut.end:
                    counts[_bucket(flow.hour, cut.bucket, zone)] += 1
        await asyncio.sleep(0)
    return counts


def _by_case(
    events: list[LoggedEvent], families: Mapping[str, str]
) -> dict[CaseKey, list[LoggedEvent]]:
    found: dict[CaseKey, list[LoggedEvent]] = {}
    for event in events:
        key = case_key_of(event, families[event.app])
        if key is not None:
            found.setdefault(key, []).append(event)
    return found


def _bucket(hour: datetime, bucket: str, zone: ZoneInfo) -> datetime:
    return hour if bucket == "hour" else day_span(local_day(hour, zone), zone)[0]
