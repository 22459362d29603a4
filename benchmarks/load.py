"""Load generators: each function here runs in a process of its own.

All that is sent is made before the clock starts. The clock is the machine's
monotonic one, which all processes share.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import cycle
from statistics import quantiles

import uvloop

from benchmarks.events import Place, batches, events_of
from benchmarks.wires import Answer, Gone, HttpWire, batch_request, request, single_request

BATCH = 500
#: Events of a request where requests are to be many, and to cost their sender little.
HUNDRED = 100


@dataclass(frozen=True, slots=True)
class Door:
    """Where to post, as whom, and the instant at which the sources' days begin."""

    port: int
    keys: dict[str, str]
    places: tuple[Place, ...]
    since: datetime


@dataclass(slots=True)
class Posted:
    """What was sent and what came back; times are seconds."""

    begun: float = 0.0
    ended: float = 0.0
    events: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.begun

    @property
    def per_second(self) -> float:
        """Acknowledged events a second."""
        return self.events / self.seconds

    def latency(self, percent: int) -> float:
        """Return a percentile of the latencies, in seconds."""
        return percentile(self.latencies, percent)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile, 1 to 99; the nearest value where there are few.

    >>> percentile([3.0], 99), percentile([1.0, 2.0, 3.0], 50)
    (3.0, 2.0)
    """
    if len(values) < 2:
        return values[0] if values else float("nan")
    return quantiles(values, n=100, method="inclusive")[percent - 1]


#: A lane: the requests of one connection, in order, and how many events each carries.
Lane = Sequence[tuple[bytes, int]]


def post_batches(door: Door, series: str, events: int, within: float = 3600.0) -> Posted:
    """Post batches of 500, a connection for each region, until all are answered.

    A region's batches go in order on its one connection, as a sender's do.
    """
    by_region: dict[str, list[Place]] = {}
    for place in door.places:
        by_region.setdefault(place.region, []).append(place)
    share = max(BATCH, events // len(by_region))
    lanes: list[Lane] = [
        [
            (batch_request(door.keys[batch[0].source], [one.text for one in batch]), len(batch))
            for batch in batches(places, series, door.since, BATCH, share)
        ]
        for places in by_region.values()
    ]
    return uvloop.run(run_lanes(door.port, lanes, within))


def hundreds(door: Door, series: str) -> Iterator[bytes]:
    """Yield batches of 100 without end, sources in turns."""
    sources = [(door.keys[one.urn], events_of(one, series, door.since)) for one in door.places]
    for key, source in cycle(sources):
        yield batch_request(key, [next(source).text for _ in range(HUNDRED)])


def post_singles(door: Door, series: str, connections: int, seconds: float, most: int) -> Posted:
    """Post one event a request for some seconds; each connection is a sender of its own."""
    lanes: list[Lane] = []
    for number in range(connections):
        place = door.places[number % len(door.places)]
        source = events_of(place, f"{series}.{number}", door.since)
        key = door.keys[place.urn]
        lanes.append(
            [(single_request(key, next(source).text), 1) for _ in range(most // connections)]
        )
    return uvloop.run(run_lanes(door.port, lanes, seconds))


async def run_lanes(port: int, lanes: Sequence[Lane], within: float) -> Posted:
    """Send every lane, one request at a time on each; begin none after ``within`` seconds."""
    posted = Posted()
    wires = [HttpWire(port) for _ in lanes]
    # The key's first look-up and the connection's opening are not what is measured.
    await asyncio.gather(*(wire.ask(request("GET", "/livez", "none")) for wire in wires))
    posted.begun = time.monotonic()
    deadline = posted.begun + within
    await asyncio.gather(
        *(_run_lane(wire, lane, deadline, posted) for wire, lane in zip(wires, lanes, strict=True))
    )
    posted.ended = time.monotonic()
    for wire in wires:
        wire.close()
    return posted


async def _run_lane(wire: HttpWire, lane: Lane, deadline: float, posted: Posted) -> None:
    clock = time.monotonic
    for data, events in lane:
        begun = clock()
        if begun >= deadline:
            return
        answer = await wire.ask(data)
        posted.latencies.append(clock() - begun)
        posted.statuses[str(answer.status)] += 1
        if answer.status == 202:
            posted.events += events


def read_states(door: Door, reads: int) -> Posted:
    """Read regions' states on four connections, one request at a time on each."""
    lanes: list[Lane] = []
    places = door.places
    for number in range(4):
        # Each connection reads all regions in turns, with keys enough for their quotas.
        turn = [places[(number * 7 + step) % len(places)] for step in range(len(places))]
        asks = [
            request("GET", f"/v1/regions/{place.region}/state", door.keys[place.urn])
            for place in turn
        ]
        lanes.append([(asks[step % len(asks)], 1) for step in range(reads // 4)])
    return uvloop.run(run_lanes(door.port, lanes, 3600.0))


def live_requests(
    door: Door, series: str, rate: float, seconds: float
) -> list[tuple[bytes, Place]]:
    """Return single events of now, over all sources in turns, as many as the rate needs."""
    count = int(rate * seconds)
    step = timedelta(seconds=len(door.places) / rate)
    begin = datetime.now(door.since.tzinfo)
    sources = [(place, events_of(place, series, begin, step)) for place in door.places]
    made = []
    for number in range(count):
        place, source = sources[number % len(sources)]
        made.append((single_request(door.keys[place.urn], next(source).text), place))
    return made


async def paced(
    port: int,
    requests: Sequence[bytes],
    rate: float,
    connections: int,
    done: Callable[[int, float, float, Answer | None], None],
    patience: float = math.inf,
) -> None:
    """Send requests at a steady pace, whatever the answers take.

    What is more than ``patience`` seconds late is not sent any more.

    ``done`` is told number, the time at which it was due, the time of its
    answer, and the answer (None where the connection was closed). Lateness of
    a busy connection counts, since times run from when a request was due.
    """
    turns = iter(range(len(requests)))
    begin = time.monotonic() + 0.05

    async def sender() -> None:
        wire = HttpWire(port)
        for number in turns:
            due = begin + number / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            elif -wait > patience:
                continue
            answer = None
            with contextlib.suppress(Gone, OSError):
                answer = await wire.ask(requests[number])
            done(number, due, time.monotonic(), answer)
        wire.close()

    await gather_all(sender() for _ in range(connections))


async def gather_all(work: Iterator[Awaitable[None]]) -> None:
    """Run all to their ends."""
    await asyncio.gather(*work)


def post_paced(
    door: Door,
    series: str,
    rate: float,
    seconds: float,
    connections: int = 16,
    patience: float = math.inf,
    begins: Callable[[], None] = lambda: None,
) -> Posted:
    """Post single events over all sources at a steady rate; ``begins`` once all are made."""
    posted = Posted()

    def done(number: int, due: float, at: float, answer: Answer | None) -> None:
        posted.latencies.append(at - due)
        posted.statuses[str(answer.status if answer else "closed")] += 1
        posted.events += answer is not None and answer.status == 202

    requests = [data for data, _ in live_requests(door, series, rate, seconds)]
    begins()
    posted.begun = time.monotonic()
    uvloop.run(paced(door.port, requests, rate, connections, done, patience))
    posted.ended = time.monotonic()
    return posted
