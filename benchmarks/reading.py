"""Reading a region's state: how long, and whether a long history makes it longer."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.ingest import must_all
from benchmarks.installation import Installation, apart
from benchmarks.load import Door, Posted, read_states

Result = dict[str, Any]


async def reads(place: Installation, door: Door) -> list[Posted]:
    """Read states in rounds."""
    return [
        must_all(await apart(read_states, door, place.sizes.reads), "200")
        for _ in range(place.sizes.rounds)
    ]


def compare(small: list[Posted], large: list[Posted]) -> Result:
    """Return the percentiles on the long history, and how much longer its median takes."""
    p50_small, p50_large = (median(one.latency(50) for one in found) for found in (small, large))
    return {
        "p99_ms": round(median(one.latency(99) for one in large) * 1e3, 2),
        "ratio": round(p50_large / p50_small, 3),
        "p50_ms": round(p50_large * 1e3, 2),
        "small_p50_ms": round(p50_small * 1e3, 2),
    }
