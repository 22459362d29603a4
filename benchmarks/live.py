"""Walls: event to glass, the cost of a frame, and a thousand that come back at once."""

from __future__ import annotations

import asyncio
from statistics import median
from typing import Any

from benchmarks import rivals, watchers
from benchmarks.installation import Both, Installation, Role, apart
from benchmarks.load import Door, post_paced

Result = dict[str, Any]

BUSY_PER_S, QUIET_PER_S = 500.0, 8.0
HOST_REGION = "36.71"


async def measure_glass(place: Installation, door: Door) -> Result:
    """Measure from the instant at which a post is due to the frame at each socket."""
    sizes = place.sizes
    quiet = await apart(watchers.glass, door, "q", QUIET_PER_S, sizes.quiet_s, sizes.glass_sockets)
    busy = await apart(watchers.glass, door, "g", BUSY_PER_S, sizes.glass_s, sizes.glass_sockets)
    return {
        "p50_ms": busy.p50,
        "p99_ms": busy.p99,
        "quiet_p50_ms": quiet.p50,
        "quiet_p99_ms": quiet.p99,
        "pairs": busy.pairs + quiet.pairs,
        "missed": busy.missed + quiet.missed,
    }


async def measure_fan_out(place: Installation, door: Door) -> Result:
    """Measure an api that does nothing else, against a bare broadcast of what it sent.

    Events come in through another api, so that the CPU of the measured one is
    that of reading frames and sending them, a thousand times each.
    """
    sizes = place.sizes
    api, port = await place.api()
    watched = Door(port, door.keys, door.places, door.since)
    host = tuple(one for one in door.places if one.region == HOST_REGION)
    narrow = Door(door.port, door.keys, host, door.since)
    ours, bare = [], []
    for turn in range(sizes.rounds):
        counted = await apart(
            watchers.count_frames,
            watched,
            narrow,
            f"f{turn}",
            sizes.crowd,
            sizes.fan_out_s,
            api.pid,
        )
        assert counted.messages, "no frame came"
        ours.append(counted.cpu_s / counted.frames * 1e6)
        bare.append(await _bare_us(port + 1_000 + turn, counted.messages, sizes.crowd))
    await api.stop()
    return {
        "ratio": round(median(ours) / median(bare), 3),
        "us": round(median(ours), 2),
        "broadcast_us": round(median(bare), 2),
    }


async def _bare_us(port: int, messages: list[str], sockets: int) -> float:
    """Return the microseconds of a bare broadcast for each frame delivered."""
    cpu, frames = await asyncio.gather(
        apart(rivals.broadcast_frames, port, messages, sockets, watchers.PACE_S),
        apart(watchers.listen, port, sockets, len(messages)),
    )
    return cpu / frames * 1e6


async def measure_reconnect(place: Installation, door: Door, api: Role) -> Result:
    """Measure the return of a crowd, with the positions it held and without; the slower counts."""
    sizes = place.sizes
    resumed, fresh = [], []
    for _ in range(sizes.rounds):
        words = (door, sizes.crowd, api.pid)
        resumed.append(await apart(watchers.reconnect, *words, resuming=True))
        fresh.append(await apart(watchers.reconnect, *words, resuming=False))
    seconds = [median(back.seconds for back in found) for found in (resumed, fresh)]
    cpu_s = [median(back.cpu_s for back in found) for found in (resumed, fresh)]
    return {
        "seconds": round(max(seconds), 3),
        "resumed_s": round(seconds[0], 3),
        "fresh_s": round(seconds[1], 3),
        "resumed_cpu_us": round(cpu_s[0] / sizes.crowd * 1e6),
        "fresh_cpu_us": round(cpu_s[1] / sizes.crowd * 1e6),
    }


async def measure_memory(both: Both) -> Result:
    """Measure both roles after all the work of this run, and then new ones, which go on.

    The figure is that of the new ones, on all the events that there are: what came
    before, in this run or another, is no part of what it says.
    """
    after = await _held(both, "m")
    await both.renew()
    new = await _held(both, "n")
    events, _ = await both.place.heads()
    return {
        "rss_mb": round(sum(new.values()), 1),
        "rss_after_storms_mb": round(sum(after.values()), 1),
        "events": events,
        **new,
        **{f"{name}_after_storms": size for name, size in after.items()},
    }


async def _held(both: Both, series: str) -> dict[str, float]:
    """Return the most megabytes of each role while walls watch and events come."""
    seconds = 6.0
    sockets = both.place.sizes.memory_sockets
    holding = asyncio.create_task(apart(watchers.hold, both.door, sockets, seconds))
    posting = asyncio.create_task(apart(post_paced, both.door, series, 50.0, seconds))
    most: dict[str, int] = {}
    while not holding.done():
        for role in (both.api, both.projector):
            most[role.name] = max(most.get(role.name, 0), role.rss())
        await asyncio.sleep(0.1)
    assert await holding > 0
    await posting
    return {name: round(size / 2**20, 1) for name, size in most.items()}
