"""A city in the test's own process: the real services on a real database, and a clock in hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from app.bus import MemoryBus
from app.database import Engine, transaction
from app.domain.events import MISSING, Candidate
from app.repositories import frames
from app.repositories.frames import Projection, region_channel
from app.services.group_commit import GroupCommit
from app.services.ingest import Ingest, Receipt
from app.services.network_projector import NetworkProjector
from app.services.region_projector import RegionProjector
from tests.builders import NOW


class Hands:
    """A clock that stands until it is moved."""

    def __init__(self, moment: datetime = NOW) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.moment

    def move(self, **span: float) -> None:
        """Move the clock on."""
        self.moment += timedelta(**span)


class City:
    """Ingest and projectors of one database, stepped by hand."""

    def __init__(self, engine: Engine, ingest: Ingest, clock: Hands) -> None:
        self.engine, self.ingest, self.clock = engine, ingest, clock
        self.bus = MemoryBus()
        self._projectors: dict[str, RegionProjector] = {}
        self._network = NetworkProjector(engine, clock)

    async def post(self, *events: dict[str, Any]) -> list[Receipt]:
        """Take events in, as if each came from a key of its own source."""
        candidates = []
        for event in events:
            members = dict(event)
            data = members.pop("data", MISSING)
            candidates.append(Candidate(members, data))
        return await self.ingest.submit({event["source"] for event in events}, candidates)

    async def fold(self, region: str = "36.71") -> dict[str, Any]:
        """Fold a region to the end of its log and return its state document."""
        projector = self._projectors.get(region)
        if projector is None:
            projector = RegionProjector(self.engine, region, self.clock)
            self._projectors[region] = projector
        while await projector.step():
            pass
        return await self.state(region)

    def restart(self) -> None:
        """Forget what the projectors hold in memory, as a restart does."""
        self._projectors.clear()
        self._network = NetworkProjector(self.engine, self.clock)

    async def fold_network(self) -> dict[str, Any]:
        """Bring the network's state to the regions' present and return it."""
        await self._network.step()
        state: dict[str, Any] = json.loads((await self.projection(frames.NETWORK)).state)
        return state

    async def state(self, region: str = "36.71") -> dict[str, Any]:
        """Return a region's state document as it is kept."""
        state: dict[str, Any] = json.loads((await self.projection(region_channel(region))).state)
        return state

    async def projection(self, channel: str = "region:36.71") -> Projection:
        """Return where a channel stands."""
        async with transaction(self.engine) as connection:
            projection = await frames.read(connection, channel)
        assert projection is not None
        return projection

    async def frames(self, channel: str = "region:36.71") -> Sequence[frames.Frame]:
        """Return all frames of the channel's epoch."""
        projection = await self.projection(channel)
        async with transaction(self.engine) as connection:
            return await frames.since(connection, channel, projection.epoch, 0, 10_000)


@asynccontextmanager
async def a_city(engine: Engine, clock: Hands | None = None) -> AsyncIterator[City]:
    """Give a city on a database."""
    clock = clock or Hands()
    bus = MemoryBus()
    committer = GroupCommit(engine, bus)
    committing = asyncio.create_task(committer.run())
    try:
        yield City(engine, Ingest(engine, committer, clock), clock)
    finally:
        committing.cancel()
        await asyncio.gather(committing, return_exceptions=True)


def comparable(state: dict[str, Any]) -> dict[str, Any]:
    """Return what of a state must not depend on arrival (G3): all but latest and sources."""
    return {name: value for name, value in state.items() if name not in ("latest", "sources")}
