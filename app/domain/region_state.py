"""The state document of a region (contract 3.3), a pure function of its parts.

No member is null and there are no arrays, so that every change can be told as
a merge patch; maps that could grow are bounded as a pure function of the cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.cases import FLOW_METRICS, Case, is_open_state
from app.domain.cells import EVENTS, NO_KIND, OPEN_AREA, OPEN_SERVICE, STATE, RegionCells
from app.domain.events import LoggedEvent
from app.domain.fields import REST
from app.domain.regions import kecamatan_of
from app.domain.times import day_span, format_hour, format_instant, hour_of, local_day

#: A wall shows a dozen; a hostile or careless sender could invent thousands.
MAX_SERVICES = 50
LATEST = 10
HOURS = 24

Overdue = Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Region:
    """A tenant as the register knows it."""

    code: str
    name: str
    level: str
    timezone: str

    @property
    def zone(self) -> ZoneInfo:
        """The IANA zone that makes the local day."""
        return ZoneInfo(self.timezone)


@dataclass(slots=True)
class SourceActivity:
    """When a source was last heard, and how much on ``day``, by receipt.

    ``expected_interval`` is how long it may be quiet before it counts as silent.
    """

    expected_interval: timedelta
    last_event_at: datetime | None = None
    day: str = ""
    today: int = 0

    def heard(self, last_event_at: datetime, day: str, n: int) -> None:
        """Count what was received last: ``n`` events on the local day of the last receipt."""
        if self.last_event_at is None or last_event_at > self.last_event_at:
            self.last_event_at = last_event_at
        if day == self.day:
            self.today += n
        elif day > self.day:
            self.day, self.today = day, n

    def silent_from(self) -> datetime | None:
        """Return the instant after which the source counts as silent."""
        if self.last_event_at is None:
            return None
        return self.last_event_at + self.expected_interval

    def status(self, now: datetime) -> str:
        """Return ``never``, ``live`` or ``silent``."""
        limit = self.silent_from()
        if limit is None:
            return "never"
        return "live" if now <= limit else "silent"


def feed_line(event: LoggedEvent, state: str | None, case: Case | None) -> dict[str, str]:
    """Return an event's line in the feed; nothing in it is free text.

    ``state`` is the one the event leads to; service and area are the case's as
    it stood after the event was folded.
    """
    members = {
        "type": event.type,
        "app": event.app,
        "case_id": case.key.case_id if case is not None else None,
        "service": case.service if case is not None else None,
        "area": kecamatan_of(case.area) if case is not None and case.area is not None else None,
        "state": state,
        "time": format_instant(event.time),
    }
    return {name: value for name, value in members.items() if value is not None}


@dataclass(slots=True)
class RegionParts:
    """All that a region's state is made of, beside the clock.

    ``families`` is the family of each app; ``overdue`` counts open cases past
    their due date by (app, kind); ``latest`` is by seq.
    """

    region: Region
    cells: RegionCells
    families: dict[str, str]
    overdue: dict[tuple[str, str], int] = field(default_factory=dict)
    sources: dict[str, SourceActivity] = field(default_factory=dict)
    latest: dict[int, dict[str, str]] = field(default_factory=dict)
    demo: bool = False


def build(parts: RegionParts, now: datetime) -> dict[str, Any]:
    """Return the region's state document at ``now``."""
    zone = parts.region.zone
    day = local_day(now, zone)
    span = day_span(day, zone)
    document: dict[str, Any] = {
        "region": {
            "code": parts.region.code,
            "name": parts.region.name,
            "timezone": parts.region.timezone,
            "level": parts.region.level,
        },
        "day": day.isoformat(),
        "apps": _apps(parts, span),
        "events_today": _events_today(parts.cells, span),
        "hours": _hours(parts.cells, now),
        "sources": {
            urn: _source(activity, day.isoformat(), now)
            for urn, activity in sorted(parts.sources.items())
        },
        "latest": {str(seq): line for seq, line in sorted(parts.latest.items())},
    }
    if parts.demo:
        document["demo"] = True
    return document


def _apps(parts: RegionParts, span: tuple[datetime, datetime]) -> dict[str, Any]:
    apps: dict[str, Any] = {}
    for (app, kind), metrics in sorted(parts.cells.gauges.items()):
        by_state = metrics.get(STATE)
        if by_state:
            overdue = parts.overdue.get((app, kind), 0)
            family = parts.families[app]
            apps.setdefault(app, {})[kind] = {
                "open": sum(n for s, n in by_state.items() if is_open_state(family, kind, s)),
                "overdue": overdue,
                "by_state": dict(sorted(by_state.items())),
                "by_service": bounded(metrics.get(OPEN_SERVICE, {})),
                "by_area": dict(sorted(metrics.get(OPEN_AREA, {}).items())),
                "today": _today(parts.cells, app, kind, span),
            }
    return apps


def bounded(counts: Mapping[str, int], most: int = MAX_SERVICES) -> dict[str, int]:
    """Return the largest counts, equal ones by name, and the rest as one sum.

    >>> bounded({"a": 1, "b": 3, "c": 1}, most=2)
    {'a': 1, 'b': 3, '_rest': 1}
    """
    if len(counts) <= most:
        return dict(sorted(counts.items()))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    kept = dict(sorted(ranked[:most]))
    kept[REST] = sum(n for _, n in ranked[most:])
    return kept


def _today(
    cells: RegionCells, app: str, kind: str, span: tuple[datetime, datetime]
) -> dict[str, int]:
    sums = {metric: cells.flow_sum(app, kind, metric, *span) for metric in FLOW_METRICS}
    return {metric: n for metric, n in sums.items() if n}


def _events_today(cells: RegionCells, span: tuple[datetime, datetime]) -> dict[str, int]:
    apps = sorted(app for app, kind, metric in cells.flows if (kind, metric) == (NO_KIND, EVENTS))
    sums = {app: cells.flow_sum(app, NO_KIND, EVENTS, *span) for app in apps}
    return {app: n for app, n in sums.items() if n}


def _hours(cells: RegionCells, now: datetime) -> dict[str, dict[str, int]]:
    """Sum what was opened and closed over all apps in each of the last 24 hours."""
    last = hour_of(now)
    first = last - timedelta(hours=HOURS - 1)
    hours: dict[datetime, dict[str, int]] = {}
    for (_, kind, metric), counts in cells.flows.items():
        if kind == NO_KIND or metric not in ("opened", "closed"):
            continue
        for hour, n in counts.items():
            if first <= hour <= last:
                row = hours.setdefault(hour, {})
                row[metric] = row.get(metric, 0) + n
    return {format_hour(hour): hours[hour] for hour in sorted(hours)}


def _source(activity: SourceActivity, today: str, now: datetime) -> dict[str, Any]:
    line: dict[str, Any] = {
        "status": activity.status(now),
        "today": activity.today if activity.day == today else 0,
    }
    if activity.last_event_at is not None:
        line["last_event_at"] = format_instant(activity.last_event_at)
    return line


def newest(latest: Iterable[tuple[int, dict[str, str]]]) -> dict[int, dict[str, str]]:
    """Return the newest lines of the feed, as many as the document shows."""
    return dict(sorted(latest, key=lambda item: item[0])[-LATEST:])


def next_change(parts: RegionParts, now: datetime, next_due: datetime | None) -> datetime:
    """Return the first instant after ``now`` at which the clock alone changes the document.

    That is the next full hour, at which the last 24 hours move on and the local
    day may end; or a source falling silent; or the next case past its due date.
    """
    moments = [hour_of(now) + timedelta(hours=1)]
    for activity in parts.sources.values():
        limit = activity.silent_from()
        if limit is not None:
            moments.append(limit + timedelta(microseconds=1))
    if next_due is not None:
        moments.append(next_due)
    return min(moment for moment in moments if moment > now)


def summary(state: Mapping[str, Any], seq: int) -> dict[str, Any]:
    """Return a region's line in the network's state, from its own state document."""
    kinds = [kind for app in state["apps"].values() for kind in app.values()]
    today: dict[str, int] = {}
    for kind in kinds:
        for metric, n in kind["today"].items():
            today[metric] = today.get(metric, 0) + n
    return {
        "name": state["region"]["name"],
        "open": sum(kind["open"] for kind in kinds),
        "overdue": sum(kind["overdue"] for kind in kinds),
        "today": {metric: today[metric] for metric in FLOW_METRICS if metric in today},
        "sources_silent": sum(s["status"] == "silent" for s in state["sources"].values()),
        "seq": seq,
    }


def network(summaries: Mapping[str, Mapping[str, Any]], *, demo: bool) -> dict[str, Any]:
    """Return the network's state document from the regions' summaries by code."""
    today: dict[str, int] = {}
    for line in summaries.values():
        for metric, n in line["today"].items():
            today[metric] = today.get(metric, 0) + n
    lines = summaries.values()
    document: dict[str, Any] = {
        "regions": {code: dict(summaries[code]) for code in sorted(summaries)},
        "totals": {
            "regions": len(summaries),
            "open": sum(line["open"] for line in lines),
            "overdue": sum(line["overdue"] for line in lines),
            "today": {metric: today[metric] for metric in FLOW_METRICS if metric in today},
            "sources_silent": sum(line["sources_silent"] for line in lines),
        },
    }
    if demo:
        document["demo"] = True
    return document
