"""Verifying a region: its cases, cells and state against a recomputation from the log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from app.database import Connection, Engine, snapshot
from app.domain.cases import Case
from app.domain.cells import Delta, FlowKey, GaugeKey, RegionCells
from app.domain.errors import UnknownRegion
from app.domain.region_state import RegionParts, build
from app.domain.times import format_instant, hour_of
from app.repositories import cases, cells, event_log, frames, register
from app.repositories.frames import Projection
from app.services.recomputation import recompute

#: Differences told one by one; what is wrong beyond that is wrong for the same reason.
MAX_DIFFERENCES = 1_000


@dataclass(slots=True)
class Verification:
    """What a verification found. ``cells`` is how many cells were compared."""

    region: str
    seq: int
    cells: int = 0
    cases: int = 0
    events: int = 0
    differences: list[dict[str, Any]] = field(default_factory=list)

    def differ(self, where: str, kept: object, recomputed: object) -> None:
        """Note a difference."""
        if len(self.differences) < MAX_DIFFERENCES:
            self.differences.append({"where": where, "kept": kept, "recomputed": recomputed})


async def verify(engine: Engine, region: str) -> Verification:
    """Recompute a region from its log and compare, touching nothing.

    Everything is read in one snapshot, so that ingest and folding go on.

    Raises:
        UnknownRegion: the region has no log here.
    """
    async with snapshot(engine) as connection:
        projection = await frames.read(connection, frames.region_channel(region))
        if projection is None:
            raise UnknownRegion("no such region is registered here", field="region")
        found = Verification(region, projection.seq)
        await _check_log(connection, projection, found)
        await _check_numbers(connection, projection, found)
    return found


async def _check_log(connection: Connection, projection: Projection, found: Verification) -> None:
    """Check that the log is 1, 2, 3 … up to its counter and the checkpoint within it."""
    assert projection.region is not None  # noqa: S101 - a region's projection
    count, top = await event_log.extent(connection, projection.region)
    if count != top:
        found.differ("log: events against the newest seq", count, top)
    if top != projection.head:
        found.differ("log: counter against the newest seq", projection.head, top)
    if projection.seq > projection.head:
        found.differ("checkpoint beyond the log", projection.seq, projection.head)


async def _check_numbers(
    connection: Connection, projection: Projection, found: Verification
) -> None:
    region, generation = found.region, projection.generation
    families = await register.families(connection)
    recomputed = None
    overdue: dict[tuple[str, str], int] = {}
    state_at = projection.state_at
    async for so_far, run in recompute(connection, region, projection.seq, families):
        recomputed = so_far
        keys = [folded.case.key for folded in run]
        kept = await cases.of_keys(connection, region, generation, keys)
        for folded in run:
            _compare_case(kept.get(folded.case.key), folded.case, found)
            if folded.case.overdue(state_at):
                place = (folded.case.key.app, folded.case.key.kind)
                overdue[place] = overdue.get(place, 0) + 1
    assert recomputed is not None  # noqa: S101 - even an empty log gives one run
    found.events, found.cases = recomputed.events, recomputed.cases
    kept_cases = await cases.count(connection, region, generation)
    in_log = recomputed.cases + recomputed.nascent
    if kept_cases != in_log:
        found.differ("cases kept against cases in the log", kept_cases, in_log)
    _compare(await cells.gauges(connection, region, generation), recomputed.cells.gauges, found)
    _compare(await cells.flows(connection, region, generation), recomputed.cells.flows, found)
    await _check_state(connection, projection, recomputed.cells, families, overdue, found)


def _compare_case(kept: Case | None, recomputed: Case, found: Verification) -> None:
    if kept != recomputed:
        where = f"case {'/'.join(recomputed.key)}"
        found.differ(where, kept.state if kept is not None else None, recomputed.state)


def _compare(
    kept: Mapping[GaugeKey, int] | Mapping[FlowKey, int],
    recomputed: Mapping[GaugeKey, int] | Mapping[FlowKey, int],
    found: Verification,
) -> None:
    keys: set[Any] = kept.keys() | recomputed.keys()
    found.cells += len(keys)
    for key in sorted(keys):
        was, should = kept.get(key, 0), recomputed.get(key, 0)
        if was != should:
            found.differ("cell " + "/".join(_name(part) for part in key), was, should)


def _name(part: object) -> str:
    return format_instant(part) if isinstance(part, datetime) else str(part)


async def _check_state(
    connection: Connection,
    projection: Projection,
    recomputed: Delta,
    families: dict[str, str],
    overdue: dict[tuple[str, str], int],
    found: Verification,
) -> None:
    """Build the state document from the recomputed cells and compare it with the kept one."""
    tenant = (await register.tenants(connection, found.region))[0]
    now = projection.state_at
    everything = RegionCells(since=hour_of(now) - timedelta(days=60 * 366))
    everything.apply(recomputed)
    parts = RegionParts(tenant.region, everything, families, overdue)
    kept = json.loads(projection.state)
    day = date.fromisoformat(kept["day"])
    if day != date.fromisoformat(build(parts, now)["day"]):
        return  # the projector has not yet told the day's change; the cells were compared
    expected = build(parts, now)
    for member in ("day", "apps", "events_today", "hours"):
        if kept[member] != expected[member]:
            found.differ(f"state {member}", kept[member], expected[member])
