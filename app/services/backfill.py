"""Bringing in old events from a file, through the same door as everybody's.

The door checks, masks, sets aside and numbers; a back-fill differs from an app
that posts in three things alone. It speaks for the sources that its events
name. What the log has already is not even brought to the door, so that a file
that was begun before is read on quickly. And it is no sign of life: see
``BackfillCommit``.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.bus import Bus
from app.database import Engine, statement, transaction
from app.domain.errors import (
    DomainError,
    InvalidParameter,
    RetryableError,
    UnknownRegion,
    UnknownSource,
)
from app.domain.events import (
    MISSING,
    Candidate,
    Source,
    Submission,
    content_digest,
    shown_identifier,
)
from app.domain.regions import parse_source
from app.domain.times import Clock
from app.repositories import event_log, known_events, register
from app.repositories.event_log import Appended
from app.repositories.known_events import EventName
from app.services.backfill_pace import Pace
from app.services.group_commit import GroupCommit
from app.services.ingest import CONFLICT, DUPLICATE, REJECTED, Ingest, Receipt
from app.services.register import DIGEST_KEY, ensure_source

#: Events of one transaction: a tenth of what a group of live requests may hold, since those
#: of its regions have to wait for it.
GROUP = 200
#: A database that is away is waited for this long in all, then the import ends and can be
#: started again.
PATIENCE_S = 60.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0
#: Refused lines and unknown sources that a summary tells one by one; the report has all.
KEPT = 100
#: Names that no source has are remembered up to here; a broken file may hold a million.
UNKNOWN_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a file: the event it holds, or why it holds none."""

    line: int
    event: Candidate | DomainError


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not taken, told without anything that it says but its names."""

    line: int
    source: str | None
    id: str | None
    problem: str
    detail: str
    field: str | None


@dataclass(slots=True)
class Tally:
    """What became of the events so far."""

    accepted: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0
    by_region: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    unknown_sources: set[str] = field(default_factory=set)
    registered: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def refused(self) -> int:
        """Lines that were not taken."""
        return self.conflicts + self.rejected


class BackfillCommit(GroupCommit):
    """Commits one group at a time, as heard when it happened.

    The time of receipt is what says whether a source lives. An operator who
    brings in last year's events is no sign that its app still sends; so these
    are kept as received when they happened, and never later than now.
    """

    async def append(self, events: Sequence[Submission], received_at: datetime) -> list[Appended]:
        """Append events of which no two have one name; returns once they are on disk."""
        if not events:
            return []
        heard = [min(event.time, received_at) for event in events]
        # This process gives way to all others on the processor: were it asked for the COMMIT, a
        # live request could wait for the regions' locks until it has its turn.
        # No ring: the pace rings, once for many groups, so that a region's frames stay free
        # for what is live.
        async with statement(self._engine) as connection:
            return await event_log.append(connection, events, heard)


class Backfill:
    """One import: takes lines in order, a few at a time, and gives way in between."""

    def __init__(
        self,
        engine: Engine,
        bus: Bus,
        clock: Clock,
        *,
        register_sources: bool = False,
        pace: Pace | None = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.tally = Tally()
        self.pace = pace or Pace(engine, bus)
        self._engine = engine
        self._clock = clock
        self._registers = register_sources
        self._pause = pause
        self._ingest = Ingest(engine, BackfillCommit(engine, bus), clock)
        self._sources: dict[str, Source] = {}
        self._unknown: set[str] = set()
        self._digest_key = b""
        self._reads_on = True

    async def begin(self) -> None:
        """Read the register."""
        await self._read_register()
        await self.pace.begin()

    async def take(self, entries: Sequence[Entry]) -> list[Refusal]:
        """Bring events in, in order; return the lines that were refused.

        Raises:
            DatabaseAway: the database stayed away. Every line that was taken is
                on disk; the same file again goes on after them.
        """
        refusals: list[Refusal] = []
        for group in _groups(entries):
            fresh: Counter[str] = Counter()
            for entry, receipt in await self._insist(group):
                self._count(receipt, fresh)
                if receipt.problem is not None:
                    refusals.append(_refusal(entry, receipt))
            await self.pace.give_way(fresh)
        self.tally.refusals += refusals[: max(KEPT - len(self.tally.refusals), 0)]
        return refusals

    async def _insist(self, group: Sequence[Entry]) -> list[tuple[Entry, Receipt]]:
        """Take a group, again where the database was away; its ids make that safe."""
        patience, pause = PATIENCE_S, _FIRST_PAUSE_S
        while True:
            try:
                return await self._take(group)
            except RetryableError:
                if patience <= 0:
                    raise
            await self._pause(pause)
            patience -= pause
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _take(self, group: Sequence[Entry]) -> list[tuple[Entry, Receipt]]:
        await self._meet(_named_sources(group))
        # Where the last group was new, this one will be, and the door knows what is known.
        known = await self._known(group) if self._reads_on else {}
        receipts: dict[int, Receipt] = {}
        fresh: list[Entry] = []
        for entry in group:
            receipt = self._settled(entry, known)
            if receipt is None:
                fresh.append(entry)
            else:
                receipts[entry.line] = receipt
        answers = await self._ingest.submit(self._sources.keys(), [entry.event for entry in fresh])
        for entry, receipt in zip(fresh, answers, strict=True):
            same = receipt.outcome == CONFLICT and await self._is_kept_form(entry, receipt)
            receipts[entry.line] = (
                _duplicate(entry, receipt.region, receipt.seq) if same else receipt
            )
        self._reads_on = any(one.outcome == DUPLICATE for one in receipts.values())
        return [(entry, receipts[entry.line]) for entry in group]

    def _settled(self, entry: Entry, known: dict[EventName, bytes]) -> Receipt | None:
        """Return what is clear without the door: a duplicate, or a source nobody knows."""
        if isinstance(entry.event, DomainError):
            return None
        urn = shown_identifier(entry.event.attributes, "source")
        if urn in self._unknown:
            problem = UnknownSource("this source is not registered here", field="source")
            return Receipt(0, urn, _id(entry), REJECTED, problem=problem)
        name = self._name(entry)
        digest = known.get(name) if name is not None else None
        if digest is not None and digest == content_digest(entry.event, self._digest_key):
            return _duplicate(entry, name.region if name else None, None)
        return None

    def _name(self, entry: Entry) -> EventName | None:
        if isinstance(entry.event, DomainError):
            return None
        source = self._sources.get(shown_identifier(entry.event.attributes, "source") or "")
        event_id = _id(entry)
        return EventName(source.region, source.urn, event_id) if source and event_id else None

    async def _known(self, group: Sequence[Entry]) -> dict[EventName, bytes]:
        names = [name for entry in group if (name := self._name(entry)) is not None]
        if not names:
            return {}
        async with transaction(self._engine) as connection:
            return await known_events.digests(connection, names)

    async def _is_kept_form(self, entry: Entry, receipt: Receipt) -> bool:
        """Say whether a line is the event as the log keeps it: masked, from our own feed."""
        if isinstance(entry.event, DomainError) or not receipt.region or receipt.seq is None:
            return False
        async with transaction(self._engine) as connection:
            kept = await event_log.feed(connection, receipt.region, receipt.seq - 1, 1)
        own = _sorted(_members(entry.event))
        return any(_sorted(json.loads(text)) == own for _, text in kept)

    async def _meet(self, urns: Collection[str]) -> None:
        """Know the sources that a group names, registering them where that was asked for."""
        strangers = sorted(urns - self._sources.keys() - self._unknown)
        if not strangers:
            return
        for urn in strangers:
            if self._registers and await self._register(urn):
                self.tally.registered.append(urn)
        await self._read_register()
        unknown = [urn for urn in strangers if urn not in self._sources]
        if len(self._unknown) > UNKNOWN_KEPT:
            self._unknown.clear()
        self._unknown.update(unknown)
        room = KEPT - len(self.tally.unknown_sources)
        self.tally.unknown_sources.update(unknown[: max(room, 0)])

    async def _register(self, urn: str) -> bool:
        """Register a source as the making of a key does; False where there can be none."""
        try:
            name = parse_source(urn)
            if name.urn != urn:
                return False
            async with transaction(self._engine) as connection:
                return await ensure_source(connection, name, self._clock())
        except (InvalidParameter, UnknownRegion):
            return False

    async def _read_register(self) -> None:
        async with transaction(self._engine) as connection:
            self._sources = await register.sources(connection)
            key = await register.fact(connection, DIGEST_KEY)
        assert key is not None  # noqa: S101 - commands refuse a database that was never seeded
        self._digest_key = bytes.fromhex(key)

    def _count(self, receipt: Receipt, fresh: Counter[str]) -> None:
        tally = self.tally
        match receipt.outcome:
            case "accepted":
                tally.accepted += 1
                region = receipt.region or ""
                tally.by_region[region] += 1
                fresh[region] += 1
            case "duplicate":
                tally.duplicates += 1
            case "conflict":
                tally.conflicts += 1
            case _:
                tally.rejected += 1
        if receipt.problem is not None:
            tally.problems[receipt.problem.slug()] += 1


def _groups(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Cut entries into groups in which no two events have one name.

    The second of them is then measured against the first as the log keeps it.
    """
    group: list[Entry] = []
    names: set[tuple[str | None, str | None]] = set()
    for entry in entries:
        name = _source(entry), _id(entry)
        if len(group) == GROUP or (None not in name and name in names):
            yield group
            group, names = [], set()
        group.append(entry)
        names.add(name)
    if group:
        yield group


def _named_sources(group: Sequence[Entry]) -> set[str]:
    return {urn for entry in group if (urn := _source(entry)) is not None}


def _source(entry: Entry) -> str | None:
    event = entry.event
    return None if isinstance(event, DomainError) else shown_identifier(event.attributes, "source")


def _id(entry: Entry) -> str | None:
    event = entry.event
    return None if isinstance(event, DomainError) else shown_identifier(event.attributes, "id")


def _members(event: Candidate) -> dict[str, Any]:
    members = {name: value for name, value in event.attributes.items() if value is not None}
    return members if event.data is MISSING else members | {event.data_member: event.data}


def _sorted(members: dict[str, Any]) -> str:
    return json.dumps(members, sort_keys=True)


def _duplicate(entry: Entry, region: str | None, seq: int | None) -> Receipt:
    return Receipt(0, _source(entry), _id(entry), DUPLICATE, region, seq)


def _refusal(entry: Entry, receipt: Receipt) -> Refusal:
    problem = receipt.problem
    assert problem is not None  # noqa: S101 - asked for refused ones alone
    return Refusal(
        entry.line, receipt.source, receipt.id, problem.slug(), str(problem), problem.field
    )
