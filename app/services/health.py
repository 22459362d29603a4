"""Whether this process can do its work: the database, its schema, its promises to the disk."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

from app import metrics
from app.database import Engine, lookup, transaction
from app.domain.errors import DatabaseAway, NotDurable, NotPrepared
from app.domain.times import Clock
from app.repositories import frames, ownership, schema

#: How long an answer of the database about itself is believed.
CACHE_S = 5.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """``problems`` keep the process from its work; ``halted`` regions only from folding."""

    problems: list[str] = field(default_factory=list)
    halted: dict[str, str] = field(default_factory=dict)


class Health:
    """Asks the database about itself, now and then."""

    def __init__(self, engine: Engine, clock: Clock, leaving: asyncio.Event | None = None) -> None:
        self._engine = engine
        self._clock = clock
        self._leaving = leaving or asyncio.Event()
        self._unsafe: list[str] = []
        self._asked_at = float("-inf")

    async def readiness(self) -> Readiness:
        """Return what stands in the way of being ready."""
        if self._leaving.is_set():
            return Readiness(["this process is told to stop"])
        try:
            async with lookup(self._engine) as connection:
                found = await schema.revision(connection)
                if found != schema.head_revision():
                    return Readiness([_not_current(found)])
                self._unsafe = await schema.unsafe_settings(connection)
                self._asked_at = time.monotonic()
                halted = await frames.halted(connection)
        except DatabaseAway:
            return Readiness(["the database does not answer"])
        problems = [f"the database has {name} off" for name in self._unsafe]
        return Readiness(problems, halted)

    async def measure(self) -> None:
        """Set the metrics that only the database knows; they stay as they are when it is away."""
        with contextlib.suppress(DatabaseAway, NotPrepared):
            async with lookup(self._engine) as connection:
                standings = await frames.standings(connection)
            now = self._clock()
            for standing in standings.values():
                metrics.REV.labels(standing.channel).set(standing.rev)
                age = (now - standing.current_at).total_seconds()
                metrics.PICTURE_AGE.labels(standing.channel).set(age)
                if standing.region is not None:
                    metrics.HEAD.labels(standing.region).set(standing.head)
                    metrics.HALTED.labels(standing.region).set(standing.halted is not None)
                    metrics.LAG.labels(standing.region).set(standing.head - standing.seq)

    async def report(self) -> dict[str, Any]:
        """Return what a person wants to know of the database.

        ``lag`` is how many events of each channel's log are not yet folded,
        ``projectors`` on how many channels each one that lives works.
        """
        async with transaction(self._engine) as connection:
            standings = await frames.standings(connection)
            return {
                "postgresql": await schema.server_version(connection),
                "schema": await schema.revision(connection),
                "regions": sum(standing.region is not None for standing in standings.values()),
                "events": sum(s.head for s in standings.values() if s.region is not None),
                "projectors": await ownership.shares(connection),
                "lag": {name: s.head - s.seq for name, s in sorted(standings.items())},
            }

    async def require_durable(self) -> None:
        """Refuse to take what could be lost after we said it was kept.

        Raises:
            NotDurable: the database acknowledges before data is on disk.
        """
        if time.monotonic() - self._asked_at > CACHE_S:
            async with lookup(self._engine) as connection:
                self._unsafe = await schema.unsafe_settings(connection)
                self._asked_at = time.monotonic()
        if self._unsafe:
            raise NotDurable("the database acknowledges before data is on disk", retry_after=30)


def _not_current(found: str | None) -> str:
    """Say what to do about a schema that is not this program's."""
    if found is None or found in schema.known_revisions():
        return "the database is not migrated: run `kentongan migrate`"
    return "the database was migrated by a newer program: run that one"
