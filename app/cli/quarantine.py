"""``kentongan quarantine``: events that were refused, and letting them in again."""

from __future__ import annotations

import asyncio
import json as jsonlib
from typing import Annotated, Any

import typer

from app.cli.database import (
    DataDir,
    Json,
    database_url,
    prepared_engine,
    run_on_database,
    settings_for,
)
from app.cli.output import print_json, say
from app.clock import now
from app.domain.regions import parse_source
from app.domain.times import format_instant
from app.services import quarantine
from app.wiring import command_ingest, commands_bus

app = typer.Typer(no_args_is_help=True, help="Events that were refused.")


@app.callback()
def refused() -> None:
    """Events that were refused."""


@app.command("list")
def list_refused(
    source: Annotated[str, typer.Option(help="The source, such as urn:pemda:36.71:laksa.")],
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """List the refused events of a source, newest first."""
    urn = parse_source(source).urn
    entries = run_on_database(
        data_dir, lambda engine: quarantine.list_refused(engine, urn, None, limit)
    )
    if json:
        lines: list[dict[str, Any]] = [
            {
                "id": entry.id,
                "problem": entry.problem,
                "detail": entry.detail,
                "field": entry.field,
                "times": entry.times,
                "last_refused_at": format_instant(entry.last_refused_at),
                "replayed": entry.replayed_at is not None,
                "event": jsonlib.loads(entry.event),
            }
            for entry in entries
        ]
        print_json({"source": urn, "entries": lines})
        return
    for entry in entries:
        mark = "replayed" if entry.replayed_at else f"{entry.times}×"
        say(f"{entry.id:>8}  {mark:>8}  {entry.problem}: {entry.detail} ({entry.field or '-'})")
    if not entries:
        say("Nothing of this source was refused.")


@app.command()
def replay(
    entry_id: Annotated[int, typer.Argument(help="The number that the list shows.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Send a refused event through the door again; exit code 1 where it is refused again."""
    settings = settings_for(data_dir)

    async def main() -> dict[str, Any]:
        async with (
            prepared_engine(data_dir, settings) as engine,
            database_url(data_dir, settings) as url,
            commands_bus(url) as bus,
            command_ingest(engine, bus) as ingest,
        ):
            entry = await quarantine.find(engine, entry_id)
            receipt = await quarantine.replay(engine, ingest, now, entry)
            return {
                "id": entry_id,
                "outcome": receipt.outcome,
                "region": receipt.region,
                "seq": receipt.seq,
                "detail": str(receipt.problem) if receipt.problem else None,
            }

    result = asyncio.run(main())
    print_json(result) if json else say(f"{entry_id}: {result['outcome']} {result['detail'] or ''}")
    raise typer.Exit(0 if result["outcome"] in ("accepted", "duplicate") else 1)
