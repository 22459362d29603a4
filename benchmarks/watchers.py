"""Sockets that watch: how long a posted event takes to them, and how many frames they get.

Each public function runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import uvloop

from benchmarks.load import Door, live_requests, paced, percentile
from benchmarks.meter import Meter
from benchmarks.wires import Answer, LiveWire, number_in, subscribe

#: Sockets that are opened at once where the opening is not what is measured.
HANDFUL = 50
#: Seconds for what must happen at all.
SOON = 60.0
CONNECTIONS = 32
#: A channel's frames are this far apart.
PACE_S = 0.1


class Watcher:
    """A socket of one channel: where it stands, and when it heard of what."""

    def __init__(self, door: Door, place: int, *, port: int | None = None) -> None:
        self.place = door.places[place % len(door.places)]
        self.channel = f"region:{self.place.region}"
        self.seqs: list[int] = []
        self.times: list[float] = []
        self.epoch, self.rev = "", 0
        self.frames = 0
        self.current: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._resumed = False
        self.wire = LiveWire(port or door.port, door.keys[self.place.urn], self._told)

    def _told(self, view: memoryview) -> None:
        op = bytes(view[7:9])
        if op == b"de":  # {"op":"delta"
            self.frames += 1
            message = bytes(view)
            self.seqs.append(number_in(message, b'"seq":'))
            self.times.append(time.monotonic())
            self.rev = number_in(message, b'"rev":')
            self._is_current()
        elif op == b"sn":
            message = bytes(view[:300])
            place = message.find(b'"epoch":"') + 9
            self.epoch = message[place : message.find(b'"', place)].decode()
            self.rev = number_in(message, b'"rev":')
            self._is_current()
        elif op == b"re":
            self._resumed = True
        elif op == b"he" and self._resumed:  # a heartbeat: nothing was missed
            self._is_current()

    def _is_current(self) -> None:
        if not self.current.done():
            self.current.set_result(None)

    async def watch(self, epoch: str | None = None, rev: int = 0) -> Watcher:
        """Connect, subscribe, and wait until the picture is there and current."""
        await self.wire.connect()
        self.wire.say(subscribe(self.channel, epoch, rev))
        async with asyncio.timeout(SOON):
            await self.current
        return self


async def watchers(door: Door, count: int) -> list[Watcher]:
    """Return so many watchers, spread over the regions."""
    found: list[Watcher] = []
    for start in range(0, count, HANDFUL):
        some = [Watcher(door, number) for number in range(start, min(start + HANDFUL, count))]
        found += await asyncio.gather(*(one.watch() for one in some))
    return found


class Seen(NamedTuple):
    """How long events took to the glass, in milliseconds."""

    p50: float
    p99: float
    pairs: int
    missed: int
    frames: int


@dataclass(slots=True)
class _Sent:
    due: list[float] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)
    refused: int = 0


async def look(
    door: Door, series: str, rate: float, seconds: float, eyes: Sequence[Watcher]
) -> Seen:
    """Post at a pace and return how long each event took to each watcher of its region."""
    made = live_requests(door, series, rate, seconds)
    sent = _Sent([0.0] * len(made), [-1] * len(made))

    def done(number: int, due: float, _: float, answer: Answer | None) -> None:
        if answer is None or answer.status != 202:
            sent.refused += 1
            return
        sent.due[number] = due
        sent.seqs[number] = number_in(answer.body, b'"seq":')

    for eye in eyes:
        eye.seqs.clear()
        eye.times.clear()
    await paced(door.port, [data for data, _ in made], rate, CONNECTIONS, done)
    assert not sent.refused, f"{sent.refused} posts were refused"
    by_region: dict[str, list[tuple[int, float]]] = {}
    for number, (_, place) in enumerate(made):
        by_region.setdefault(place.region, []).append((sent.seqs[number], sent.due[number]))
    await _until_told(eyes, by_region)
    return _compare(eyes, by_region)


async def _until_told(eyes: Sequence[Watcher], events: dict[str, list[tuple[int, float]]]) -> None:
    """Give the last frames a few seconds to come."""
    for _ in range(100):
        if all(_has_all(eye, events) for eye in eyes):
            return
        await asyncio.sleep(0.1)


def _has_all(eye: Watcher, events: dict[str, list[tuple[int, float]]]) -> bool:
    told = events.get(eye.place.region)
    return not told or (bool(eye.seqs) and eye.seqs[-1] >= max(told)[0])


def _compare(eyes: Sequence[Watcher], events: dict[str, list[tuple[int, float]]]) -> Seen:
    delays: list[float] = []
    missed = 0
    for eye in eyes:
        for seq, due in events.get(eye.place.region, ()):
            place = bisect_left(eye.seqs, seq)
            if place < len(eye.seqs):
                delays.append((eye.times[place] - due) * 1e3)
            else:
                missed += 1
    return Seen(
        round(percentile(delays, 50), 1),
        round(percentile(delays, 99), 1),
        len(delays),
        missed,
        sum(eye.frames for eye in eyes),
    )


def glass(door: Door, series: str, rate: float, seconds: float, sockets: int) -> Seen:
    """Return how long events took from being due to be sent to the frame that has them."""

    async def main() -> Seen:
        eyes = await watchers(door, sockets)
        # The first posts open connections and fill caches.
        await look(door, f"{series}w", rate, 0.5, eyes)
        return await look(door, series, rate, seconds, eyes)

    return uvloop.run(main())


class Counted(NamedTuple):
    """What a crowd of sockets was told, and what it cost the server."""

    frames: int
    cpu_s: float
    messages: list[str]


def count_frames(
    door: Door, posts: Door, series: str, sockets: int, seconds: float, pid: int
) -> Counted:
    """Count the frames that a crowd on one channel gets, and the CPU that ``pid`` spends.

    The events that make the frames go to another api, by the door ``posts``,
    whose sources are those of the one region.
    """
    region = posts.places[0].region
    rate = 3 / PACE_S
    made = [data for data, _ in live_requests(posts, series, rate, seconds + 1.0)]

    async def main() -> Counted:
        place = next(n for n, place in enumerate(door.places) if place.region == region)
        crowd: list[Watcher] = []
        for _ in range(0, sockets, HANDFUL):
            some = [Watcher(door, place) for _ in range(min(HANDFUL, sockets - len(crowd)))]
            crowd += await asyncio.gather(*(one.watch() for one in some))
        before = sum(one.frames for one in crowd)
        messages: list[str] = []
        keep = crowd[0].wire._told  # noqa: SLF001 - one of them also keeps what it is told

        def kept(view: memoryview) -> None:
            if bytes(view[7:9]) == b"de":
                messages.append(bytes(view).decode())
            keep(view)

        crowd[0].wire._told = kept  # noqa: SLF001
        flow = asyncio.create_task(paced(posts.port, made, rate, 4, lambda *_: None))
        meter = Meter(pid)
        await asyncio.sleep(seconds)
        cpu = meter.spent()
        counted = Counted(sum(one.frames for one in crowd) - before, cpu, list(messages))
        await flow
        return counted

    return uvloop.run(main())


def listen(port: int, sockets: int, frames: int) -> int:
    """Hold sockets of a bare server until each has got so many frames; return how many came."""

    async def main() -> int:
        counts = [0] * sockets
        complete = asyncio.Event()

        def counter(number: int) -> LiveWire:
            def told(_: memoryview) -> None:
                counts[number] += 1
                if counts[number] == frames and min(counts) == frames:
                    complete.set()

            return LiveWire(port, None, told)

        await _until_open(port)
        for start in range(0, sockets, HANDFUL):
            wires = [counter(number) for number in range(start, min(start + HANDFUL, sockets))]
            await asyncio.gather(*(wire.connect() for wire in wires))
        async with asyncio.timeout(SOON):
            await complete.wait()
        return sum(counts)

    return uvloop.run(main())


async def _until_open(port: int) -> None:
    async with asyncio.timeout(SOON):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


class Back(NamedTuple):
    """How long a crowd took to come back, and the server's CPU for it."""

    seconds: float
    cpu_s: float


def reconnect(door: Door, sockets: int, pid: int, *, resuming: bool) -> Back:
    """Drop a crowd and bring it back at once; return the seconds until all are current."""

    async def main() -> Back:
        crowd = await watchers(door, sockets)
        for one in crowd:
            one.wire.close()
        await asyncio.gather(*(one.wire.ended for one in crowd))
        held = [(one.epoch, one.rev) if resuming else (None, 0) for one in crowd]
        again = [Watcher(door, number) for number in range(sockets)]
        begun, meter = time.monotonic(), Meter(pid)
        await asyncio.gather(*(one.watch(*at) for one, at in zip(again, held, strict=True)))
        return Back(time.monotonic() - begun, meter.spent())

    return uvloop.run(main())


def hold(door: Door, sockets: int, seconds: float) -> int:
    """Watch for some seconds with so many sockets; return the frames they got."""

    async def main() -> int:
        eyes = await watchers(door, sockets)
        await asyncio.sleep(seconds)
        return sum(eye.frames for eye in eyes)

    return uvloop.run(main())
