"""Reading: states, cases and the event feed."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.database import Engine, lookup, snapshot, transaction
from app.domain.cases import Case, CaseKey, case_key_of
from app.domain.errors import InvalidParameter, UnknownCase, UnknownRegion
from app.domain.events import LoggedEvent
from app.domain.families import meaning_of
from app.domain.times import Clock, format_instant, parse_instant
from app.repositories import cases, event_log, frames, register
from app.repositories.cases import Filter
from app.repositories.frames import NETWORK, region_channel
from app.repositories.frames import Projection as StateReading
from app.repositories.register import Tenant

__all__ = [
    "NETWORK",
    "CasePage",
    "Filter",
    "HistoryLine",
    "StateReading",
    "Tenant",
    "list_cases",
    "list_regions",
    "read_case",
    "read_events",
    "read_region",
    "region_channel",
]


async def list_regions(engine: Engine) -> list[Tenant]:
    """Return the regions of this installation."""
    async with lookup(engine) as connection:
        return await register.tenants(connection)


async def lengths(engine: Engine) -> dict[str, int]:
    """Return how many events each region's log has."""
    async with lookup(engine) as connection:
        return {region: end.head for region, end in (await event_log.ends(connection)).items()}


async def read_region(engine: Engine, code: str) -> tuple[Tenant, dict[str, str]]:
    """Return a region and the names of its kecamatan by code."""
    async with lookup(engine) as connection:
        found = await register.tenants(connection, code)
        if not found:
            raise UnknownRegion("no such region is registered here", field="region")
        return found[0], await register.kecamatan(connection, code)


@dataclass(frozen=True, slots=True)
class CasePage:
    """One page of cases and the cursor of the next, if there is one."""

    cases: Sequence[Case]
    next_cursor: str | None


async def list_cases(
    engine: Engine, clock: Clock, region: str, wanted: Filter, cursor: str | None, limit: int
) -> CasePage:
    """Return a region's cases, newest opening first.

    Raises:
        InvalidParameter: the cursor is not one that an earlier page gave.
    """
    wanted = replace(wanted, before=_read_cursor(cursor) if cursor else None)
    async with transaction(engine) as connection:
        found = await cases.listed(connection, region, wanted, clock(), limit + 1)
    page = found[:limit]
    return CasePage(page, _write_cursor(page[-1]) if len(found) > limit else None)


def _write_cursor(case: Case) -> str:
    assert case.opened_at is not None  # noqa: S101 - only opened cases are listed
    place = [format_instant(case.opened_at), *case.key]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, str, str, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        opened_at, app, kind, case_id = json.loads(base64.urlsafe_b64decode(padded))
        if not all(isinstance(part, str) and "\x00" not in part for part in (app, kind, case_id)):
            raise ValueError
        (app + kind + case_id).encode()
        return parse_instant(opened_at), app, kind, case_id
    except (ValueError, TypeError, RecursionError):
        raise InvalidParameter("not a cursor of an earlier page", field="cursor") from None


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One event of a case and the state it led to, if any."""

    event: LoggedEvent
    state: str | None


async def read_case(
    engine: Engine, region: str, key: CaseKey
) -> tuple[Case, Sequence[HistoryLine]]:
    """Return a case and its events in the order in which they are folded.

    Raises:
        UnknownCase: the region has no such case.
    """
    async with snapshot(engine) as connection:
        case = await cases.read(connection, region, key)
        projection = await frames.read(connection, region_channel(region))
        if case is None or projection is None:
            raise UnknownCase("the region has no such case")
        families = await register.families(connection)
        family = families[key.app]
        events = await event_log.of_subjects(
            connection, region, [(key.app, key.case_id)], projection.seq
        )
    own = sorted(
        (event for event in events if case_key_of(event, family) == key),
        key=lambda event: event.order,
    )
    return case, [HistoryLine(event, _state(event, family)) for event in own]


def _state(event: LoggedEvent, family: str) -> str | None:
    meaning = meaning_of(event.type, family)
    return meaning.state.code if meaning is not None and meaning.state is not None else None


async def read_events(
    engine: Engine, region: str, after: int, limit: int
) -> Sequence[tuple[int, str]]:
    """Return (seq, event as masked JSON text) of a region's next events, in seq order.

    Raises:
        UnknownRegion: the region has no log here.
    """
    async with transaction(engine) as connection:
        if await event_log.head(connection, region) is None:
            raise UnknownRegion("no such region is registered here", field="region")
        return await event_log.feed(connection, region, after, limit)
