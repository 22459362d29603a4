"""Recomputing a region from its log: to prove the numbers, or to make them anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from app.database import Connection
from app.domain.cases import CaseKey, Folded, case_key_of, fold_own
from app.domain.cells import EVENTS, NO_KIND, Delta, FlowKey
from app.domain.events import LoggedEvent
from app.repositories import event_log


async def subjects(
    connection: Connection, region: str, up_to: int
) -> AsyncIterator[list[LoggedEvent]]:
    """Give a region's log in parts that hold all events of each (app, subject) in them."""
    read: list[LoggedEvent] = []
    async for page in event_log.by_case(connection, region, up_to):
        start = len(read)
        read += page
        # Of the last subject there may be more on the next page.
        end = _last_subject(read, start)
        if end:
            yield read[:end]
            read = read[end:]
    if read:
        yield read


def _last_subject(events: Sequence[LoggedEvent], start: int) -> int:
    """Return where the last subject begins; all before ``start`` are of one subject."""
    last = events[-1]
    place = len(events) - 1
    while place >= max(start, 1):
        before = events[place - 1]
        if before.subject != last.subject or before.app != last.app:
            return place
        place -= 1
    return 0


def fold_subjects(events: Sequence[LoggedEvent], families: Mapping[str, str]) -> list[Folded]:
    """Fold every case among events that are all there are of their subjects."""
    by_key: dict[CaseKey, list[LoggedEvent]] = {}
    for event in events:
        key = case_key_of(event, families[event.app])
        if key is not None:
            by_key.setdefault(key, []).append(event)
    return [fold_own(key, families[key.app], own) for key, own in by_key.items()]


@dataclass(slots=True)
class Recomputed:
    """What a region's log says up to ``seq``. ``cells`` are all that are not zero.

    ``nascent`` are cases that no state event has opened yet; they count nowhere.
    """

    seq: int
    events: int = 0
    cases: int = 0
    nascent: int = 0
    cells: Delta = field(default_factory=Delta)

    def count(self, events: Sequence[LoggedEvent], run: Sequence[Folded]) -> None:
        """Count events and the cases that were folded of them."""
        nascent = sum(folded.case.state is None for folded in run)
        self.events += len(events)
        self.nascent += nascent
        self.cases += len(run) - nascent
        self.cells.count_events(events)
        for folded in run:
            self.cells.count_case(folded.case, 1)
            app, kind, _ = folded.case.key
            self.cells.count_flows(app, kind, folded.flows, 1)


async def recompute(
    connection: Connection, region: str, up_to: int, families: Mapping[str, str]
) -> AsyncIterator[tuple[Recomputed, list[Folded]]]:
    """Fold a region's whole log, giving each run of cases as it is done.

    The same ``Recomputed`` comes with each run and is complete with the last,
    which is empty.
    """
    so_far = Recomputed(seq=up_to)
    alone = await event_log.count_without_subject(connection, region, up_to)
    for (app, hour), (counted, events_in_all) in alone.items():
        so_far.cells.flows[FlowKey(app, NO_KIND, EVENTS, hour)] += counted
        so_far.events += events_in_all
    async for events in subjects(connection, region, up_to):
        run = fold_subjects(events, families)
        so_far.count(events, run)
        yield so_far, run
        await asyncio.sleep(0)  # an api that verifies has others to answer
    so_far.cells = so_far.cells.without_zeros()
    yield so_far, []
