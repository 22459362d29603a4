"""Recomputing a region from its log: to prove the numbers, or to make them anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from app.database import Connection
from app.domain.cases import CaseKey, Folded, case_key_of, fold_own
from app.domain.cells import EVENTS, NO_KIND, Delta, FlowKey
from app.domain.events import LoggedEvent
from app.repositories import event_log

#: Subjects folded between two looks at the event loop's other work.
BREATH = 200


async def subjects(
    connection: Connection, region: str, up_to: int
) -> AsyncIterator[list[LoggedEvent]]:
    """Stream a region's log as one list of events per (app, subject)."""
    own: list[LoggedEvent] = []
    async for event in event_log.by_case(connection, region, up_to):
        if own and (event.app, event.subject) != (own[0].app, own[0].subject):
            yield own
            own = []
        own.append(event)
    if own:
        yield own


def fold_subject(events: Sequence[LoggedEvent], families: Mapping[str, str]) -> Iterator[Folded]:
    """Fold every case among the events of one (app, subject): one per kind."""
    by_key: dict[CaseKey, list[LoggedEvent]] = {}
    for event in events:
        key = case_key_of(event, families[event.app])
        if key is not None:
            by_key.setdefault(key, []).append(event)
    for key, own in by_key.items():
        yield fold_own(key, families[key.app], own)


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


async def recompute(
    connection: Connection, region: str, up_to: int, families: Mapping[str, str]
) -> AsyncIterator[tuple[Recomputed, list[Folded]]]:
    """Fold a region's whole log, giving each run of cases as it is done.

    The same ``Recomputed`` comes with each run and is complete with the last;
    an empty log gives one empty run.
    """
    so_far = Recomputed(seq=up_to)
    run: list[Folded] = []
    alone = await event_log.count_without_subject(connection, region, up_to)
    for (app, hour), (counted, events_in_all) in alone.items():
        so_far.cells.flows[FlowKey(app, NO_KIND, EVENTS, hour)] += counted
        so_far.events += events_in_all
    async for events in subjects(connection, region, up_to):
        so_far.events += len(events)
        so_far.cells.count_events(events)
        for folded in fold_subject(events, families):
            if folded.case.state is None:
                so_far.nascent += 1
            else:
                so_far.cases += 1
            so_far.cells.count_case(folded.case, 1)
            app, kind, _ = folded.case.key
            so_far.cells.count_flows(app, kind, folded.flows, 1)
            run.append(folded)
        if len(run) >= BREATH:
            yield so_far, run
            run = []
            await asyncio.sleep(0)
    so_far.cells = so_far.cells.without_zeros()
    yield so_far, run
