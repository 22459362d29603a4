"""The network's projector: one line per region and the totals, made of the regions' states."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from app.database import Connection, Engine, transaction
from app.domain import patches
from app.domain.region_state import network, summary
from app.domain.strict_json import dumps
from app.domain.times import Clock
from app.repositories import frames
from app.repositories.frames import NETWORK, Projection
from app.services.pace import Pace
from app.services.region_projector import write_frame
from app.services.register import is_demo


class NetworkProjector:
    """Keeps the network's channel; like a region's, it has one writer at a time."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.pace = Pace()
        self._engine = engine
        self._clock = clock
        self._demo = False
        self._at: tuple[str, int] | None = None
        self._document: dict[str, Any] = {}
        self._known: dict[str, tuple[str, int]] = {}
        self._summaries: dict[str, dict[str, Any]] = {}

    async def step(self) -> bool:
        """Bring the network's state to the regions' present; say whether it changed."""
        self.pace.begun()
        try:
            async with transaction(self._engine) as connection:
                framed = await self._step(connection)
        except BaseException:
            self._at = None
            raise
        if framed:
            self.pace.kept()
        return framed

    async def _step(self, connection: Connection) -> bool:
        projection = await frames.lock(connection, NETWORK)
        if projection is None:
            return False
        if self._at != (projection.epoch, projection.rev):
            self._at = (projection.epoch, projection.rev)
            self._document = json.loads(projection.state)
            self._known, self._summaries = {}, {}
            self._demo = await is_demo(connection)
        now = self._clock()
        # Before the states: one that moves on between the two is then newer than it says.
        standings = await frames.standings(connection)
        for region in await frames.changed(connection, self._known):
            assert region.region is not None  # noqa: S101 - regions alone are read
            self._known[region.channel] = (region.epoch, region.rev)
            self._summaries[region.region] = summary(json.loads(region.state), region.seq)
        moved = self._moved(projection, standings)
        document = network(self._summaries, demo=self._demo)
        patch = patches.difference(self._document, document)
        if not patch and moved.seq == projection.seq:
            await frames.checked(
                connection, {NETWORK: (projection.epoch, projection.rev)}, moved.current_at
            )
            return False
        moved = replace(moved, rev=projection.rev + 1, state=dumps(document), state_at=now)
        await self.pace.due()
        await write_frame(connection, moved, patch, now)
        self._document = document
        self._at = (moved.epoch, moved.rev)
        return True

    def _moved(self, projection: Projection, standings: dict[str, frames.Standing]) -> Projection:
        """Return where the network stands: as far as all regions together, as old as the oldest."""
        seq = sum(line["seq"] for line in self._summaries.values())
        regions = [standings[name] for name in self._known if name in standings]
        oldest = min((region.current_at for region in regions), default=projection.current_at)
        marks = [region.watermark for region in regions if region.watermark is not None]
        return replace(
            projection,
            seq=seq,
            # A region that was just registered is as old as that, which may be before what was
            # last told; but it was not there then.
            current_at=max(projection.current_at, oldest),
            watermark=max(marks, default=projection.watermark),
        )
