"""A flood night: where it falls, and what frightened people and broken networks do to posts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from app.simulator.dice import Dice
from app.simulator.hours import HOUR, MINUTE
from app.simulator.poster import Poster
from app.simulator.source import Event, Source
from app.simulator.times import instant

#: How long it rains, in simulated hours from the start of the run.
HOURS = 6
#: The app that people turn to.
APP = "laksa"
#: The phone network comes back for a moment so often, and takes along what waited.
_NETWORK_BACK = 2 * MINUTE
#: How far back the events of a late batch lie.
_DARK_SHORTEST, _DARK_LONGEST = 60 * MINUTE, 150 * MINUTE


class Kind(Enum):
    """How an event of the storm is sent."""

    #: Once, or the first of several times.
    FIRST = "first"
    #: Posted again by somebody who saw no reaction.
    AGAIN = "again"
    #: Posted twice at the same moment, on two connections.
    AT_ONCE = "at_once"
    #: Posted, the answer lost on its way, and posted again.
    LOST_ANSWER = "lost_answer"
    #: Kept on a phone without network, sent in a batch an hour or more later.
    LATE = "late"


class Sending(NamedTuple):
    """How an event of the storm is sent; follows from its id and source.

    ``again`` are the milliseconds after which it is posted again.
    """

    kind: Kind
    dark: int = 0
    again: tuple[int, ...] = ()


#: Of a hundred reports, so many are sent in each way; officials send as always.
_LATE, _AGAIN, _AT_ONCE, _LOST = 20, 25, 15, 10


def sending_of(event: Event) -> Sending:
    """Return how an event of the storm is sent."""
    if not str(event["type"]).endswith(".submitted.v1"):
        return Sending(Kind.FIRST)
    dice = Dice(f"{event['source']}|{event['id']}|storm")
    fate = dice.below(100)
    if fate < _LATE:
        span = _DARK_LONGEST - _DARK_SHORTEST
        return Sending(Kind.LATE, _DARK_SHORTEST + int(dice.fraction() * span))
    fate -= _LATE
    if fate < _AGAIN:
        times = 1 + dice.below(4)
        return Sending(Kind.FIRST, again=tuple(int(dice.about(8) * 1000) for _ in range(times)))
    fate -= _AGAIN
    if fate < _AT_ONCE:
        return Sending(Kind.AT_ONCE)
    return Sending(Kind.LOST_ANSWER if fate < _AT_ONCE + _LOST else Kind.FIRST)


def sent_late(event: Event, at: int, dark: int) -> int:
    """Date an event back to when its phone had no network; return when it comes."""
    back = -(-at // _NETWORK_BACK) * _NETWORK_BACK
    event["time"] = instant(at - dark)
    event["recordedtime"] = instant(back)
    return back


def fall_on(sources: Sequence[Source], wanted: Collection[str] | None, start: int) -> list[Source]:
    """Return the sources with a storm from ``start`` on, in the areas wanted.

    By default it falls on one stretch of each region: a sixth of its kecamatan,
    neighbours in the register, which ones follows from the seed.

    Raises:
        ValueError: an area is no kecamatan of a region whose reports are played.
    """
    there = {area for source in sources if source.app == APP for area in source.areas}
    if not there or not there.issuperset(wanted or ()):
        raise ValueError("a storm falls on kecamatan of regions whose LAKSA takes part")
    hour = start // HOUR
    return [
        replace(source, storm=(hour, hour + HOURS), storm_areas=_hit(source, wanted))
        if source.app == APP
        else source
        for source in sources
    ]


def _hit(source: Source, wanted: Collection[str] | None) -> tuple[str, ...]:
    if wanted is not None:
        return tuple(area for area in source.areas if area in wanted)
    count = len(source.areas)
    first = Dice(f"{source.key()}|storm").below(count) if count else 0
    return tuple(
        sorted(source.areas[(first + i) % count] for i in range(max(1, count // 6)) if count)
    )


@dataclass(slots=True)
class StormAccounts:
    """What was sent because of a storm, of which kind, and what the server answered."""

    areas: list[str]
    sent: Counter[Kind] = field(default_factory=Counter)
    late_batches: int = 0
    receipts: dict[Kind, Counter[str]] = field(default_factory=dict)

    def answered(self, kind: Kind, receipts: Mapping[str, int]) -> None:
        """Count what the server answered to events of a kind."""
        self.receipts.setdefault(kind, Counter()).update(receipts)

    def as_dict(self) -> dict[str, object]:
        """Return the accounts as one JSON object; kinds in their own order."""
        return {
            "areas": self.areas,
            "sent": {kind.value: self.sent[kind] for kind in Kind},
            "late_batches": self.late_batches,
            "receipts": {
                kind.value: {name: n for name, n in sorted(self.receipts[kind].items()) if n}
                for kind in Kind
                if kind in self.receipts
            },
        }


class _Delivery(NamedTuple):
    """One sending of one event."""

    at: int
    order: int
    kind: Kind
    event: Event


class StormOutbox:
    """Events of a storm that wait to be sent, in the order of their sending."""

    def __init__(self) -> None:
        self._waiting: list[_Delivery] = []
        self._order = count()

    def put(self, at: int, event: Event) -> None:
        """Take up an event that happened at the instant."""
        sending = sending_of(event)
        if sending.kind is Kind.LATE:
            self._put(sent_late(event, at, sending.dark), Kind.LATE, event)
            return
        self._put(at, sending.kind, event)
        for after in sending.again:
            self._put(at + after, Kind.AGAIN, event)

    def _put(self, at: int, kind: Kind, event: Event) -> None:
        heappush(self._waiting, _Delivery(at, next(self._order), kind, event))

    def due(self, now: int | None) -> dict[Kind, list[Event]]:
        """Return what is to be sent by now, by kind; with None, all that waits."""
        found: dict[Kind, list[Event]] = {}
        while self._waiting and (now is None or self._waiting[0].at <= now):
            delivery = heappop(self._waiting)
            found.setdefault(delivery.kind, []).append(delivery.event)
        return found

    def next_at(self) -> int | None:
        """Return the instant of the next sending."""
        return self._waiting[0].at if self._waiting else None


async def send(poster: Poster, kind: Kind, batch: Sequence[Event], accounts: StormAccounts) -> None:
    """Send a batch of one kind as its kind is sent, and keep the accounts."""
    accounts.sent[kind] += len(batch)
    match kind:
        case Kind.AT_ONCE:
            both = await asyncio.gather(poster.post(batch), poster.post(batch))
            for receipts in both:
                accounts.answered(kind, receipts)
            return
        case Kind.LOST_ANSWER:
            await poster.post_unheard(batch)
        case Kind.LATE:
            accounts.late_batches += 1
    accounts.answered(kind, await poster.post(batch))
