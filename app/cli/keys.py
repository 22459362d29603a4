"""``kentongan key``: keys for programs."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.database import DataDir, Json, run_on_database
from app.cli.output import print_json, say
from app.clock import now
from app.domain.regions import parse_source
from app.services.access import EVENTS_WRITE, SCOPES, create_key

app = typer.Typer(no_args_is_help=True, help="Keys for programs.")


@app.callback()
def keys() -> None:
    """Keys for programs."""


@app.command()
def create(
    source: Annotated[str, typer.Option(help="The source, such as urn:pemda:36.71:laksa.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"One of {', '.join(SCOPES)}; may be repeated."),
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Make a key for a source; a new source is registered with its region and app.

    The key is shown this once; only its digest is kept.
    """
    name = parse_source(source)
    scopes = frozenset(scope or [EVENTS_WRITE])
    key = run_on_database(data_dir, lambda engine: create_key(engine, now, name, scopes))
    if json:
        print_json({"key": key, "source": name.urn, "scopes": sorted(scopes)})
    else:
        say(f"Key for {name.urn} ({', '.join(sorted(scopes))}), shown this once:")
        typer.echo(key)
