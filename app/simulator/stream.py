"""The stream of a source's events: a pure function of seed, source and time.

No state is needed to produce any window: the cases whose later events fall into
it are found by looking back over the slots in which they may have been opened.
Once that has been done, the stream runs forward from a heap that holds one small
entry for each living case and derives the case again at each of its steps; that
costs some 25 µs an event, and keeping the steps would cost 2 kB a case.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from heapq import heappop, heappush
from typing import NamedTuple

from app.simulator.hours import HOUR, MINUTE
from app.simulator.life import Step
from app.simulator.plans import Plan
from app.simulator.source import PLANS, Event, Slot, Source, event_of, steps_of
from app.simulator.times import milliseconds

#: About half a megabyte for each source; most steps are of cases of the last week.
_SLOTS_KEPT = 1_000


class Happening(NamedTuple):
    """An event and its instant, in milliseconds since the epoch; ``storm``: of a flooded place."""

    at: int
    event: Event
    storm: bool = False


class _Next(NamedTuple):
    """The next step of a living case. Ties are broken by what identifies the case."""

    at: int
    plan: int
    hour: int
    case: int
    step: int


class Stream:
    """A source's events from an instant on, in order of their times.

    Args:
        source: whose events.
        start: milliseconds since the epoch; nothing earlier is played.
        founded: no case was opened before this instant; for a city that is to begin
            at ``start``, and for one too busy to be looked back upon.
    """

    def __init__(self, source: Source, start: int, founded: int = 0) -> None:
        self._source = source
        self._plans = PLANS[source.app]
        self._start = start
        self._founded = founded
        self._heap: list[_Next] = []
        self._minute = start // MINUTE
        self._slots: list[Slot] = []
        self._recent: dict[tuple[int, int], Slot] = {}

    def settle(self, since: int | None = None) -> Iterator[list[Happening]]:
        """Look back for the living cases, hour by hour.

        With ``since``, each hour gives the events before the start of all cases
        that had anything to tell since then, from their openings on: a city's past
        for those who have not seen it. Without, the lists are empty, and the cases
        wait for their next step.
        """
        alive = self._start if since is None else since
        for plan_number, plan in enumerate(self._plans):
            for hour in self._hours_of(plan, alive):
                slot = Slot(self._source, plan, hour)
                told: list[Happening] = []
                for index in self._opened_before_start(slot):
                    told.extend(self._recall(plan_number, slot, index, alive, since is not None))
                yield told

    def hours(self, since: int | None = None) -> int:
        """Return how many hours ``settle`` will look at."""
        alive = self._start if since is None else since
        return sum(len(self._hours_of(plan, alive)) for plan in self._plans)

    def _hours_of(self, plan: Plan, alive: int) -> range:
        """Return the hours in which cases that live at the instant may have been opened."""
        first = max(alive - plan.bound, self._founded) // HOUR
        return range(first, (self._minute * MINUTE - 1) // HOUR + 1)

    def _opened_before_start(self, slot: Slot) -> Iterator[int]:
        """Return the cases of the slot opened before the minute with which we go on."""
        minutes = self._minute - slot.hour * 60
        if minutes >= 60:
            return iter(range(slot.count))
        return (index for index in range(slot.count) if slot.minute(index) < minutes)

    def _recall(
        self, plan_number: int, slot: Slot, index: int, alive: int, tell: bool
    ) -> Iterator[Happening]:
        """Take up a case of the past, if it still had something to tell."""
        plan = self._plans[plan_number]
        steps = steps_of(self._source, plan, slot, index)
        if steps[-1].at < alive or steps[0].at < self._founded:
            return
        waiting = self._wait_for(plan_number, slot, index, steps)
        if tell:
            subject = slot.case_id(index)
            for number, step in enumerate(steps[:waiting]):
                event = event_of(self._source, plan, subject, number, step)
                yield Happening(step.at, event, plan.flood)

    def until(self, end: int) -> Iterator[Happening]:
        """Go on: yield the events before ``end`` that have not been yielded yet."""
        while True:
            horizon = min(self._minute * MINUTE, end)
            while self._heap and self._heap[0].at < horizon:
                yield self._play(heappop(self._heap))
            if horizon == end:
                return
            self._open_minute()

    def next_at(self) -> int:
        """Return an instant before which nothing further will happen."""
        ahead = self._minute * MINUTE
        return min(ahead, self._heap[0].at) if self._heap else ahead

    def _open_minute(self) -> None:
        """Take up the cases that are opened in the next minute."""
        hour, minute = divmod(self._minute, 60)
        if minute == 0 or not self._slots:
            self._slots = [self._slot(number, hour) for number in range(len(self._plans))]
        for plan_number, slot in enumerate(self._slots):
            for index in slot.indexes(minute):
                steps = steps_of(self._source, self._plans[plan_number], slot, index)
                if steps[0].at >= self._founded:
                    self._wait_for(plan_number, slot, index, steps)
        self._minute += 1

    def _wait_for(self, plan_number: int, slot: Slot, index: int, steps: list[Step]) -> int:
        """Put the case's first step from the start on in line; return its number."""
        for number, step in enumerate(steps):
            if step.at >= self._start:
                heappush(self._heap, _Next(step.at, plan_number, slot.hour, index, number))
                return number
        return len(steps)

    def _slot(self, plan_number: int, hour: int) -> Slot:
        """Return an hour of a plan; those of the living cases are asked for again and again."""
        name = (plan_number, hour)
        slot = self._recent.get(name)
        if slot is None:
            slot = self._recent[name] = Slot(self._source, self._plans[plan_number], hour)
            if len(self._recent) > _SLOTS_KEPT:
                del self._recent[next(iter(self._recent))]
        return slot

    def _play(self, due: _Next) -> Happening:
        """Return the due step as an event and let its case wait for the next one."""
        plan = self._plans[due.plan]
        slot = self._slot(due.plan, due.hour)
        steps = steps_of(self._source, plan, slot, due.case)
        if due.step + 1 < len(steps):
            later = steps[due.step + 1].at
            heappush(self._heap, due._replace(at=later, step=due.step + 1))
        subject = slot.case_id(due.case)
        event = event_of(self._source, plan, subject, due.step, steps[due.step])
        return Happening(due.at, event, plan.flood)


def events_between(source: Source, t0: datetime, t1: datetime) -> Iterator[Event]:
    """Yield the events of one source with ``t0 <= time < t1``, in order of time.

    A pure function: the same arguments give the same events, and the windows
    ``[a, b)`` and ``[b, c)`` together give exactly ``[a, c)``.

    Raises:
        KeyError: the app is not one that is played.
        ValueError: a moment is naive.
    """
    stream = Stream(source, milliseconds(t0))
    for _ in stream.settle():
        pass
    for happening in stream.until(milliseconds(t1)):
        yield happening.event
