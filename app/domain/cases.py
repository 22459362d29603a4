"""The fold: a case is a pure function of the set of its events.

Events are ordered by (time, sequence, id); nothing depends on when they
arrived. A case that is kept can be continued by an event that comes after all
it has seen (``Case.order``); an earlier one needs the whole set again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from app.domain.errors import InvalidParameter
from app.domain.events import LoggedEvent
from app.domain.families import FAMILIES, Meaning, meaning_of
from app.domain.regions import parse_region_code
from app.domain.times import hour_of, parse_instant

EventOrder = tuple[datetime, int, str, str]
#: ``LoggedEvent.order`` for many, without a call of Python's for each.
ORDER: Callable[[LoggedEvent], EventOrder] = attrgetter("time", "sequence", "id", "source")


class CaseKey(NamedTuple):
    """What names a case within its region."""

    app: str
    kind: str
    case_id: str


class Flow(NamedTuple):
    """One thing that happened to a case, counted in the hour it happened."""

    metric: str
    hour: datetime


#: Every flow that a case can contribute to, in the order of the contract.
FLOW_METRICS = ("opened", "first_responded", "closed", "resolved", "reopened")


@dataclass(slots=True)
class Case:
    """A case as far as its events tell. ``state`` is None before any state event.

    ``order`` is that of the last event folded, so that a later event can
    continue from here.
    """

    key: CaseKey
    order: EventOrder | None = None
    state: str | None = None
    open: bool = False
    opened_at: datetime | None = None
    first_response_at: datetime | None = None
    closed_at: datetime | None = None
    reopen_count: int = 0
    service: str | None = None
    area: str | None = None
    agency: str | None = None
    channel: str | None = None
    reason: str | None = None
    due_at: datetime | None = None
    fee_idr: int | None = None
    tariff_idr: int | None = None
    rating: int | None = None
    duplicate_of: str | None = None

    def overdue(self, now: datetime) -> bool:
        """Say whether the case is open and its due date has passed."""
        return self.open and self.due_at is not None and self.due_at <= now


_members = attrgetter(*(member.name for member in fields(Case)))


@dataclass(slots=True)
class Folded:
    """A case and the flows that its events made, in order."""

    case: Case
    flows: list[Flow] = field(default_factory=list)


#: Fields of an event's data that a case takes, and their form.
_FIELDS: Mapping[str, Any] = {
    **dict.fromkeys(("service", "agency", "channel", "reason", "duplicate_of"), str),
    **dict.fromkeys(("area", "due_at"), str),
    **dict.fromkeys(("fee_idr", "tariff_idr", "rating"), int),
}


def case_key_of(event: LoggedEvent, family: str) -> CaseKey | None:
    """Return the case that an event belongs to, or nothing for ``other`` and tests."""
    meaning = meaning_of(event.type, family)
    if meaning is None or event.subject is None or event.test:
        return None
    return CaseKey(event.app, meaning.kind.code, event.subject)


def fold(key: CaseKey, family: str, events: Iterable[LoggedEvent]) -> Folded:
    """Fold a case from the set of its events, whatever their order.

    Events of other kinds with the same subject are passed over.
    """
    return fold_own(key, family, (e for e in events if case_key_of(e, family) == key))


def fold_own(key: CaseKey, family: str, events: Iterable[LoggedEvent]) -> Folded:
    """Fold a case from the set of its events, of which none is another's."""
    folded = Folded(Case(key))
    for event in sorted(events, key=ORDER):
        extend(folded, event, family)
    return folded


def extend(folded: Folded, event: LoggedEvent, family: str) -> None:
    """Continue a fold with an event that comes after all it has seen."""
    meaning = meaning_of(event.type, family)
    if meaning is None:
        raise ValueError("the event belongs to no case")
    case = folded.case
    case.order = ORDER(event)
    _take_fields(case, event.data)
    if meaning.state is not None:
        _move(folded, meaning, event.time)


def copy_of(case: Case) -> Case:
    """Return a case that can be continued without changing the first."""
    return Case(*_members(case))  # a fifth of what `replace` takes, for every event of a kept case


def _move(folded: Folded, meaning: Meaning, at: datetime) -> None:
    case, state = folded.case, meaning.state
    assert state is not None  # noqa: S101 - the caller asked
    if case.state is None:
        # The first state event opens the case, even when its state is a closed one.
        case.opened_at, case.open = at, True
        folded.flows.append(Flow("opened", hour_of(at)))
    elif not case.open and state.open:
        case.closed_at, case.open = None, True
        case.reopen_count += 1
        folded.flows.append(Flow("reopened", hour_of(at)))
    if case.first_response_at is None and state.code != meaning.kind.first_state.code:
        case.first_response_at = at
        folded.flows.append(Flow("first_responded", hour_of(at)))
    if case.open and not state.open:
        case.closed_at, case.open = at, False
        hour = hour_of(at)
        folded.flows.append(Flow("closed", hour))
        if state.success:
            folded.flows.append(Flow("resolved", hour))
    case.state = state.code


def _take_fields(case: Case, data: Mapping[str, Any]) -> None:
    """Take the fields that an event gives; the last event that gives one wins.

    Data was checked at the door, but the log outlives the checks of its day,
    so a field of another form counts as not given.
    """
    for name, value in data.items():
        kind = _FIELDS.get(name)
        if kind is None or type(value) is not kind:
            continue
        if name == "area":
            with suppress(InvalidParameter):
                case.area = parse_region_code(value)
        elif name == "due_at":
            with suppress(ValueError):
                case.due_at = parse_instant(value)
        else:
            setattr(case, name, value)


def is_open_state(family: str, kind: str, state: str) -> bool:
    """Say whether a state of a kind counts as backlog."""
    return FAMILIES[family].kinds[kind].states()[state].open
