"""``kentongan key``: keys for programs."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import typer

from app.cli.database import DataDir, Json, run_on_database
from app.cli.output import print_json, say
from app.clock import now
from app.domain.regions import parse_source
from app.domain.times import format_instant
from app.repositories.keys import KeptKey
from app.services.access import EVENTS_WRITE, SCOPES
from app.services.keys import list_keys, make_key, revoke_key

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
    label: Annotated[str | None, typer.Option(help="What it is for, such as a server.")] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=3_660, help="It ends by itself after so many days.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Make a key for a source; a new source is registered with its region and app.

    The key is shown this once; only its digest is kept.
    """
    name = parse_source(source)
    scopes = frozenset(scope or [EVENTS_WRITE])
    lives = None if days is None else timedelta(days=days)
    key, kept = run_on_database(
        data_dir,
        lambda engine: make_key(engine, now, name, scopes, label=label, lives=lives),
    )
    if json:
        print_json({"key": key, **_told(kept)})
    else:
        until = f", until {format_instant(kept.expires_at)}" if kept.expires_at else ""
        say(f"Key {kept.id} for {name.urn} ({', '.join(sorted(scopes))}{until}), shown this once:")
        typer.echo(key)


@app.command("list")
def list_all(
    source: Annotated[
        str | None, typer.Option(help="The source, such as urn:pemda:36.71:laksa.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """List the keys of a source, or all, the newest first; the keys themselves are not kept."""
    name = None if source is None else parse_source(source)
    found = run_on_database(data_dir, lambda engine: list_keys(engine, name))
    if json:
        print_json({"keys": [_told(key) for key in found]})
        return
    for key in found:
        used = format_instant(key.last_used_at) if key.last_used_at else "never"
        words = (str(key.id), key.source, ",".join(sorted(key.scopes)), _status(key), key.label)
        typer.echo("  ".join(word for word in words if word) + f"  last used {used}")


@app.command()
def revoke(
    key: Annotated[UUID, typer.Argument(help="The number of the key, as the list shows it.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """End a key: what it posts is refused, and its connections are closed, within five seconds."""
    kept = run_on_database(data_dir, lambda engine: revoke_key(engine, now, key))
    if json:
        print_json(_told(kept))
    else:
        say(f"Key {kept.id} for {kept.source} is revoked.")


def _status(key: KeptKey) -> str:
    if key.revoked_at is not None:
        return f"revoked {format_instant(key.revoked_at)}"
    if key.expires_at is None:
        return "lives"
    ended = key.expires_at <= now()
    return f"{'ended' if ended else 'lives until'} {format_instant(key.expires_at)}"


def _told(key: KeptKey) -> dict[str, Any]:
    instants = {
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }
    return {
        "id": str(key.id),
        "source": key.source,
        "scopes": sorted(key.scopes),
        **({} if key.label is None else {"label": key.label}),
        **{name: format_instant(at) for name, at in instants.items() if at is not None},
    }
