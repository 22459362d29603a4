"""Posting: in batches, with and without the projector, and one event at a time."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks import rivals
from benchmarks.installation import Installation, Role, apart
from benchmarks.load import Door, Posted, post_batches, post_singles
from benchmarks.meter import Meter

Result = dict[str, Any]

#: Connections of ``ingest_single``.
SENDERS = 32


def cpu_us(meters: dict[str, Meter], events: int) -> dict[str, float]:
    """Return the microseconds of CPU that each process spent on an event."""
    return {name: round(meter.spent() / max(events, 1) * 1e6, 1) for name, meter in meters.items()}


def must_all(posted: Posted, status: str = "202") -> Posted:
    """Return what was posted where every answer had the one status: else nothing is measured."""
    assert set(posted.statuses) == {status}, f"answers were {dict(posted.statuses)}"
    return posted


async def batches(
    place: Installation, door: Door, series: str, roles: dict[str, Role]
) -> tuple[Result, Callable[[], dict[str, float]]]:
    """Measure batches in turns with bare inserts of rows of the same make."""
    sizes = place.sizes
    ours, bare, spent = [], [], []
    for turn in range(sizes.rounds):
        bare.append(
            await apart(
                rivals.insert_bare,
                place.dsn,
                place.places,
                f"{series}{turn}",
                place.since,
                sizes.batch_round,
            )
        )
        meters = _meters(place, roles)
        posted = must_all(await apart(post_batches, door, f"{series}{turn}", sizes.batch_round))
        spent.append(cpu_us(meters, posted.events))
        ours.append(posted)
        if "projector" in roles:
            # The next round's rival has the machine to itself.
            await place.drained()
    await rivals.drop_bare(place.dsn)
    rate = median(posted.per_second for posted in ours)
    result = {
        "ratio": round(rate / median(bare), 3),
        "events_per_s": round(rate),
        "bare_per_s": round(median(bare)),
        "p99_ms": round(median(posted.latency(99) for posted in ours) * 1e3, 1),
    }
    return result, lambda: {name: median(s[name] for s in spent) for name in spent[0]}


def _meters(place: Installation, roles: dict[str, Role]) -> dict[str, Meter]:
    meters = {name: Meter(role.pid) for name, role in roles.items()}
    return meters | {"postgres": Meter(place.postgres.pid)}


async def measure_batch(place: Installation, door: Door, api: Role) -> Result:
    """Measure batches of 500 with the projector off."""
    result, spent = await batches(place, door, "b", {"api": api})
    return result | {"cpu_us": spent()}


async def measure_live(place: Installation, door: Door, api: Role, projector: Role) -> Result:
    """Measure the same with the projector at work; its CPU includes what it folds meanwhile."""
    result, spent = await batches(place, door, "v", {"api": api, "projector": projector})
    return result | {"cpu_us": spent()}


async def measure_single(place: Installation, door: Door, api: Role) -> Result:
    """Measure one event a request on 32 connections, against the same door without the commit."""
    sizes = place.sizes
    rival, rival_port = await place.api(module="benchmarks.without_commit")
    rival_door = Door(rival_port, door.keys, door.places, door.since)
    most = int(sizes.single_s * 15_000)
    ours, limit, spent = [], [], []
    for turn in range(sizes.rounds):
        words = (f"s{turn}", SENDERS, sizes.single_s, most)
        limit.append(must_all(await apart(post_singles, rival_door, *words)))
        meters = _meters(place, {"api": api})
        ours.append(must_all(await apart(post_singles, door, *words)))
        spent.append(cpu_us(meters, ours[-1].events))
    await rival.stop()
    rate, bound = (median(posted.per_second for posted in found) for found in (ours, limit))
    return {
        "ratio": round(rate / bound, 3),
        "per_s": round(rate),
        "without_commit_per_s": round(bound),
        "p50_ms": round(median(posted.latency(50) for posted in ours) * 1e3, 2),
        "p99_ms": round(median(posted.latency(99) for posted in ours) * 1e3, 2),
        "cpu_us": {name: median(s[name] for s in spent) for name in spent[0]},
    }
