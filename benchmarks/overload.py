"""More than can be done: three times the load, and one source that shouts."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from statistics import median
from typing import Any

import uvloop

from benchmarks.events import Place, events_of
from benchmarks.installation import Installation, Role, apart
from benchmarks.load import Door, Posted, percentile, post_paced, run_lanes
from benchmarks.wires import Gone, HttpWire, batch_request, single_request

Result = dict[str, Any]

#: Events of one request here: so small that requests are many, so large that
#: sending three times what the server can take costs the sender little.
SIZE = 100
#: Connections at capacity, and under the storm.
FEW, MANY = 16, 600
TIMES = 3
#: Answers that a client may get over capacity.
ALLOWED = frozenset({"202", "429", "503"})
PROBE_S = 0.05
#: Probes in a row that must be quick again.
QUIET_PROBES = 5
NOISY_PER_S = 3_000.0
NEIGHBOUR_PER_S = 100.0


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
    singles, heavy = await _neighbours(place, door)
    return {
        "goodput_ratio": round(storm.goodput / storm.peak, 3),
        "recovery_s": round(storm.recovery_s, 2),
        "statuses": dict(storm.statuses),
        "rss_mb": round(most / 2**20, 1),
        "neighbour_p99_ratio": round(max(singles, heavy), 3),
        "neighbour_singles_ratio": round(singles, 3),
        "neighbour_batches_ratio": round(heavy, 3),
        "rss_before_mb": round(before / 2**20, 1),
        "peak_per_s": round(storm.peak),
        "goodput_per_s": round(storm.goodput),
        "offered_per_s": round(storm.offered),
        "without_retry_after": storm.without_retry_after,
        "only_allowed": set(storm.statuses) <= ALLOWED,
    }


def _requests(door: Door, series: str) -> Iterator[bytes]:
    """Yield batches of 100 without end, sources in turns."""
    sources = [(door.keys[one.urn], events_of(one, series, door.since)) for one in door.places]
    for key, source in cycle(sources):
        yield batch_request(key, [next(source).text for _ in range(SIZE)])


def _storm(door: Door, seconds: float) -> Storm:
    """Run in a process of its own."""
    return uvloop.run(_weather(door, seconds))


async def _weather(door: Door, seconds: float) -> Storm:
    storm = Storm()
    calm = await _capacity(door, max(seconds / 4, 0.3))
    storm.peak = calm.per_second
    rate = TIMES * storm.peak / SIZE
    # What is refused is sent again, so that a little more than can be kept is enough.
    source = _requests(door, "o")
    ready = deque(next(source) for _ in range(int(1.5 * storm.peak * seconds / SIZE) + MANY))
    await _blow(door.port, ready, rate, seconds, storm)
    ended = time.monotonic()
    await _recover(door, ended, max(3 * calm.latency(50) / FEW, 0.05), storm)
    return storm


async def _capacity(door: Door, seconds: float) -> Posted:
    """Return what a few connections get through, one request at a time on each."""
    source = _requests(door, "c")
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


async def _neighbours(place: Installation, door: Door) -> tuple[float, float]:
    """Return how a noisy source raises others' p99: with single events, and with batches."""
    sizes = place.sizes
    noisy = Door(door.port, door.keys, door.places[:1], door.since)
    quiet = Door(door.port, door.keys, tuple(_others(door.places)), door.since)
    seconds = sizes.overload_s / 2
    words = (NEIGHBOUR_PER_S, seconds)
    alone, singles, heavy = [], [], []
    for turn in range(sizes.rounds):
        alone.append(await apart(post_paced, quiet, f"na{turn}", *words))
        noise = asyncio.create_task(apart(_shout, noisy, f"ns{turn}", NOISY_PER_S, seconds + 1.5))
        singles.append(await apart(post_paced, quiet, f"nb{turn}", *words))
        await noise
        noise = asyncio.create_task(apart(_pour, noisy, f"nh{turn}", seconds + 1.5))
        heavy.append(await apart(post_paced, quiet, f"nc{turn}", *words))
        await noise
    base = median(percentile(one.latencies, 99) for one in alone)
    with_singles = median(percentile(one.latencies, 99) for one in singles)
    with_batches = median(percentile(one.latencies, 99) for one in heavy)
    return with_singles / base, with_batches / base


def _others(places: tuple[Place, ...]) -> Iterator[Place]:
    """Yield the sources of other regions than the first one's."""
    return (place for place in places if place.region != places[0].region)


def _shout(door: Door, series: str, rate: float, seconds: float) -> Posted:
    """Post single events of one key far above its quota."""
    return post_paced(door, series, rate, seconds, connections=128, patience=0.1)


def _pour(door: Door, series: str, seconds: float) -> Posted:
    """Post batches of one key as fast as 16 connections get them answered."""
    source = _requests(door, series)
    made = [(next(source), SIZE) for _ in range(int(seconds * 200))]
    lanes = [made[number::FEW] for number in range(FEW)]
    return uvloop.run(run_lanes(door.port, lanes, seconds))
