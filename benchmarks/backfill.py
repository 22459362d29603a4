"""What live events and walls notice of a million old ones that are brought in beside them.

``python -m benchmarks.backfill [--events N] [--quick]`` prints one JSON object.
The same work is measured before the import, while it runs, and after it, so that
neither a fresh log nor a grown one flatters it. The bar is a fifth: rates of at
least 0.8, times of at most 1.2 of those without.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import watchers
from benchmarks.events import Place, events_of
from benchmarks.installation import Installation, Role, an_installation, apart, heads
from benchmarks.load import Door, post_batches, post_paced
from benchmarks.sizes import FULL, QUICK, Sizes

Result = dict[str, Any]

EVENTS = 1_000_000
#: The oldest event is so old; a source's events are then some minutes apart.
YEARS = timedelta(days=700)
#: More than any machine takes in a second here, so that the sender never runs out.
MOST_PER_S = 30_000
GLASS_PER_S, SINGLES_PER_S = 200.0, 100.0
#: Seconds of each measurement of a round, and sockets that watch.
SPAN_S, SOCKETS = 5.0, 50
#: Events that may wait to be folded before the next measurement begins.
CALM = 1_000


@dataclass(slots=True)
class Rounds:
    """What was measured, round by round; times are milliseconds."""

    per_s: list[float] = field(default_factory=list)
    single_p50: list[float] = field(default_factory=list)
    single_p99: list[float] = field(default_factory=list)
    glass_p50: list[float] = field(default_factory=list)
    glass_p99: list[float] = field(default_factory=list)

    def medians(self) -> dict[str, float]:
        """Return the middle of each."""
        return {
            "ingest_per_s": round(median(self.per_s)),
            "single_p50_ms": round(median(self.single_p50), 2),
            "single_p99_ms": round(median(self.single_p99), 2),
            "glass_p50_ms": round(median(self.glass_p50), 1),
            "glass_p99_ms": round(median(self.glass_p99), 1),
        }


async def measure(
    place: Installation,
    door: Door,
    events: int = EVENTS,
    *,
    rounds: int = 2,
    seconds: float = SPAN_S,
) -> Result:
    """Measure live ingest and live frames without and with an import of old events."""
    file = place.folder / "old-events.ndjson"
    await apart(write_file, file, door.places, door.since, events)
    without, beside = Rounds(), Rounds()
    for turn in range(rounds):
        await _round(place, door, without, f"bb{turn}", seconds)
    began = time.monotonic()
    importing = await place.start("import", str(file), "--json")
    whole = 0
    while whole < rounds:
        await _round(place, door, beside, f"bd{whole}", seconds)
        if importing.process.returncode is not None:
            break
        whole += 1
    during_s = time.monotonic() - began
    summary = await _summary_of(place, importing)
    await place.drained()
    drained_s = time.monotonic() - began
    for turn in range(rounds):
        await _round(place, door, without, f"ba{turn}", seconds)
    file.unlink()
    return _compare(without, beside, summary) | {
        # A round during which the import ended is not wholly beside it.
        "rounds_beside": whole,
        "beside_s": round(during_s, 1),
        "folded_after_s": round(drained_s, 1),
    }


async def _round(
    place: Installation, door: Door, found: Rounds, series: str, seconds: float
) -> None:
    await _calm(place)
    most = int(MOST_PER_S * seconds)
    batches = await apart(post_batches, door, f"{series}b", most, seconds)
    assert batches.statuses.keys() == {"202"}, dict(batches.statuses)
    found.per_s.append(batches.per_second)
    await _calm(place)
    singles = await apart(post_paced, door, f"{series}s", SINGLES_PER_S, seconds)
    assert singles.statuses.keys() == {"202"}, dict(singles.statuses)
    found.single_p50.append(singles.latency(50) * 1e3)
    found.single_p99.append(singles.latency(99) * 1e3)
    seen = await apart(watchers.glass, door, f"{series}g", GLASS_PER_S, seconds, SOCKETS)
    assert not seen.missed, f"{seen.missed} events were never told"
    found.glass_p50.append(seen.p50)
    found.glass_p99.append(seen.p99)


async def _calm(place: Installation) -> None:
    """Wait until what was posted at full speed has been folded."""
    connection = await place.connect()
    try:
        while True:
            head, seq = await heads(connection)
            if head - seq < CALM:
                return
            await asyncio.sleep(0.05)
    finally:
        await connection.close()


async def _summary_of(place: Installation, importing: Role) -> Result:
    """Wait for the import's end and return what it printed."""
    code = await importing.process.wait()
    said = (place.folder / "import.log").read_text(encoding="utf-8").splitlines()
    assert code == 0, "\n".join(said[-5:])
    summary: Result = json.loads(said[-1])
    return summary


def _compare(without: Rounds, beside: Rounds, summary: Result) -> Result:
    base, with_import = without.medians(), beside.medians()
    ratios = {
        f"{name.rsplit('_', 1)[0]}_ratio": round(with_import[name] / base[name], 3) for name in base
    }
    return {
        **ratios,
        "slowest_ratio": round(max(1 / ratios["ingest_per_ratio"], *_times(ratios)), 3),
        "without": base,
        "with": with_import,
        "import": {
            name: summary[name]
            for name in ("events", "accepted", "duplicates", "seconds", "waited_s", "events_per_s")
        },
    }


def _times(ratios: dict[str, float]) -> list[float]:
    return [ratio for name, ratio in ratios.items() if name != "ingest_per_ratio"]


def write_file(file: Path, places: Sequence[Place], since: datetime, events: int) -> None:
    """Write a file of old events, sources in turns; runs in a process of its own."""
    step = YEARS / (events // len(places) + 1)
    sources = [events_of(place, "old", since - YEARS, step) for place in places]

    def lines() -> Iterator[bytes]:
        for source in cycle(sources):
            yield next(source).text + b"\n"

    with file.open("wb") as out:
        out.writelines(islice(lines(), events))


async def run(folder: Path, sizes: Sizes, events: int, rounds: int, seconds: float) -> Result:
    """Measure on an installation of its own."""
    async with an_installation(folder, sizes) as place:
        _, port = await place.api()
        door = Door(port, place.keys, place.places, place.since)
        await place.projector()
        return await measure(place, door, events, rounds=rounds, seconds=seconds)


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(prog="benchmarks.backfill", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=SPAN_S, help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="a tenth of the events")
    options = parser.parse_args(words)
    events = options.events // 10 if options.quick else options.events
    sizes = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="kentongan-bench-") as folder:
        Path(folder).chmod(0o711)
        result = asyncio.run(
            run(Path(folder) / "place", sizes, events, options.rounds, options.seconds)
        )
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
