"""Group commit: requests that arrive together share one transaction and one fsync.

The answer to each goes out only after COMMIT. If the shared transaction fails,
each request is tried alone, so that one poisonous event never fails a stranger.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count, islice

import structlog

from app import metrics
from app.bus import LOG, Bus
from app.database import Engine, statement, told, transaction
from app.domain.errors import DatabaseAway, Overloaded
from app.domain.events import Submission
from app.repositories import event_log
from app.repositories.event_log import Appended

log = structlog.get_logger()

#: Events in one transaction: beyond this a group waits longer than it saves, and everybody for the
#: ten milliseconds in which it is packed and answered.
GROUP_LIMIT = 1_000
#: Events waiting at most; at the rate of one committer this is under two seconds.
PENDING_LIMIT = 40_000
#: How long a request may wait for its commit before it is told to come again.
#: The commit may still happen: the retry is then a duplicate.
ANSWER_WITHIN_S = 8.0
#: Groups up to this size go in one call to the database, which also finds what is known.
#: Above it the way in bulk pays, of more round trips and less work for each event.
ONE_CALL = 64
#: Where somebody sends again what is known, the way in bulk is tried in vain; so it is
#: not tried for the next groups.
GROUPS_AFTER_REPEATS = 10
#: Requests up to this size go by the way of single events, which never wait for a batch.
FEW = 16
#: Seconds after which they wait no longer for their transaction under way, which may stand
#: before a region that somebody else holds.
PATIENCE_S = 0.05


@dataclass(slots=True, eq=False)
class _Request:
    """The events of one request, and the promise of what became of them."""

    events: Sequence[Submission]
    received_at: datetime
    done: asyncio.Future[list[Appended]]
    #: When it arrived, by the loop's clock.
    since: float


class _SomeKnown(Exception):
    """An event that was thought to be new is in the log."""


class GroupCommit:
    """Gathers the requests of this process into shared transactions."""

    def __init__(self, engine: Engine, bus: Bus) -> None:
        self._engine = engine
        self._bus = bus
        self._singles: deque[_Request] = deque()
        self._batches: deque[_Request] = deque()
        self._single_came, self._batch_came = asyncio.Event(), asyncio.Event()
        self._long_wait = asyncio.Event()
        self._pending = 0
        self._promises: set[asyncio.Future[list[Appended]]] = set()
        self._in_bulk_again = 0

    async def append(self, events: Sequence[Submission], received_at: datetime) -> list[Appended]:
        """Append a request's events; returns once they are on disk.

        Raises:
            Overloaded: too many events wait already; nothing was tried.
            DatabaseAway: it is not known to be on disk; the same request again
                is safe.
        """
        if not events:
            return []
        if self._pending + len(events) > PENDING_LIMIT:
            raise Overloaded("more events wait for the disk than can be answered in time")
        loop = asyncio.get_running_loop()
        request = _Request(events, received_at, loop.create_future(), loop.time())
        self._promises.add(request.done)
        request.done.add_done_callback(self._promises.discard)
        self._count(len(events))
        if len(events) > FEW:
            self._batches.append(request)
            self._batch_came.set()
        else:
            self._singles.append(request)
            self._single_came.set()
            if request.since - self._singles[0].since > PATIENCE_S:
                self._long_wait.set()
        # A bare timer: to wait for a future takes 15 µs with `wait_for`, and 9 so.
        late = loop.call_later(ANSWER_WITHIN_S, _give_up, request)
        try:
            return await request.done
        finally:
            late.cancel()

    def _count(self, change: int) -> None:
        self._pending += change
        metrics.PENDING.set(self._pending)

    async def run(self) -> None:
        """Commit groups until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            # Single events are better kept waiting for one another: half as many transactions.
            tasks.create_task(self._commit_groups(self._single_came, self._singles))
            tasks.create_task(self._commit_groups(self._long_wait, self._singles, most=1))
            # Of batches, the second packs while the first waits for the disk.
            tasks.create_task(self._commit_groups(self._batch_came, self._batches))
            tasks.create_task(self._commit_groups(self._batch_came, self._batches))

    async def finish(self) -> None:
        """Wait until everything that arrived has been answered."""
        while self._promises:
            await asyncio.wait(self._promises)

    async def _commit_groups(
        self, called: asyncio.Event, waiting: deque[_Request], most: int | None = None
    ) -> None:
        """Commit what waits whenever called, at most so many groups then."""
        while True:
            await called.wait()
            called.clear()
            for _ in count() if most is None else range(most):
                if not (group := self._take(waiting)):
                    break
                try:
                    await self._commit(group)
                finally:
                    self._count(-sum(len(request.events) for request in group))

    def _take(self, waiting: deque[_Request]) -> list[_Request]:
        """Take requests for one transaction, whole ones, in the order they came."""
        group: list[_Request] = []
        size = 0
        while waiting and (not group or size + len(waiting[0].events) <= GROUP_LIMIT):
            request = waiting.popleft()
            if request.done.done():  # its client was answered or has gone
                self._count(-len(request.events))
                continue
            group.append(request)
            size += len(request.events)
        return group

    async def _commit(self, group: list[_Request]) -> None:
        try:
            await self._together(group)
        except DatabaseAway as away:
            for request in group:
                _fail(request, away)
        except Exception as error:
            if len(group) == 1:
                log.error(  # noqa: TRY400 - a traceback could quote the events
                    "A request's events could not be kept",
                    action="ingest.failed",
                    error=told(error),
                )
                _fail(group[0], error)
                return
            log.warning("A shared transaction failed; each alone now", action="ingest.split")
            for request in group:
                await self._commit([request])

    async def _together(self, group: list[_Request]) -> None:
        begun = time.perf_counter()
        unique: dict[tuple[str, str], int] = {}
        events: list[Submission] = []
        received: list[datetime] = []
        for request in group:
            for event in request.events:
                # The region is part of the source, so this is (region, source, id).
                if unique.setdefault((event.source, event.id), len(events)) == len(events):
                    events.append(event)
                    received.append(request.received_at)
        appended = await self._keep(events, received)
        metrics.GROUP_SIZE.observe(len(events))
        metrics.GROUP_SECONDS.observe(time.perf_counter() - begun)
        regions = {event.region for event, a in zip(events, appended, strict=True) if not a.known}
        if regions:
            self._bus.ring(LOG, regions)
        self._answer(group, unique, appended)

    async def _keep(
        self, events: Sequence[Submission], received: Sequence[datetime]
    ) -> list[Appended]:
        """Append events by the quickest way for so many; returns once they are on disk."""
        if len(events) <= ONE_CALL:
            async with statement(self._engine) as connection:
                return await event_log.append(connection, events, received)
        self._in_bulk_again -= 1
        if self._in_bulk_again < 0:
            with contextlib.suppress(_SomeKnown):
                async with transaction(self._engine) as connection:
                    appended = await event_log.append_new(connection, events, received)
                    if appended is None:
                        raise _SomeKnown
                return appended
            self._in_bulk_again = GROUPS_AFTER_REPEATS
        async with transaction(self._engine) as connection:
            return await event_log.append(connection, events, received)

    @staticmethod
    def _answer(
        group: Sequence[_Request],
        places: dict[tuple[str, str], int],
        appended: Sequence[Appended],
    ) -> None:
        """Tell each request what became of its events; the first of an id was the new one."""
        if len(appended) == sum(len(request.events) for request in group):
            # No name came twice, so that all of them are in the order they came.
            rest = iter(appended)
            for request in group:
                own = list(islice(rest, len(request.events)))
                if not request.done.done():
                    request.done.set_result(own)
            return
        fresh = {place for place, result in enumerate(appended) if not result.known}
        for request in group:
            answer = []
            for event in request.events:
                place = places[event.source, event.id]
                result = appended[place]
                answer.append(Appended(result.seq, place not in fresh, result.digest))
                fresh.discard(place)
            if not request.done.done():
                request.done.set_result(answer)


def _give_up(request: _Request) -> None:
    _fail(request, DatabaseAway("the database does not answer in time"))


def _fail(request: _Request, error: Exception) -> None:
    if not request.done.done():
        request.done.set_exception(error)
