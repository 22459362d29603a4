"""One source that shouts, and what those notice who do not."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

from benchmarks.events import Place
from benchmarks.installation import GLANCE_S, Installation, apart
from benchmarks.load import HUNDRED, Door, Posted, hundreds, post_paced, run_lanes

NOISY_PER_S = 3_000.0
NEIGHBOUR_PER_S = 100.0
#: Connections of a source that pours batches, and of one that posts single events.
FEW, MANY = 16, 128
#: Batches that a source can pour in a second at most: 20,000 events.
BATCHES_PER_S = 200
#: Makes noise at a door for some seconds, and tells by a file that it begins.
Noise = Callable[[Door, str, float, Path], Posted]


async def measure(place: Installation, door: Door) -> dict[str, Any]:
    """Return how a noisy source raises others' p99: with single events, and with batches."""
    noisy = replace(door, places=door.places[:1])
    quiet = replace(door, places=tuple(_others(door.places)))
    seconds = place.sizes.overload_s / 2
    alone: list[float] = []
    beside: dict[str, list[float]] = {"singles": [], "batches": []}
    for turn in range(place.sizes.rounds):
        calm = await apart(post_paced, quiet, f"na{turn}", NEIGHBOUR_PER_S, seconds)
        alone.append(calm.latency(99))
        for name, make in (("singles", _shout), ("batches", _pour)):
            beside[name].append(await _beside(make, noisy, quiet, f"{name[0]}{turn}", seconds))
    base = median(alone)
    singles, batches = (median(figures) for figures in beside.values())
    return {
        "neighbour_p99_ratio": round(max(singles, batches) / base, 3),
        "neighbour_singles_ratio": round(singles / base, 3),
        "neighbour_batches_ratio": round(batches / base, 3),
        "neighbour_alone_p99_ms": round(base * 1000, 1),
    }


async def _beside(make: Noise, noisy: Door, quiet: Door, series: str, seconds: float) -> float:
    """Return a neighbour's p99 beside noise, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        begun = Path(folder) / "begun"
        noise = asyncio.create_task(apart(make, noisy, f"n{series}", seconds + 1.0, begun))
        while not begun.exists() and not noise.done():  # noqa: ASYNC110 - told by another process
            await asyncio.sleep(GLANCE_S)
        calm = await apart(post_paced, quiet, f"q{series}", NEIGHBOUR_PER_S, seconds)
        await noise
    return calm.latency(99)


def _others(places: tuple[Place, ...]) -> Iterator[Place]:
    """Yield the sources of other regions than the first one's."""
    return (place for place in places if place.region != places[0].region)


def _shout(door: Door, series: str, seconds: float, begun: Path) -> Posted:
    """Post single events of one key far above its quota."""
    return post_paced(
        door, series, NOISY_PER_S, seconds, connections=MANY, patience=0.1, begins=begun.touch
    )


def _pour(door: Door, series: str, seconds: float, begun: Path) -> Posted:
    """Post batches of one key as fast as 16 connections get them answered."""
    made = [(one, HUNDRED) for one in islice(hundreds(door, series), int(seconds * BATCHES_PER_S))]
    lanes = [made[number::FEW] for number in range(FEW)]
    begun.touch()
    return uvloop.run(run_lanes(door.port, lanes, seconds))
