"""One region's projector: folds its log and logs the frames that follow.

One writer per region: whoever holds the region's lock. It owns no truth. What
it holds in memory is a copy of the tables, checked against the checkpoint
under a row lock at every step, so that a projector that was replaced without
noticing cannot write.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from app.database import Connection, Engine, transaction
from app.domain import patches
from app.domain.cells import RECENT
from app.domain.errors import InvariantBroken
from app.domain.events import LoggedEvent
from app.domain.region_state import RegionParts, build, newest, next_change
from app.domain.strict_json import dumps
from app.domain.times import Clock, hour_of
from app.repositories import cases, cells, event_log, frames, register
from app.repositories.frames import Frame, Projection, region_channel
from app.services.folding import Folding, fold_run
from app.services.pace import Pace
from app.services.register import is_demo

#: Events folded in one transaction: large enough to drain a backlog quickly,
#: small enough that a wall sees the drain move.
RUN_LIMIT = 3_000
#: Later than anything that is due.
NEVER = datetime.max.replace(tzinfo=UTC)
#: One frame in so many is kept with its whole state, from which others are made again.
KEYFRAME_EVERY = 64


class RegionProjector:
    """Folds one region. Its memory is good only while ``_at`` equals the checkpoint."""

    def __init__(self, engine: Engine, region: str, clock: Clock) -> None:
        self.region = region
        self.channel = region_channel(region)
        self.wake = asyncio.Event()
        self.wake.set()
        self.at: tuple[str, int, int, int] | None = None
        self.next_change: datetime | None = None
        self.known_sources = -1
        self.pace = Pace()
        self._engine = engine
        self._clock = clock
        self._parts: RegionParts | None = None
        self._document: dict[str, Any] = {}
        self._overdue_at: datetime | None = None
        #: Before this, no case becomes overdue that is not yet; None where that is not known.
        self._due_from: datetime | None = None
        self._families: dict[str, str] = {}

    async def step(self) -> bool:
        """Fold the next events and log the frame that follows.

        Returns:
            Whether more events wait in the log.

        Raises:
            InvariantBroken: the region must not be folded on.
            DatabaseAway: nothing was changed, or nobody knows; the next step
                looks at the checkpoint.
        """
        self.pace.begun()
        try:
            async with transaction(self._engine) as connection:
                more, framed = await self._step(connection)
        except BaseException:
            self.at = None  # what is in memory may be ahead of what was kept
            raise
        if framed:
            self.pace.kept()
        return more

    async def _step(self, connection: Connection) -> tuple[bool, bool]:
        projection = await frames.lock(connection, self.channel)
        if projection is None or projection.halted is not None:
            self.at = None
            return False, False
        if self.at != _place(projection):
            await self._load(connection, projection)
        # Read before the log, so that the picture is at least as new as it says.
        now = self._clock()
        events = await event_log.after(connection, self.region, projection.seq, RUN_LIMIT)
        folding = None
        if events:
            folding = await self._fold(connection, projection, events)
        await self._advance_overdue(connection, projection, folding, now)
        caught_up = len(events) < RUN_LIMIT
        current_at = now if caught_up else max(projection.current_at, events[-1].received_at)
        framed = await self._frame(connection, projection, folding, now, current_at)
        return not caught_up, framed

    async def _load(self, connection: Connection, projection: Projection) -> None:
        """Read what is kept of the region; the stored state tells the feed's last lines."""
        now = self._clock()
        since = hour_of(now - RECENT)
        tenant = (await register.tenants(connection, self.region))[0]
        generation = projection.generation
        self._families = await register.families(connection)
        self._document = json.loads(projection.state)
        self._parts = RegionParts(
            region=tenant.region,
            cells=await cells.load(connection, self.region, generation, since),
            families=self._families,
            latest={int(seq): line for seq, line in self._document["latest"].items()},
            demo=await is_demo(connection),
        )
        await self._load_sources(connection, generation)
        self._overdue_at = self._due_from = None
        self.at = _place(projection)

    async def _load_sources(self, connection: Connection, generation: int) -> None:
        assert self._parts is not None  # noqa: S101 - loaded just before
        self._parts.sources = await cells.sources(connection, self.region, generation)
        self.known_sources = len(self._parts.sources)

    async def _fold(
        self, connection: Connection, projection: Projection, events: list[LoggedEvent]
    ) -> Folding:
        parts = self._parts
        assert parts is not None  # noqa: S101 - loaded just before
        if events[0].seq != projection.seq + 1:
            raise InvariantBroken("the log has a gap")
        if any(event.app not in parts.families for event in events):
            parts.families = self._families = await register.families(connection)
        folding = await fold_run(
            connection,
            self.region,
            parts.region.zone,
            projection.generation,
            parts.families,
            events,
        )
        parts.cells.apply(folding.delta)
        for urn, heard in folding.heard.items():
            if urn in parts.sources:
                parts.sources[urn].heard(heard.last_event_at, heard.day.isoformat(), heard.today)
            else:  # registered since they were read
                self.known_sources = -1
        parts.latest = newest([*parts.latest.items(), *folding.latest])
        return folding

    async def _advance_overdue(
        self,
        connection: Connection,
        projection: Projection,
        folding: Folding | None,
        now: datetime,
    ) -> None:
        """Bring the counts of overdue cases to ``now`` by the difference alone.

        The tables already hold the touched cases as they are now, so these are
        counted apart: out as they were at the last count, in as they are.
        """
        parts = self._parts
        assert parts is not None  # noqa: S101 - loaded just before
        since, self._overdue_at = self._overdue_at, now
        counts = {} if since is None else dict(parts.overdue)
        asks = since is None or self._due_from is None or self._due_from <= now
        if asks:
            fresh = await cases.count_overdue(
                connection, self.region, projection.generation, since, now
            )
            for place, n in fresh.items():
                counts[place] = counts.get(place, 0) + n
            due = await cases.next_due(connection, self.region, projection.generation, now)
            self._due_from = due or NEVER
        due_from = self._due_from or NEVER
        if since is None or folding is None:
            parts.overdue = counts
            return
        for before, after in folding.changes:
            place = (after.key.app, after.key.kind)
            was = before is not None and before.overdue(since)
            # Already counted as fresh, where it was asked for, when it became due in between.
            became = asks and after.overdue(now) and not after.overdue(since)
            counts[place] = counts.get(place, 0) - was + after.overdue(now) - became
            if after.open and after.due_at is not None and now < after.due_at:
                due_from = min(due_from, after.due_at)
        if any(n < 0 for n in counts.values()):
            raise InvariantBroken("fewer than no cases are overdue")
        parts.overdue = {place: n for place, n in counts.items() if n}
        self._due_from = due_from

    async def _frame(
        self,
        connection: Connection,
        projection: Projection,
        folding: Folding | None,
        now: datetime,
        current_at: datetime,
    ) -> bool:
        """Log a frame if there is anything to tell; say whether there was."""
        parts = self._parts
        assert parts is not None  # noqa: S101 - loaded just before
        if folding is None or self.known_sources != len(parts.sources):
            await self._load_sources(connection, projection.generation)
        parts.cells.forget_before(hour_of(now - RECENT))
        document = build(parts, now)
        patch = patches.difference(self._document, document)
        self.next_change = next_change(parts, now, self._due_from)
        if folding is None and not patch:
            await frames.checked(connection, {self.channel: _rev(projection)}, current_at)
            return False
        watermark = _watermark(projection.watermark, folding, now)
        moved = replace(
            projection,
            rev=projection.rev + 1,
            seq=projection.seq if folding is None else folding.seq,
            current_at=current_at,
            watermark=watermark,
            state=dumps(document),
            state_at=now,
        )
        await self.pace.due()
        await write_frame(connection, moved, patch, now)
        self._document = document
        self.at = _place(moved)
        return True


def _place(projection: Projection) -> tuple[str, int, int, int]:
    return projection.epoch, projection.generation, projection.rev, projection.seq


def _rev(projection: Projection) -> tuple[str, int]:
    return projection.epoch, projection.rev


def _watermark(before: datetime | None, folding: Folding | None, now: datetime) -> datetime | None:
    """Return the newest event time folded, at most now, and never going back."""
    if folding is None or folding.newest_time is None:
        return before
    newest_time = min(folding.newest_time, now)
    return newest_time if before is None else max(before, newest_time)


async def write_frame(
    connection: Connection, moved: Projection, patch: dict[str, Any], now: datetime
) -> None:
    """Move a channel to its next rev and keep the frame that led there."""
    keyframe = moved.rev % KEYFRAME_EVERY == 1
    frame = Frame(
        channel=moved.channel,
        epoch=moved.epoch,
        rev=moved.rev,
        seq=moved.seq,
        head=max(moved.head, moved.seq),
        current_at=moved.current_at,
        watermark=moved.watermark,
        patch=dumps(patch),
        state=moved.state if keyframe else None,
    )
    await frames.advance(connection, moved, frame, now)
