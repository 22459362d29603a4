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
#: Others come as long as the last of them was there within this.
COMPANY_S = 1.0
#: Seconds to wait for a turn.
TURN_WITHIN_S = 1.0
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
    size: int = 0
    #: The room in which it has its turn or waits for it.
    room: _Room | None = None
    #: What it costs to work on it; zero until its turn.
    cost: int = 0
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
        self._short, self._long = _Room(SHORT_IN_COMPANY), _Room(LONG_IN_COMPANY)
        self._held: dict[str, int] = {}
        self._held_by_all = 0
        #: When senders were last here, the latest last.
        self._seen: OrderedDict[str, float] = OrderedDict()

    @contextmanager
    def visit(self, name: str) -> Iterator[Visit]:
        """Give what one request of a sender may have, and take it back at the end."""
        self._see(name)
        visit = Visit(self, name)
        try:
            yield visit
        finally:
            self._let_go(visit)
            if visit.room is not None:
                visit.room.leave(visit)

    def _see(self, name: str) -> None:
        now = monotonic()
        self._seen[name] = now
        self._seen.move_to_end(name)
        while now - next(iter(self._seen.values())) > COMPANY_S:
            self._seen.popitem(last=False)
        self._short.company = self._long.company = len(self._seen) > 1

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
class _Sender:
    """What a sender has in a room; forgotten once that is nothing."""

    turns: int = 0
    cost: int = 0
    waiting: deque[Visit] = field(default_factory=deque)


class _Room:
    """Where requests are worked on, as many as there is room for."""

    def __init__(self, most_in_company: int) -> None:
        #: Whether more than one sender comes.
        self.company = False
        self._most_in_company = most_in_company
        self._taken = 0
        self._senders: dict[str, _Sender] = {}
        #: Senders of whom requests wait, in the order of their turns.
        self._queue: OrderedDict[str, _Sender] = OrderedDict()

    async def enter(self, visit: Visit) -> None:
        """Return when it is this request's turn."""
        sender = self._senders.setdefault(visit.name, _Sender())
        if not self._queue and self._has_room(visit) and self._has_share(sender, visit):
            self._begin(sender, visit)
            return
        loop = asyncio.get_running_loop()
        visit.called = loop.create_future()
        sender.waiting.append(visit)
        self._queue.setdefault(visit.name, sender)
        self._call_next()
        late = loop.call_later(TURN_WITHIN_S, _give_up, visit.called)
        try:
            await visit.called
        finally:
            late.cancel()

    def leave(self, visit: Visit) -> None:
        """End a turn, or the waiting for it."""
        sender = self._senders.get(visit.name)
        if sender is not None:  # else it had given up, and all others of its sender have gone
            if visit.cost:
                self._taken -= visit.cost
                sender.cost -= visit.cost
                sender.turns -= 1
            elif visit in sender.waiting:
                sender.waiting.remove(visit)
            if not sender.turns and not sender.waiting:
                del self._senders[visit.name]
                self._queue.pop(visit.name, None)
        # Also after one that gave up waiting: it may have stood before others.
        self._call_next()

    def _has_room(self, visit: Visit) -> bool:
        return self._taken + _cost(visit) <= ROOM

    def _has_share(self, sender: _Sender, visit: Visit) -> bool:
        """Say whether a sender may have this in hand beside what it has already."""
        most = self._most_in_company if self.company else TURNS
        return sender.turns < most and sender.cost + _cost(visit) <= SHARE

    def _begin(self, sender: _Sender, visit: Visit) -> None:
        visit.cost = _cost(visit)
        self._taken += visit.cost
        sender.cost += visit.cost
        sender.turns += 1

    def _call_next(self) -> None:
        """Call who can have his turn, a request of each sender by turns.

        Who has used up his share is passed over. For whom there is no room stays
        first, and nobody goes before him: a long request would wait for ever else.
        """
        passed = 0
        while passed < len(self._queue):
            name, sender = self._queue.popitem(last=False)
            visit = _first(sender.waiting)
            if visit is None:
                continue
            self._queue[name] = sender
            if not self._has_share(sender, visit):
                passed += 1
            elif not self._has_room(visit):
                self._queue.move_to_end(name, last=False)
                return
            else:
                passed = 0
                sender.waiting.popleft()
                self._begin(sender, visit)
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
