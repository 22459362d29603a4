"""Folding a run of events into the kept cases and cells of one generation.

The projector does it as events come, the rebuild to catch up beside it. All
writing is in the caller's transaction, so a crash between any two of them
leaves none of them moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from app.database import Connection
from app.domain.cases import (
    ORDER,
    Case,
    CaseKey,
    Flow,
    Folded,
    case_key_of,
    copy_of,
    extend,
    fold_own,
)
from app.domain.cells import Delta, check_conservation
from app.domain.errors import InvariantBroken
from app.domain.events import LoggedEvent
from app.domain.families import meaning_of
from app.domain.region_state import LATEST, feed_line
from app.domain.times import local_day
from app.repositories import cases, cells, event_log
from app.repositories.cells import Heard


@dataclass(slots=True)
class Folding:
    """What folding a run of events changed, beside the tables.

    ``changes`` are the touched cases before (None for a new one) and after.
    ``newest_time`` is the latest event time of the run.
    """

    seq: int
    delta: Delta
    changes: list[tuple[Case | None, Case]]
    latest: list[tuple[int, dict[str, str]]]
    heard: dict[str, Heard]
    newest_time: datetime | None


@dataclass(slots=True)
class _Touched:
    """One touched case: what was kept, what is now, and the flows taken and added."""

    before: Case | None
    after: Case
    removed: list[Flow] = field(default_factory=list)
    added: list[Flow] = field(default_factory=list)


async def fold_run(
    connection: Connection,
    region: str,
    zone: ZoneInfo,
    generation: int,
    families: Mapping[str, str],
    events: Sequence[LoggedEvent],
) -> Folding:
    """Fold a gap-free run of a region's log and keep what follows from it.

    Raises:
        InvariantBroken: the log has a gap, or what was kept does not come from it.
    """
    _check_run(events)
    touched = await _touch_cases(connection, region, generation, families, events)
    delta = _difference(touched.values(), events).without_zeros()
    check_conservation(delta, families)
    heard = _heard(events, zone)
    new = [case.after for case in touched.values() if case.before is None]
    changed = [case.after for case in touched.values() if case.before is not None]
    await cases.add(connection, region, generation, new)
    await cases.save(connection, region, generation, changed)
    await cells.add(connection, region, generation, delta)
    await cells.hear(connection, region, generation, heard)
    return Folding(
        seq=events[-1].seq,
        delta=delta,
        changes=[(case.before, case.after) for case in touched.values()],
        latest=_latest(events, families, touched),
        heard=heard,
        newest_time=max((event.time for event in events), default=None),
    )


def _check_run(events: Sequence[LoggedEvent]) -> None:
    first = events[0].seq
    if any(event.seq != first + place for place, event in enumerate(events)):
        raise InvariantBroken("the log has a gap")


async def _touch_cases(
    connection: Connection,
    region: str,
    generation: int,
    families: Mapping[str, str],
    events: Sequence[LoggedEvent],
) -> dict[CaseKey, _Touched]:
    new: dict[CaseKey, list[LoggedEvent]] = {}
    for event in events:
        key = case_key_of(event, families[event.app])
        if key is not None:
            new.setdefault(key, []).append(event)
    if not new:
        return {}
    kept = await cases.of_keys(connection, region, generation, new)
    touched: dict[CaseKey, _Touched] = {}
    late: set[CaseKey] = set()
    for key, own in new.items():
        if len(own) > 1:
            own.sort(key=ORDER)
        before = kept.get(key)
        if before is not None and before.order is not None and ORDER(own[0]) < before.order:
            late.add(key)
        else:
            touched[key] = _continue(key, families[key.app], before, own)
    if late:
        touched |= await _fold_again(connection, region, families, kept, late, events)
    return touched


def _continue(
    key: CaseKey, family: str, before: Case | None, events: Sequence[LoggedEvent]
) -> _Touched:
    """Continue a case with events that come after all it has seen."""
    folded = Folded(Case(key) if before is None else copy_of(before))
    for event in events:
        extend(folded, event, family)
    return _Touched(before, folded.case, added=list(folded.flows))


async def _fold_again(
    connection: Connection,
    region: str,
    families: Mapping[str, str],
    kept: Mapping[CaseKey, Case],
    late: set[CaseKey],
    events: Sequence[LoggedEvent],
) -> dict[CaseKey, _Touched]:
    """Fold cases anew from the log, because an event came that belongs before its end."""
    wanted = {(key.app, key.case_id) for key in late}
    history = await event_log.of_subjects(connection, region, wanted, events[-1].seq)
    by_key: dict[CaseKey, list[LoggedEvent]] = {key: [] for key in late}
    for event in history:
        key = case_key_of(event, families[event.app])
        if key in by_key:
            by_key[key].append(event)
    touched = {}
    for key, whole in by_key.items():
        family = families[key.app]
        old = fold_own(key, family, [event for event in whole if event.seq < events[0].seq])
        if old.case != kept[key]:
            raise InvariantBroken("a kept case differs from its events")
        new = fold_own(key, family, whole)
        touched[key] = _Touched(kept[key], new.case, list(old.flows), list(new.flows))
    return touched


def _difference(touched: Iterable[_Touched], events: Sequence[LoggedEvent]) -> Delta:
    delta = Delta()
    delta.count_events(events)
    for case in touched:
        app, kind, _ = case.after.key
        if case.before is not None:
            delta.count_case(case.before, -1)
        delta.count_case(case.after, 1)
        delta.count_flows(app, kind, case.removed, -1)
        delta.count_flows(app, kind, case.added, 1)
    return delta


def _latest(
    events: Sequence[LoggedEvent],
    families: Mapping[str, str],
    touched: Mapping[CaseKey, _Touched],
) -> list[tuple[int, dict[str, str]]]:
    lines = []
    for event in [event for event in events if not event.test][-LATEST:]:
        family = families[event.app]
        key = case_key_of(event, family)
        meaning = meaning_of(event.type, family)
        state = meaning.state.code if meaning is not None and meaning.state is not None else None
        case = touched[key].after if key is not None else None
        lines.append((event.seq, feed_line(event, state, case)))
    return lines


def _heard(events: Sequence[LoggedEvent], zone: ZoneInfo) -> dict[str, Heard]:
    """Tell when each source was last heard, and how much on that local day.

    Tests and heartbeats are hearing too, but only what counts is counted.
    """
    heard: dict[str, Heard] = {}
    days: dict[datetime, date] = {}  # those of one request were received at one instant
    for event in events:
        day = days.get(event.received_at)
        if day is None:
            day = days[event.received_at] = local_day(event.received_at, zone)
        count = 0 if event.test else 1
        known = heard.get(event.source)
        if known is None or day > known.day:
            heard[event.source] = Heard(event.received_at, day, count)
        else:
            heard[event.source] = Heard(
                max(known.last_event_at, event.received_at),
                known.day,
                known.today + (count if day == known.day else 0),
            )
    return heard
