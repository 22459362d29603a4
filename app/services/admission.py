"""Whose turn it is: few requests are worked on at once, and nobody waits for another's crowd (G9).

Without it every request that has come would be read and checked before the first of them is
kept: over capacity each waits for all, and a quiet source for a noisy one. So a request waits
here as bytes that nobody has looked at, until there is room. Senders take turns, none has more
than its share of the room, and who would wait too long is told to come again.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from app import metrics
from app.domain.errors import Overloaded

#: What a request costs beside its bytes, in bytes: one event alone takes the CPU of some twenty
#: in a batch.
REQUEST_COST = 8 * 1024
#: The cost of what is worked on at once: two groups on their way to the disk, and as much being
#: checked meanwhile.
ROOM = 2 * 2**20
#: Of which one sender has no more than this: two batches of 500, or some sixty events alone.
SHARE = ROOM // 4
#: And no more requests than this: enough for single events to fill a transaction while the one
#: before it is on its way to the disk.
TURNS = 16
#: While others come too: one long request is checked while another is on its way to the disk. A
#: sender is a little slower by it, and everybody else does not wait for all that it has.
TURNS_IN_COMPANY = 8
LARGE_IN_COMPANY = 2
#: Others come as long as the last of them was there within this.
COMPANY_S = 1.0
#: Seconds to wait for a turn.
TURN_WITHIN_S = 1.0
#: Bytes of requests that are worked on, wait, or are still coming; of all, and of one sender.
HELD = 64 * 2**20
HELD_SHARE = HELD // 4
#: A longer body is read and checked alone: each of several would have its stretch of every
#: round of the loop, and all others wait for all of them.
LARGE = 8 * 1024


@dataclass(slots=True)
class _Sender:
    """What a sender has here; forgotten once that is nothing."""

    visits: int = 0
    held: int = 0
    working: int = 0
    turns: int = 0
    waiting: deque[Visit] = field(default_factory=deque)


@dataclass(slots=True, eq=False)
class Visit:
    """One request: the bytes it holds, and its turn."""

    admission: Admission
    name: str
    sender: _Sender
    size: int = 0
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

    def desk(self) -> AbstractAsyncContextManager[None]:
        """Give the one place where long bodies are read and checked; a short one needs none."""
        return self.admission.desk if self.size > LARGE else nullcontext()


class Admission:
    """Lets the requests of this process in."""

    def __init__(self) -> None:
        self.desk = asyncio.Lock()
        self._senders: dict[str, _Sender] = {}
        #: When senders were last here, the latest last.
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._held = self._working = 0
        #: Senders of whom requests wait, in the order of their turns.
        self._queue: OrderedDict[str, _Sender] = OrderedDict()

    @contextmanager
    def visit(self, name: str) -> Iterator[Visit]:
        """Give what one request of a sender may have, and take it back at the end."""
        sender = self._senders.get(name)
        if sender is None:
            sender = self._senders[name] = _Sender()
        sender.visits += 1
        self._see(name)
        visit = Visit(self, name, sender)
        try:
            yield visit
        finally:
            self._left(visit)

    def _see(self, name: str) -> None:
        now = time.monotonic()
        self._seen[name] = now
        self._seen.move_to_end(name)
        while now - next(iter(self._seen.values())) > COMPANY_S:
            self._seen.popitem(last=False)

    def hold(self, visit: Visit, size: int) -> None:
        """Count bytes of a request as they come."""
        if self._held + size > HELD or visit.sender.held + size > HELD_SHARE:
            metrics.OVERLOADED.inc()
            raise Overloaded("more waits to be read than can be held")
        visit.size += size
        visit.sender.held += size
        self._held += size

    async def turn(self, visit: Visit) -> None:
        """Return when it is this request's turn."""
        if not self._queue and self._room(visit) and self._share(visit):
            self._begin(visit)
            return
        loop = asyncio.get_running_loop()
        visit.called = loop.create_future()
        visit.sender.waiting.append(visit)
        self._queue.setdefault(visit.name, visit.sender)
        self._call_next()
        late = loop.call_later(TURN_WITHIN_S, _give_up, visit.called)
        try:
            await visit.called
        finally:
            late.cancel()

    def _left(self, visit: Visit) -> None:
        sender = visit.sender
        sender.visits -= 1
        sender.held -= visit.size
        self._held -= visit.size
        if not sender.visits:
            del self._senders[visit.name]
            self._queue.pop(visit.name, None)
        if visit.cost:
            sender.turns -= 1
            sender.working -= visit.cost
            self._working -= visit.cost
        # Also after one that gave up waiting: it may have stood before others.
        self._call_next()

    def _room(self, visit: Visit) -> bool:
        return self._working + _cost(visit) <= ROOM

    def _share(self, visit: Visit) -> bool:
        """Say whether the sender may have this in hand beside what it has already."""
        if len(self._seen) > 1:
            most = TURNS_IN_COMPANY if visit.size <= LARGE else LARGE_IN_COMPANY
        else:
            most = TURNS
        sender = visit.sender
        return sender.turns < most and sender.working + _cost(visit) <= SHARE

    def _begin(self, visit: Visit) -> None:
        visit.cost = _cost(visit)
        visit.sender.turns += 1
        visit.sender.working += visit.cost
        self._working += visit.cost

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
            if not self._share(visit):
                passed += 1
            elif not self._room(visit):
                self._queue.move_to_end(name, last=False)
                return
            else:
                passed = 0
                sender.waiting.popleft()
                self._begin(visit)
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
