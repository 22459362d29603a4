"""How fast a back-fill may go: only as fast as it does not hurt what is live.

It reads where the channels stand, which tells both things that matter: whether
the projectors keep up with what was brought in, and whether anybody else posts.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from app.bus import LOG, Bus
from app.database import Engine, transaction
from app.repositories import frames

#: Where channels stand is read this often at most; it is one small query.
LOOK_EVERY_S = 0.2
#: How often to look while the projectors are behind: they step ten times a second.
WAIT_S = 0.05
#: Events that may wait to be folded in a region. A step that folds a thousand takes tens
#: of milliseconds, which a first live event may have to wait for; where others post, a step must
#: stay short against the 100 ms between two frames.
BACKLOG_QUIET, BACKLOG_LIVE = 1_000, 300
#: A projector that folds nothing for so long is not running, or has halted: it will fold
#: once it runs, and the import need not wait for that.
STALLED_AFTER_S = 5.0
#: Others count as posting for so long after their last event.
LIVE_FOR_S = 5.0
#: Where others post, so many times the length of the work is rested after it. Folding costs
#: about as much again, so that this is a fifth of one processor.
REST_LIVE = 8.0


@dataclass(slots=True)
class _Region:
    """A region that is fed: how far folding is behind, and since when it has not moved."""

    seq: int
    backlog: int
    moved_at: float


class Pace:
    """Makes a back-fill give way."""

    def __init__(
        self,
        engine: Engine,
        bus: Bus,
        *,
        ticks: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._engine = engine
        self._bus = bus
        self._ticks = ticks
        self._pause = pause
        self._fed: dict[str, _Region] = {}
        self._since_look: Counter[str] = Counter()
        self._heads: int | None = None
        self._looked_at = float("-inf")
        self._live_until = float("-inf")
        self._works_since = ticks()
        self.waited = 0.0

    @property
    def is_live(self) -> bool:
        """Whether somebody else has posted just now."""
        return self._ticks() < self._live_until

    async def begin(self) -> None:
        """Look where everything stands before the first event."""
        await self._look()
        self._works_since = self._ticks()

    async def give_way(self, accepted: Mapping[str, int]) -> None:
        """Wait as long as is due after the work since the last wait.

        Args:
            accepted: new events of that work by region.
        """
        self._since_look.update(accepted)
        began = self._ticks()
        worked = began - self._works_since
        if self._is_look_due():
            await self._look()
            while behind := self._behind():
                self._bus.ring(LOG, behind)
                await self._pause(WAIT_S)
                await self._look()
        if self.is_live:
            rested = self._ticks() - began
            await self._pause(max(worked * REST_LIVE - rested, 0.0))
        self._works_since = self._ticks()
        self.waited += self._works_since - began

    def finish(self) -> None:
        """Ring for what has not been rung for."""
        if self._fed or self._since_look:
            self._bus.ring(LOG, {*self._fed, *self._since_look})

    def _is_look_due(self) -> bool:
        fed = self._since_look
        return self._ticks() - self._looked_at >= LOOK_EVERY_S or any(
            count + (self._fed[region].backlog if region in self._fed else 0) > self._limit
            for region, count in fed.items()
        )

    @property
    def _limit(self) -> int:
        return BACKLOG_LIVE if self.is_live else BACKLOG_QUIET

    def _behind(self) -> set[str]:
        """Return the fed regions whose projector works and has too much in hand."""
        now = self._ticks()
        return {
            code
            for code, region in self._fed.items()
            if region.backlog > self._limit and now - region.moved_at < STALLED_AFTER_S
        }

    async def _look(self) -> None:
        async with transaction(self._engine) as connection:
            standings = await frames.standings(connection)
        self._looked_at = now = self._ticks()
        regions = {s.region: s for s in standings.values() if s.region is not None}
        heads = sum(standing.head for standing in regions.values())
        if self._heads is not None and heads - self._heads > self._since_look.total():
            self._live_until = now + LIVE_FOR_S
        self._heads = heads
        for code in {*self._fed, *self._since_look} & regions.keys():
            standing, known = regions[code], self._fed.get(code)
            backlog = standing.head - standing.seq
            moved = known is None or known.seq != standing.seq or not backlog
            moved_at = now if moved or known is None else known.moved_at
            if standing.halted is not None:
                moved_at = float("-inf")
            self._fed[code] = _Region(standing.seq, backlog, moved_at)
        self._since_look.clear()
