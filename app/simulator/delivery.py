"""When an event is delivered: mostly at once, some late, some twice."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from app.simulator.dice import Dice
from app.simulator.hours import HOUR, MINUTE
from app.simulator.source import Event
from app.simulator.times import instant


class Mode(Enum):
    """The three ways of CloudEvents over HTTP."""

    BATCH = "batch"
    STRUCTURED = "structured"
    BINARY = "binary"


#: A form filled in on paper reaches the system the same day.
LATEST = 6 * HOUR
#: Events that come singly in the modes for single ones; all others go in batches.
_STRUCTURED, _BINARY = 0.10, 0.05


class Delivery(NamedTuple):
    """One delivery of one event."""

    at: int
    order: int
    event: Event


class Habits(NamedTuple):
    """How an event is delivered; follows from its id and source."""

    late: int
    again: int | None
    mode: Mode


def habits_of(event: Event) -> Habits:
    """Return how the event is delivered: ms late, ms until a repetition, and the mode."""
    dice = Dice(f"{event['source']}|{event['id']}")
    late = 0
    if dice.chance(0.03):
        late = 5 * MINUTE + int(dice.fraction() ** 2 * (LATEST - 5 * MINUTE))
    again = int(dice.about(2) * MINUTE) if dice.chance(0.03) else None
    return Habits(late, again, _mode(dice.fraction(), event))


def _mode(share: float, event: Event) -> Mode:
    # A header cannot say whether "true" is a word or a truth, so tests are never binary.
    if share < _BINARY and "test" not in event:
        return Mode.BINARY
    return Mode.STRUCTURED if share < _BINARY + _STRUCTURED else Mode.BATCH


class Outbox:
    """Events that have happened and wait for their delivery, in its order."""

    def __init__(self) -> None:
        self._waiting: list[Delivery] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, at: int, event: Event) -> None:
        """Take up an event that happened at the instant."""
        habits = habits_of(event)
        delivered = at + habits.late
        if habits.late:
            event["recordedtime"] = instant(delivered)
        heappush(self._waiting, Delivery(delivered, next(self._order), event))
        if habits.again is not None:
            heappush(self._waiting, Delivery(delivered + habits.again, next(self._order), event))

    def due(self, now: int | None) -> Iterable[Event]:
        """Yield what is to be delivered by now; with None, all that waits."""
        while self._waiting and (now is None or self._waiting[0].at <= now):
            yield heappop(self._waiting).event

    def next_at(self) -> int | None:
        """Return the instant of the next delivery."""
        return self._waiting[0].at if self._waiting else None
