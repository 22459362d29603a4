"""Whose turn it is: few requests are worked on at once, and nobody waits for another's crowd (G9).

Without it every request that has come would be read and checked before the first of them is
kept: over capacity each waits for all, and a quiet source for a noisy one. So a request waits
here as bytes that nobody has looked at, until there is room. Senders take turns, none has more
than its share of the room, and who would wait too long is told to come again. Short requests
have a room of their own: batches may stand before a region that somebody holds.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Self

from app import metrics
from app.domain.errors import Overloaded
from app.services.company import Company, Sender

#: A longer body is read and checked while no other long one is: each of several would have its
#: stretch of every round of the loop, and all others wait for all of them.
LARGE = 8 * 1024
#: What a request costs beside its bytes, in bytes: one event alone takes the CPU of some twenty
#: in a batch.
REQUEST_COST = 8 * 1024
#: The cost of what is worked on at once: of long requests some 4,000 events, of which two groups
#: are on their way to the disk; of short ones some hundred requests.
ROOM = 2 * 2**20
#: Of which one sender has no more than this: two batches of 500.
SHARE = ROOM // 4
#: And no more requests than this: enough for single events to fill a transaction while the one
#: before it is on its way to the disk.
TURNS = 16
#: While others come too: one long request is checked while another is on its way to the disk. A
#: sender is a little slower by it, and everybody else does not wait for all that it has.
SHORT_IN_COMPANY = 8
LONG_IN_COMPANY = 2
#: And of who has more of the work than is fair to them.
SHORT_IF_UNFAIR = 2
LONG_IF_UNFAIR = 1
#: After a long request such a sender rests as long as that took, and no longer than this: it may
#: have stood before a region that somebody else held. To have short ones rest was of no use to
#: anybody.
RESTS_S = 0.25
#: Seconds to wait for a turn.
TURN_WITHIN_S = 2.0
#: Bytes of requests that are worked on, wait, or are still coming; of all, and of one sender.
HELD = 64 * 2**20
HELD_SHARE = HELD // 4
#: What a sender may hold however much others do.
HELD_ALWAYS = 64 * 1024


@dataclass(slots=True, eq=False)
class Visit:
    """One request: the bytes it holds, and its turn."""

    admission: Admission
    name: str
    sender: Sender
    size: int = 0
    #: The room in which it has its turn or waits for it.
    room: _Room | None = None
    #: What it costs to work on it; zero until its turn.
    cost: int = 0
    #: When that began.
    begun: float = 0.0
    called: asyncio.Future[None] | None = None

    def hold(self, size: int) -> None:
        """Hold so many bytes more.

        Raises:
            Overloaded: that is more than this process, or this sender, may hold.
        """
        self.admission.hold(self, size)

    async def turn(self) -> None:
        """Wait for the turn of this request, which lasts as long as the visit.

        Raises:
            Overloaded: it did not come in time.
        """
        await self.admission.turn(self)

    def desk(self) -> Desk:
        """Give the place at which a body is read and checked."""
        return Desk(self.admission.desk if self.size > LARGE else None)


class Desk:
    """Where a body is read and checked; the one place of long ones is used in turns."""

    def __init__(self, lock: asyncio.Lock | None) -> None:
        self._lock = lock
        self._held = False

    async def __aenter__(self) -> Self:
        """Wait for the place."""
        await self._acquire()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave the place to others."""
        self._release()

    async def pause(self) -> None:
        """Let others have their turns; to be called after each stretch of work."""
        self._release()
        await asyncio.sleep(0)
        await self._acquire()

    async def _acquire(self) -> None:
        if self._lock is not None:
            await self._lock.acquire()
            self._held = True

    def _release(self) -> None:
        if self._lock is not None and self._held:
            self._held = False
            self._lock.release()


class Admission:
    """Lets the requests of this process in."""

    def __init__(self) -> None:
        self.desk = asyncio.Lock()
        self._company = Company()
        self._short = _Room(self._company, SHORT_IN_COMPANY, SHORT_IF_UNFAIR)
        self._long = _Room(self._company, LONG_IN_COMPANY, LONG_IF_UNFAIR, rests=True)
        self._held: dict[str, int] = {}
        self._held_by_all = 0

    @contextmanager
    def visit(self, name: str) -> Iterator[Visit]:
        """Give what one request of a sender may have, and take it back at the end."""
        visit = Visit(self, name, self._company.come(name, monotonic()))
        try:
            yield visit
        finally:
            self._let_go(visit)
            if visit.room is not None:
                visit.room.leave(visit)

    def hold(self, visit: Visit, size: int) -> None:
        """Count bytes of a request as they come."""
        if not size:
            return
        own = self._held.get(visit.name, 0) + size
        full = self._held_by_all + size > HELD
        if own > HELD_SHARE or (full and own > HELD_ALWAYS):
            metrics.OVERLOADED.inc()
            raise Overloaded("more waits to be read than can be held")
        visit.size += size
        self._held[visit.name] = own
        self._held_by_all += size

    def _let_go(self, visit: Visit) -> None:
        if visit.size:
            self._held_by_all -= visit.size
            self._held[visit.name] -= visit.size
            if not self._held[visit.name]:
                del self._held[visit.name]

    async def turn(self, visit: Visit) -> None:
        """Return when it is this request's turn."""
        visit.room = self._short if visit.size <= LARGE else self._long
        await visit.room.enter(visit)


@dataclass(slots=True)
class _Place:
    """What a sender has in a room; forgotten once that is nothing."""

    turns: int = 0
    cost: int = 0
    waiting: deque[Visit] = field(default_factory=deque)


class _Room:
    """Where requests are worked on, as many as there is room for."""

    def __init__(
        self, company: Company, in_company: int, if_unfair: int, *, rests: bool = False
    ) -> None:
        self._company = company
        self._in_company, self._if_unfair, self._rests = in_company, if_unfair, rests
        self._taken = 0
        self._places: dict[str, _Place] = {}
        #: Places of senders of whom requests wait, in the order of their turns.
        self._queue: OrderedDict[str, _Place] = OrderedDict()

    async def enter(self, visit: Visit) -> None:
        """Return when it is this request's turn."""
        place = self._places.setdefault(visit.name, _Place())
        if not self._queue and self._has_room(visit) and self._has_share(place, visit):
            self._begin(place, visit)
            return
        loop = asyncio.get_running_loop()
        visit.called = loop.create_future()
        place.waiting.append(visit)
        self._queue.setdefault(visit.name, place)
        self._call_next()
        late = loop.call_later(TURN_WITHIN_S, _give_up, visit.called)
        try:
            await visit.called
        finally:
            late.cancel()

    def leave(self, visit: Visit) -> None:
        """End a turn, or the waiting for it."""
        place = self._places.get(visit.name)
        if place is not None:  # else it had given up, and all others of its sender have gone
            if visit.cost:
                self._taken -= visit.cost
                place.cost -= visit.cost
                place.turns -= 1
                self._rest(visit)
            elif visit in place.waiting:
                place.waiting.remove(visit)
            if not place.turns and not place.waiting:
                del self._places[visit.name]
                self._queue.pop(visit.name, None)
        # Also after one that gave up waiting: it may have stood before others.
        self._call_next()

    def _rest(self, visit: Visit) -> None:
        """Let others have as much of the time, where a sender had more of it than is fair."""
        now, sender = monotonic(), visit.sender
        if self._rests and self._company.is_unfair(sender, now):
            seconds = min(now - visit.begun, RESTS_S)
            sender.rests_until = max(now + seconds, sender.rests_until)
            asyncio.get_running_loop().call_later(seconds, self._rested, sender, now + seconds)

    def _rested(self, sender: Sender, until: float) -> None:
        # Told, and not read from the clock, which the loop's timers may come before.
        if sender.rests_until <= until:
            sender.rests_until = 0.0
        self._call_next()

    def _has_room(self, visit: Visit) -> bool:
        return self._taken + _cost(visit) <= ROOM

    def _has_share(self, place: _Place, visit: Visit) -> bool:
        """Say whether a sender may have this in hand beside what it has already."""
        return place.turns < self._most(visit.sender) and place.cost + _cost(visit) <= SHARE

    def _most(self, sender: Sender) -> int:
        """Return how many requests of a sender may be in hand."""
        if self._company.is_one:
            return TURNS
        if not self._company.is_unfair(sender, monotonic()):
            return self._in_company
        return 0 if self._rests and sender.rests_until else self._if_unfair

    def _begin(self, place: _Place, visit: Visit) -> None:
        visit.cost, visit.begun = _cost(visit), monotonic()
        self._company.take(visit.sender, visit.cost, visit.begun)
        self._taken += visit.cost
        place.cost += visit.cost
        place.turns += 1

    def _call_next(self) -> None:
        """Call who can have his turn, a request of each sender by turns.

        Who has used up his share is passed over. For whom there is no room stays
        first, and nobody goes before him: a long request would wait for ever else.
        """
        passed = 0
        while passed < len(self._queue):
            name, place = self._queue.popitem(last=False)
            visit = _first(place.waiting)
            if visit is None:
                continue
            self._queue[name] = place
            if not self._has_share(place, visit):
                passed += 1
            elif not self._has_room(visit):
                self._queue.move_to_end(name, last=False)
                return
            else:
                passed = 0
                place.waiting.popleft()
                self._begin(place, visit)
                if visit.called is not None:
                    visit.called.set_result(None)


def _cost(visit: Visit) -> int:
    # The longest bodies have a whole share, and thus leave room for others beside them.
    return min(REQUEST_COST + visit.size, SHARE)


def _first(waiting: deque[Visit]) -> Visit | None:
    """Return the first who still waits."""
    while waiting:
        called = waiting[0].called
        if called is not None and not called.done():
            return waiting[0]
        waiting.popleft()
    return None


def _give_up(called: asyncio.Future[None]) -> None:
    if not called.done():
        metrics.OVERLOADED.inc()
        called.set_exception(Overloaded("the turn of this request did not come in time"))
