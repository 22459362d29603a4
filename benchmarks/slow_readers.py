"""Sockets that stall or read slowly beside healthy ones: who is delayed, and what each holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import psutil
import uvloop

from benchmarks.installation import Installation, Role, apart
from benchmarks.kernel import held_of
from benchmarks.load import Door
from benchmarks.sizes import Sizes
from benchmarks.watchers import HANDFUL, Seen, Watcher, look, watchers
from benchmarks.wires import Gone, HttpWire, request, subscribe

Result = dict[str, Any]

EVENTS_PER_S = 100.0
#: Bytes; the kernel doubles it. What a stalled peer takes is then the server's to hold.
RECEIVE_BUFFER = 4096
#: As often as a socket may ask within 10 s, less a few.
ASKS = 280
CLOSED_WITHIN_S = 25.0
SLOW_READ_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """What one run found; bytes are per stalled socket, and the most of any of them."""

    alone: Seen
    beside: Seen
    user_bytes: float
    kernel_bytes: int
    stuck: int
    closed_4413: int
    slow_closed: int


async def measure(place: Installation, door: Door, api: Role) -> Result:
    """Measure healthy sockets alone, then with the stalled and the slow ones beside."""
    found = await apart(_run, door, place.sizes, api.pid)
    return {
        "p99_ratio": round(found.beside.p99 / found.alone.p99, 3),
        "kernel_kib": round(found.kernel_bytes / 1024, 1),
        "user_kib": round(found.user_bytes / 1024, 1),
        "closed_4413": found.closed_4413,
        "stalled": place.sizes.stalled,
        "stuck": found.stuck,
        "slow_closed": found.slow_closed,
        "alone": asdict_of(found.alone),
        "beside": asdict_of(found.beside),
    }


def asdict_of(seen: Seen) -> Result:
    """Return the percentiles as they are printed."""
    return {"p50_ms": seen.p50, "p99_ms": seen.p99}


def _run(door: Door, sizes: Sizes, pid: int) -> Found:
    """Run in a process of its own."""
    return uvloop.run(_measure(door, sizes, pid))


async def _measure(door: Door, sizes: Sizes, pid: int) -> Found:
    healthy = await watchers(door, sizes.healthy)
    await look(door, "hw", EVENTS_PER_S, 0.5, healthy)
    alone = await look(door, "ha", EVENTS_PER_S, sizes.slow_s, healthy)
    api = psutil.Process(pid)
    before = api.memory_info().rss
    stalled = await _small_windows(door, sizes.stalled)
    slow = await _small_windows(door, sizes.slow)
    reading = [asyncio.create_task(_read_slowly(one)) for one in slow]
    await _stall(door, stalled)
    grown = api.memory_info().rss - before
    kernel = _kernel(door.port, stalled)
    # They are closed ten seconds after they took their last byte.
    beside = await look(door, "hb", EVENTS_PER_S, min(sizes.slow_s, 8.0), healthy)
    grown = max(grown, api.memory_info().rss - before)
    codes = await _codes(stalled)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    return Found(
        alone=alone,
        beside=beside,
        user_bytes=max(grown, 0) / sizes.stalled,
        kernel_bytes=max(kernel, default=0),
        stuck=sum(held > RECEIVE_BUFFER for held in kernel),
        closed_4413=codes.count(4413),
        slow_closed=sum(one.wire.ended.done() for one in slow),
    )


async def _small_windows(door: Door, count: int) -> list[Watcher]:
    found = [Watcher(door, number) for number in range(count)]
    for start in range(0, count, HANDFUL):
        some = found[start : start + HANDFUL]
        await asyncio.gather(*(one.wire.connect(RECEIVE_BUFFER) for one in some))
    for one in found:
        one.wire.say(subscribe(one.channel))
    await asyncio.gather(*(one.current for one in found))
    return found


async def _stall(door: Door, sockets: list[Watcher]) -> None:
    """Read no more, and have more sent than all buffers hold."""
    for one in sockets:
        one.wire.transport.pause_reading()
    wire, alive = HttpWire(door.port), request("GET", "/livez", "none")
    for _ in range(ASKS):
        for one in sockets:
            if not one.wire.transport.is_closing():
                one.wire.say(subscribe(one.channel))
        # Asks that come together are answered once: this answer comes after theirs.
        await wire.ask(alive)
    wire.close()


def _kernel(port: int, sockets: list[Watcher]) -> list[int]:
    ours = {one.wire.transport.get_extra_info("sockname")[1] for one in sockets}
    return [held for peer, held in held_of(port).items() if peer in ours]


async def _read_slowly(one: Watcher) -> None:
    """Read a little now and then, as over a bad line."""
    transport = one.wire.transport
    while not transport.is_closing():
        transport.pause_reading()
        await asyncio.sleep(SLOW_READ_EVERY_S)
        transport.resume_reading()
        await asyncio.sleep(0)


async def _codes(stalled: list[Watcher]) -> list[int | None]:
    """Wait until the server has let go of all, then read to the end of each."""
    await asyncio.sleep(12.0)  # the server's ten seconds, and the second it looks in
    for one in stalled:
        if not one.wire.transport.is_closing():
            one.wire.transport.resume_reading()
    try:
        async with asyncio.timeout(CLOSED_WITHIN_S):
            await asyncio.gather(*(asyncio.shield(one.wire.ended) for one in stalled))
    except (TimeoutError, Gone):
        pass
    return [one.wire.code for one in stalled]
