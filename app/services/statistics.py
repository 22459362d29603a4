"""The planner's statistics, made anew as the log grows.

PostgreSQL's own autovacuum looks once a minute. A log that fills from nothing has
by then tens of thousands of events, and every plan made meanwhile takes the
tables for empty: one index seems to it as good as any other.
"""

from __future__ import annotations

import structlog

from app.database import Engine, transaction
from app.domain.errors import DatabaseAway
from app.repositories import schema

log = structlog.get_logger()

#: So few are read in no time by whatever way.
FIRST = 1_000


class Statistics:
    """Sees to it that statistics are of at least half of the events there are."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._next: float | None = None

    async def grown(self, events: int) -> bool:
        """Make statistics where there are twice as many events; say whether that was possible.

        It costs as much as a sample of the tables.
        """
        if self._next is not None and events < self._next:
            return True
        try:
            async with transaction(self._engine) as connection:
                if self._next is None:
                    self._next = max(FIRST, 2 * await schema.events_when_analyzed(connection))
                if events >= self._next:
                    await schema.analyze(connection)
                    self._next = 2 * events
                return True
        except DatabaseAway:
            log.info("Statistics wait for the database", action="projector.no_statistics")
            return False
