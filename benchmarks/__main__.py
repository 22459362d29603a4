"""``make bench``: measure everything on a fresh installation, and tell it beside the aims.

``python -m benchmarks [--quick] [--only NAME]…`` writes
``benchmarks/results/bench.json`` and prints a table. How each figure is made,
and what it is compared with, is in docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import (
    backfill,
    ingest,
    live,
    overload,
    projecting,
    reading,
    report,
    slow_readers,
    takeover,
)
from benchmarks.installation import Both, Installation, Role, an_installation, apart
from benchmarks.load import Door, Posted, post_batches
from benchmarks.sizes import FULL, QUICK, TINY, Sizes

Result = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
NAMES = (
    "ingest_batch",
    "ingest_live",
    "ingest_single",
    "project",
    "rebuild",
    "verify",
    "glass",
    "fan_out",
    "state_read",
    "reconnect",
    "memory",
    "overload",
    "slow_readers",
    "takeover",
    "backfill",
)
#: Only in a whole run, or where it is named.
LONG = frozenset({"takeover", "backfill"})
#: A thousand sockets, in the server as well as here, and some for all else.
FILES = 8_192
#: Where no rate was measured before, so much is made ready to be posted each second.
RATE_GUESS = 20_000.0


@dataclass
class Run:
    """One run: what is wanted, and what was found so far."""

    sizes: Sizes
    only: frozenset[str]
    console: Console
    results: dict[str, Result] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def wants(self, *names: str) -> bool:
        """Say whether any of these benchmarks is to run."""
        return bool(self.only & set(names))

    async def note(self, name: str, measuring: Awaitable[Result]) -> None:
        """Measure and keep the figures."""
        begun = asyncio.get_running_loop().time()
        try:
            self.results[name] = await measuring
        except Exception:
            # The others' figures are worth their minutes; this one has none.
            self.failed.append(name)
            self.console.print_exception()
        took = asyncio.get_running_loop().time() - begun
        self.console.print(f"{name:<14} {took:6.1f} s", highlight=False)


async def measure(run: Run, folder: Path) -> None:
    """Run what is wanted, in an order in which each finds the history that it needs."""
    async with an_installation(folder, run.sizes) as place:
        api, port = await place.api()
        door = Door(port, place.keys, place.places, place.since)
        small = await _on_a_short_history(run, place, door)
        if run.wants("ingest_batch"):
            await run.note("ingest_batch", ingest.measure_batch(place, door, api))
        if run.wants("ingest_single"):
            await run.note("ingest_single", ingest.measure_single(place, door, api))
        projector = await _fold(run, place, door)
        await _on_a_long_history(run, place, door, small)
        await _with_both(run, Both(place, api, projector, door))


async def _on_a_short_history(run: Run, place: Installation, door: Door) -> list[Posted]:
    """Read states while there is little behind them, with no projector left running."""
    if not run.wants("state_read"):
        return []
    projector = await place.projector()
    await apart(post_batches, door, "a", run.sizes.small)
    await place.drained()
    small = await reading.reads(place, door)
    await projector.stop()
    return small


async def _fold(run: Run, place: Installation, door: Door) -> Role:
    """Make the long history and fold it; return the projector, which goes on."""
    if run.wants("project"):
        rate = float(run.results.get("ingest_batch", {}).get("events_per_s", RATE_GUESS))
        result, projector = await projecting.measure_project(place, door, rate)
        run.results["project"] = result
        return projector
    if run.wants("rebuild", "verify", "glass", "state_read", "memory"):
        await apart(post_batches, door, "l", run.sizes.large)
    projector = await place.projector()
    await place.drained()
    return projector


async def _on_a_long_history(
    run: Run, place: Installation, door: Door, small: list[Posted]
) -> None:
    for name, measuring in (
        ("verify", projecting.measure_verify),
        ("rebuild", projecting.measure_rebuild),
    ):
        if run.wants(name):
            await run.note(name, measuring(place))
    if run.wants("state_read"):
        run.results["state_read"] = reading.compare(small, await reading.reads(place, door))


async def _with_both(run: Run, both: Both) -> None:
    """Measure what needs both roles at work; the rough ones last."""
    place = both.place
    later: tuple[tuple[str, Callable[[], Awaitable[Result]]], ...] = (
        ("glass", lambda: live.measure_glass(place, both.door)),
        ("fan_out", lambda: live.measure_fan_out(place, both.door)),
        ("reconnect", lambda: live.measure_reconnect(place, both.door, both.api)),
        ("ingest_live", lambda: ingest.measure_live(place, both.door, both.api, both.projector)),
        ("memory", lambda: live.measure_memory(both)),
        ("slow_readers", lambda: slow_readers.measure(place, both.door, both.api)),
        ("takeover", lambda: takeover.measure(place, both.door)),
        ("overload", lambda: overload.measure(place, both.door, both.api)),
        ("backfill", lambda: _backfill(place, both.door)),
    )
    for name, measuring in later:
        if run.wants(name):
            await run.note(name, measuring())


async def _backfill(place: Installation, door: Door) -> Result:
    sizes = place.sizes
    found = await backfill.measure(
        place, door, sizes.large, rounds=max(1, sizes.rounds // 2), seconds=sizes.backfill_s
    )
    return {
        "ingest_ratio": found["ingest_per_ratio"],
        "frames_ratio": found["glass_p99_ratio"],
        **found,
    }


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure Kentongan.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the events, two minutes")
    parser.add_argument("--tiny", action="store_true", help="only to see that it runs")
    parser.add_argument("--only", action="append", choices=NAMES, help="may be repeated")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "bench.json")
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / "var" / "bench",
        help="emptied; on the disk that is to be measured",
    )
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, write; return the exit code."""
    options = arguments(words)
    sizes = TINY if options.tiny else QUICK if options.quick else FULL
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, most), most))
    # A file or a pipe has no width of its own; this one fits the table.
    console = Console(width=None if sys.stdout.isatty() else 100)
    usual = NAMES if sizes is FULL else [name for name in NAMES if name not in LONG]
    run = Run(sizes, frozenset(options.only or usual), console)
    began_at = datetime.now(UTC).isoformat(timespec="seconds")
    run.results["meta"] = report.about_this_run(sizes, began_at, os.getloadavg())
    asyncio.run(measure(run, options.folder))
    report.write(run.results, options.out)
    report.show(run.results, console)
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
