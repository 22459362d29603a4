"""``kentongan verify`` and ``rebuild``: proving the numbers, and making them anew."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from app.bus import MemoryBus
from app.cli.database import DataDir, Json, prepared_engine, settings_for
from app.cli.output import console, print_json, say
from app.database import Engine, url_of
from app.domain.regions import parse_region_code
from app.services import summaries
from app.services.rebuild import Rebuilt
from app.services.verification import Verification
from app.wiring import commands_bus
from app.workers import work
from app.workers.pool import each_region
from app.workers.work import Tools

Regions = Annotated[
    list[str] | None, typer.Option("--region", help="Region code; may be repeated. Default: all.")
]


def verify(region: Regions = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Recompute from the log and tell every difference; exit code 1 where there is one."""
    settings = settings_for(data_dir)

    async def main() -> list[Verification]:
        async with prepared_engine(data_dir, settings) as engine:
            sizes = await _sizes(engine, region)
            # Nobody is rung for: nothing has changed.
            tools = Tools(engine, MemoryBus())
            tell = _ignore if json else _tell
            return await each_region(work.verify, tools, sizes, found=tell)

    found = asyncio.run(main())
    differences = [
        {"region": one.region, **difference} for one in found for difference in one.differences
    ]
    if json:
        names = ("region", "seq", "cells", "cases", "events")
        regions = [{name: getattr(one, name) for name in names} for one in found]
        print_json({"regions": regions, "differences": differences})
    raise typer.Exit(1 if differences else 0)


def _ignore(_: Verification) -> None:
    """Say nothing now: one document will say it all."""


def _tell(one: Verification) -> None:
    say(
        f"{one.region}  {one.events} events, {one.cases} cases,"
        f" {one.cells} cells, {len(one.differences)} differences"
    )
    for difference in one.differences:
        say(f"   {difference}")


def rebuild(region: Regions = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Fold the logs again beside the living tables and swap, under a new epoch."""
    settings = settings_for(data_dir)

    async def main() -> list[Rebuilt]:
        async with (
            prepared_engine(data_dir, settings) as engine,
            commands_bus(url_of(engine)) as bus,
        ):
            sizes = await _sizes(engine, region)
            with _bars() as bars:
                show = _Bars(bars, sizes).show
                return await each_region(work.rebuild, Tools(engine, bus), sizes, progress=show)

    done = asyncio.run(main())
    if json:
        print_json({"rebuilt": [asdict(one) for one in done]})
    else:
        for one in done:
            say(f"{one.region}  {one.cases} cases, seq {one.seq}, epoch {one.epoch}")


async def _sizes(engine: Engine, wanted: Sequence[str] | None) -> dict[str, int]:
    """Return how many events each region has that is wanted, each region once."""
    codes = [tenant.region.code for tenant in await summaries.list_regions(engine)]
    if wanted:
        codes = [parse_region_code(code) for code in wanted]
    lengths = await summaries.lengths(engine)
    return {code: lengths.get(code, 0) for code in codes}


class _Bars:
    """A bar for each region that has been begun."""

    def __init__(self, bars: Progress, sizes: Mapping[str, int]) -> None:
        self._bars = bars
        self._sizes = sizes
        self._tasks: dict[str, TaskID] = {}

    def show(self, region: str, events: int) -> None:
        """Show how far a region is."""
        if region not in self._tasks:
            self._tasks[region] = self._bars.add_task(region, total=self._sizes[region])
        self._bars.update(self._tasks[region], completed=events)


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
