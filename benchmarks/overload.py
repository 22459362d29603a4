"""More than can be done: three times the load."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import uvloop

from benchmarks import neighbours
from benchmarks.events import events_of
from benchmarks.installation import Installation, Role, apart
from benchmarks.load import HUNDRED as SIZE
from benchmarks.load import Door, Posted, hundreds, run_lanes
from benchmarks.wires import Gone, HttpWire, single_request

Result = dict[str, Any]

#: Connections at capacity, and under the storm.
FEW, MANY = 16, 600
TIMES = 3
#: Answers that a client may get over capacity.
ALLOWED = frozenset({"202", "429", "503"})
PROBE_S = 0.05
#: Probes in a row that must be quick again.
QUIET_PROBES = 5


@dataclass(slots=True)
class Storm:
    """What became of a storm; rates are acknowledged events a second."""

    peak: float = 0.0
    goodput: float = 0.0
    offered: float = 0.0
    recovery_s: float = float("inf")
    without_retry_after: int = 0
    statuses: Counter[str] = field(default_factory=Counter)


async def measure(place: Installation, door: Door, api: Role) -> Result:
    """Measure capacity, the storm, the way back, and what neighbours of a noisy source notice."""
    before = api.rss()
    storming = asyncio.create_task(apart(_storm, door, place.sizes.overload_s))
    most = before
    while not storming.done():
        most = max(most, api.rss())
        await asyncio.sleep(0.1)
    storm = await storming
    return {
        "goodput_ratio": round(storm.goodput / storm.peak, 3),
        "recovery_s": round(storm.recovery_s, 2),
        "statuses": dict(storm.statuses),
        "rss_mb": round(most / 2**20, 1),
        **await neighbours.measure(place, door),
        "rss_before_mb": round(before / 2**20, 1),
        "peak_per_s": round(storm.peak),
        "goodput_per_s": round(storm.goodput),
        "offered_per_s": round(storm.offered),
        "without_retry_after": storm.without_retry_after,
        "only_allowed": set(storm.statuses) <= ALLOWED,
    }


def _storm(door: Door, seconds: float) -> Storm:
    """Run in a process of its own."""
    return uvloop.run(_weather(door, seconds))


async def _weather(door: Door, seconds: float) -> Storm:
    storm = Storm()
    calm = await _capacity(door, max(seconds / 4, 0.3))
    storm.peak = calm.per_second
    rate = TIMES * storm.peak / SIZE
    # What is refused is sent again, so that a little more than can be kept is enough.
    source = hundreds(door, "o")
    ready = deque(next(source) for _ in range(int(1.5 * storm.peak * seconds / SIZE) + MANY))
    await _blow(door.port, ready, rate, seconds, storm)
    ended = time.monotonic()
    await _recover(door, ended, max(3 * calm.latency(50) / FEW, 0.05), storm)
    return storm


async def _capacity(door: Door, seconds: float) -> Posted:
    """Return what a few connections get through, one request at a time on each."""
    source = hundreds(door, "c")
    lanes = [[(next(source), SIZE) for _ in range(int(seconds * 40))] for _ in range(FEW)]
    return await run_lanes(door.port, lanes, seconds)


async def _blow(port: int, ready: deque[bytes], rate: float, seconds: float, storm: Storm) -> None:
    """Offer ``rate`` requests a second from many connections, whatever the answers take."""
    begin = time.monotonic() + 0.1
    turns = iter(range(int(rate * seconds)))
    settled = begin + seconds / 4

    async def client() -> None:
        wire = HttpWire(port)
        for number in turns:
            if (wait := begin + number / rate - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            if time.monotonic() > begin + seconds or not ready:
                break
            await _offer(wire, ready, storm, (settled, begin + seconds))
        wire.close()

    await asyncio.gather(*(client() for _ in range(MANY)))
    storm.goodput /= seconds - seconds / 4
    storm.offered = rate * SIZE


async def _offer(
    wire: HttpWire, ready: deque[bytes], storm: Storm, counted: tuple[float, float]
) -> None:
    data = ready.popleft()
    try:
        answer = await wire.ask(data)
    except (Gone, OSError):
        storm.statuses["closed"] += 1
        ready.append(data)
        return
    status = str(answer.status)
    storm.statuses[status] += 1
    if status == "202":
        storm.goodput += SIZE * (counted[0] <= time.monotonic() <= counted[1])
        return
    ready.append(data)
    storm.without_retry_after += b"\r\nretry-after: " not in answer.head.lower()


async def _recover(door: Door, ended: float, quick: float, storm: Storm) -> None:
    """Probe with single posts until several in a row are answered as on a calm day."""
    place = door.places[0]
    source, key = events_of(place, "r", door.since), door.keys[place.urn]
    wire, good = HttpWire(door.port), 0
    while time.monotonic() < ended + 30.0:
        begun = time.monotonic()
        try:
            answer = await wire.ask(single_request(key, next(source).text))
        except (Gone, OSError):
            good = 0
        else:
            calm = answer.status == 202 and time.monotonic() - begun <= quick
            good = good + 1 if calm else 0
        if good == QUIET_PROBES:
            storm.recovery_s = max(0.0, begun - ended - PROBE_S * QUIET_PROBES)
            break
        await asyncio.sleep(PROBE_S)
    wire.close()
