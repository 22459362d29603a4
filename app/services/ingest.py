"""Taking events in: each is checked by itself, the good ones are kept together."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

import structlog
from prometheus_client import Counter as Metric

from app import metrics
from app.database import Engine, lookup
from app.domain.errors import (
    ContentConflict,
    DomainError,
    EventRefused,
    SourceNotAllowed,
)
from app.domain.events import (
    DATA_OMITTED,
    MISSING,
    Candidate,
    Source,
    Submission,
    accept,
    content_digest,
    identifier,
    is_restricted,
    shown_identifier,
)
from app.domain.families import is_known_type
from app.domain.privacy import mask_attributes, mask_data
from app.domain.strict_json import dumps
from app.domain.times import Clock
from app.repositories import quarantine, register
from app.repositories.event_log import Appended
from app.repositories.quarantine import Refused
from app.services.group_commit import GroupCommit
from app.services.register import DIGEST_KEY

log = structlog.get_logger()

ACCEPTED, DUPLICATE, CONFLICT, REJECTED = "accepted", "duplicate", "conflict", "rejected"

#: The register is read again after so long, beside the requests; a source that is not in it
#: is looked up at once.
REGISTER_CACHE_S = 5.0
#: What was read before this is not gone by: the database did not answer meanwhile.
REGISTER_OLDEST_S = 30.0
#: How long one request may work at a stretch: everybody else waits for it, several times in
#: each answer. A thousand events whose texts are full of numbers take two seconds.
STRETCH_S = 0.002
#: Of a refused event that is longer, only the identifiers are kept.
QUARANTINE_BYTES = 256 * 1024
_IDENTIFIERS = ("id", "source", "type", "subject", "time", "dataclassification")
#: Refused events kept of one source.
QUARANTINE_KEPT = 10_000


@dataclass(slots=True)
class Receipt:
    """What became of one event of a request.

    ``seq`` is the event's place in its region's log, for a conflict that of the
    event which has the id.
    """

    index: int
    source: str | None
    id: str | None
    outcome: str
    region: str | None = None
    seq: int | None = None
    problem: DomainError | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """What has to be known to check an event, as of ``read_at``."""

    sources: dict[str, Source]
    areas: dict[str, set[str]]
    digest_key: bytes
    read_at: float


@dataclass(frozen=True, slots=True)
class Checked:
    """The events of a request, each good or with its problem, as of the register then known."""

    allowed: Collection[str]
    candidates: Sequence[Candidate | DomainError]
    events: Sequence[Submission | DomainError]
    received_at: datetime
    known: Register


async def _pause() -> None:
    await asyncio.sleep(0)


class Ingest:
    """The use case of posting events."""

    def __init__(self, engine: Engine, committer: GroupCommit, clock: Clock) -> None:
        self._engine = engine
        self._committer = committer
        self._clock = clock
        self._register: Register | None = None
        self._reading: asyncio.Task[Register] | None = None

    async def submit(
        self,
        allowed: Collection[str],
        candidates: Sequence[Candidate | DomainError],
        *,
        digest: bytes | None = None,
    ) -> list[Receipt]:
        """Keep what can be kept and tell what became of each, in order.

        A candidate that could not even be read comes as its error. ``digest``
        is that of the one event's content as it was first sent, where it comes
        masked from the quarantine.

        Raises:
            DatabaseAway, Overloaded: nothing was acknowledged; the same request
                again is safe.
        """
        checked = await self.check(await self.known(allowed), allowed, candidates)
        if digest is None:
            return await self.keep(checked)
        events = [
            item._replace(digest=digest) if isinstance(item, Submission) else item
            for item in checked.events
        ]
        return await self._keep(replace(checked, events=events))

    async def check(
        self,
        known: Register,
        allowed: Collection[str],
        candidates: Sequence[Candidate | DomainError],
        pause: Callable[[], Awaitable[None]] = _pause,
    ) -> Checked:
        """Check each event by itself, in order; nothing is kept yet.

        ``pause`` is called after each stretch of work, for a text may take long.
        """
        received_at = self._clock()
        events: list[Submission | DomainError] = []
        ends = time.perf_counter() + STRETCH_S
        for candidate in candidates:
            events.append(self._check(candidate, allowed, known, received_at))
            if time.perf_counter() > ends:
                await pause()
                ends = time.perf_counter() + STRETCH_S
        return Checked(allowed, candidates, events, received_at, known)

    async def keep(self, checked: Checked) -> list[Receipt]:
        """Keep what was found good, and set the rest aside; return what became of each.

        Raises:
            DatabaseAway, Overloaded: as ``submit``.
        """
        receipts = await self._keep(checked)
        await self._set_aside(checked, receipts)
        return receipts

    async def _keep(self, checked: Checked) -> list[Receipt]:
        events = [item for item in checked.events if isinstance(item, Submission)]
        appended = iter(await self._committer.append(events, checked.received_at))
        receipts = [
            _kept(index, item, next(appended))
            if isinstance(item, Submission)
            else _refused(index, checked.candidates[index], item)
            for index, item in enumerate(checked.events)
        ]
        self._count(receipts)
        return receipts

    def _check(
        self,
        candidate: Candidate | DomainError,
        allowed: Collection[str],
        known: Register,
        received_at: datetime,
    ) -> Submission | DomainError:
        if isinstance(candidate, DomainError):
            return candidate
        try:
            name = identifier(candidate.attributes, "source")
            source = known.sources.get(name) if name in allowed else None
            if source is None:
                raise SourceNotAllowed("the key is not bound to this source", field="source")
            areas = known.areas.get(source.region, set())
            return accept(candidate, source, areas, received_at, known.digest_key)
        except (EventRefused, SourceNotAllowed) as refusal:
            return refusal

    async def known(self, allowed: Collection[str]) -> Register:
        """Return the register, which is read again when it is old.

        Raises:
            DatabaseAway: it could not be read.
        """
        known = self._register
        age = time.monotonic() - known.read_at if known is not None else REGISTER_OLDEST_S
        if known is not None and all(urn in known.sources for urn in allowed):
            if age < REGISTER_CACHE_S:
                return known
            self._read_again()
            if age < REGISTER_OLDEST_S:
                return known
        elif self._reading is not None:
            # What is under way may have begun before a source of this key was registered.
            await asyncio.wait({self._reading})
        return await asyncio.shield(self._read_again())

    def _read_again(self) -> asyncio.Task[Register]:
        """Return the reading that is under way, or begin one."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_register())
            self._reading.add_done_callback(self._was_read)
        return self._reading

    def _was_read(self, task: asyncio.Task[Register]) -> None:
        self._reading = None
        if not task.cancelled() and task.exception() is None:
            self._register = task.result()

    async def _read_register(self) -> Register:
        async with lookup(self._engine) as connection:
            key = await register.fact(connection, DIGEST_KEY)
            assert key is not None  # noqa: S101 - the seed sets it before anything runs
            return Register(
                sources=await register.sources(connection),
                areas=await register.areas(connection),
                digest_key=bytes.fromhex(key),
                read_at=time.monotonic(),
            )

    @staticmethod
    def _count(receipts: Sequence[Receipt]) -> None:
        counts = Counter((receipt.region or "", receipt.outcome) for receipt in receipts)
        for (region, outcome), n in counts.items():
            _counter(region, outcome).inc(n)

    async def _set_aside(self, checked: Checked, receipts: Sequence[Receipt]) -> None:
        """Keep the refused events of the key's own sources, masked, with the reason."""
        if all(receipt.outcome != REJECTED for receipt in receipts):
            return
        refused, known = [], checked.known
        for receipt, candidate in zip(receipts, checked.candidates, strict=True):
            if receipt.outcome != REJECTED or isinstance(candidate, DomainError):
                continue
            assert receipt.problem is not None  # noqa: S101 - what is rejected says why
            source = known.sources.get(receipt.source or "")
            if source is not None and source.urn in checked.allowed:
                refused.append(_quarantined(source, candidate, receipt.problem, known.digest_key))
        if not refused:
            return
        async with lookup(self._engine) as connection:
            await quarantine.add(connection, refused, self._clock())
            for region, urn in sorted({(item.region, item.source) for item in refused}):
                await quarantine.trim(connection, region, urn, QUARANTINE_KEPT)


@cache
def _counter(region: str, outcome: str) -> Metric:
    """Return the counter of a region's outcome; to find it anew for each request takes longer."""
    return metrics.EVENTS.labels(region, outcome)


def _kept(index: int, event: Submission, appended: Appended) -> Receipt:
    outcome, problem = ACCEPTED, None
    if appended.known:
        same = appended.digest == event.digest
        outcome = DUPLICATE if same else CONFLICT
        problem = None if same else ContentConflict("this id holds other content", field="id")
    return Receipt(index, event.source, event.id, outcome, event.region, appended.seq, problem)


def _refused(index: int, candidate: Candidate | DomainError, problem: DomainError) -> Receipt:
    attributes = {} if isinstance(candidate, DomainError) else candidate.attributes
    return Receipt(
        index=index,
        source=shown_identifier(attributes, "source"),
        id=shown_identifier(attributes, "id"),
        outcome=REJECTED,
        problem=problem,
    )


def _quarantined(
    source: Source, candidate: Candidate, problem: DomainError, digest_key: bytes
) -> Refused:
    return Refused(
        region=source.region,
        source=source.urn,
        problem=problem.slug(),
        detail=str(problem),
        field=problem.field,
        digest=content_digest(candidate, digest_key),
        event=_masked_text(source, candidate),
    )


def _masked_text(source: Source, candidate: Candidate) -> str:
    """Write a refused event for keeping, masked.

    What is classified as not to be here, too long, or no number that JSON
    could hold is left out, and ``DATA_OMITTED`` says so: without it, a replay
    would let another event in under this one's name.
    """
    event: dict[str, Any] = mask_attributes(candidate.attributes)
    if candidate.data is not MISSING:
        event[candidate.data_member] = _masked_data(source, candidate)
    if not is_restricted(candidate.attributes):
        with contextlib.suppress(ValueError):  # an infinity, such as 1e400 is read as
            text = dumps(event)
            if len(text) <= QUARANTINE_BYTES:
                return text
    shown = {name: shown_identifier(event, name) for name in _IDENTIFIERS}
    return dumps({name: value for name, value in shown.items() if value} | {DATA_OMITTED: True})


def _masked_data(source: Source, candidate: Candidate) -> Any:
    if candidate.data_member != "data":
        return candidate.data
    event_type = shown_identifier(candidate.attributes, "type") or ""
    return mask_data(candidate.data, known=is_known_type(event_type, source.family))
