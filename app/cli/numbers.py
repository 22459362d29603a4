"""``kentongan verify`` and ``rebuild``: proving the numbers, and making them anew."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from app.cli.database import DataDir, Json, database_url, prepared_engine, settings_for
from app.cli.output import console, print_json, say
from app.clock import now
from app.database import Engine
from app.domain.regions import parse_region_code
from app.services import summaries, verification
from app.services.rebuild import rebuild as rebuild_region
from app.wiring import commands_bus

Regions = Annotated[
    list[str] | None, typer.Option("--region", help="Region code; may be repeated. Default: all.")
]


async def _regions(engine: Engine, wanted: Sequence[str] | None) -> list[str]:
    if wanted:
        return [parse_region_code(code) for code in wanted]
    return [tenant.region.code for tenant in await summaries.list_regions(engine)]


def verify(region: Regions = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Recompute from the log and tell every difference; exit code 1 where there is one."""
    settings = settings_for(data_dir)

    async def main() -> list[dict[str, Any]]:
        found = []
        async with prepared_engine(data_dir, settings) as engine:
            for code in await _regions(engine, region):
                found.append(asdict(await verification.verify(engine, code)))
                one = found[-1]
                if not json:
                    say(
                        f"{code}  {one['events']} events, {one['cases']} cases,"
                        f" {one['cells']} cells, {len(one['differences'])} differences"
                    )
                    for difference in one["differences"]:
                        say(f"   {difference}")
        return found

    found = asyncio.run(main())
    differences = [
        {"region": one["region"], **difference}
        for one in found
        for difference in one["differences"]
    ]
    if json:
        print_json(
            {
                "regions": [
                    {name: one[name] for name in ("region", "seq", "cells", "cases", "events")}
                    for one in found
                ],
                "differences": differences,
            }
        )
    raise typer.Exit(1 if differences else 0)


def rebuild(region: Regions = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Fold the logs again beside the living tables and swap, under a new epoch."""
    settings = settings_for(data_dir)

    async def main() -> list[dict[str, Any]]:
        done = []
        async with (
            prepared_engine(data_dir, settings) as engine,
            database_url(data_dir, settings) as url,
            commands_bus(url) as bus,
        ):
            for code in await _regions(engine, region):
                head = (await summaries.read_state(engine, summaries.region_channel(code))).head
                with _bar() as progress:
                    task = progress.add_task(code, total=head)
                    result = await rebuild_region(
                        engine,
                        url,
                        bus,
                        now,
                        code,
                        partial(_advance, progress, task),
                    )
                done.append(asdict(result))
        return done

    done = asyncio.run(main())
    if json:
        print_json({"rebuilt": done})
    else:
        for one in done:
            say(f"{one['region']}  {one['cases']} cases, seq {one['seq']}, epoch {one['epoch']}")


def _advance(progress: Progress, task: TaskID, events: int) -> None:
    progress.update(task, completed=events)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
