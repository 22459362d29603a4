"""Finding the database that a command works on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from app import embedded
from app.cli.logs import configure_logging
from app.cli.output import CommandError, say
from app.clock import now
from app.database import Engine, make_engine
from app.services import installation
from app.settings import Settings

T = TypeVar("T")

#: Where a demo city lives, apart from what is real.
DEMO_DATA_DIR = Path("var/demo")

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="KENTONGAN_DATA_DIR",
        help="Where the embedded database lives (default var/data).",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def settings_for(data_dir: Path | None, **changes: Any) -> Settings:
    """Return the settings with what the command line said on top."""
    given = {name: value for name, value in changes.items() if value is not None}
    if data_dir is not None:
        given["data_dir"] = data_dir
    settings = Settings(**given)
    configure_logging(as_json=settings.log_json)
    return settings


def _named(data_dir: Path | None, settings: Settings) -> bool:
    """Say whether somebody chose the data directory, or it is only the default."""
    return data_dir is not None or "data_dir" in settings.model_fields_set


@asynccontextmanager
async def database_url(
    data_dir: Path | None, settings: Settings, *, begin: bool = True
) -> AsyncIterator[str]:
    """Give the database's address: an outside one, the running instance's, or one for a moment.

    Without a running instance the embedded database is started for the command
    alone, and stopped after it. Where no directory was named and the default
    one does not run, a running demo is meant. ``begin`` False is for commands
    that only look: they must not make a database that is not there.

    Raises:
        CommandError: there is no database, and the command is not one to begin it.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    folder = settings.data_dir
    url = await asyncio.to_thread(embedded.running_url, folder)
    if url is None and not _named(data_dir, settings):
        url = await asyncio.to_thread(embedded.running_url, DEMO_DATA_DIR)
        if url is not None:
            say(f"Using the running demo in {DEMO_DATA_DIR} (name another with --data-dir).")
        elif not begin and not folder.exists():
            raise CommandError(
                f"there is no database in {folder} yet: begin one with `kentongan up`,"
                " or name another with --data-dir"
            )
    if url is not None:
        yield url
        return
    async with await embedded.start(folder) as postgres:
        yield postgres.url


@asynccontextmanager
async def prepared_engine(data_dir: Path | None, settings: Settings) -> AsyncIterator[Engine]:
    """Give an engine on the database, migrated and seeded where it is our own and new."""
    async with database_url(data_dir, settings, begin=False) as url:
        # Commands may take long: a verification of years has no deadline.
        engine = make_engine(url, pool_size=4, command_timeout=None)
        try:
            if settings.database_url is None:
                await installation.prepare(engine, now)
            else:
                await installation.require_current(engine)
            yield engine
        finally:
            await engine.dispose()


def run_on_database(data_dir: Path | None, work: Callable[[Engine], Awaitable[T]]) -> T:
    """Run a command's work on its database."""
    settings = settings_for(data_dir)

    async def main() -> T:
        async with prepared_engine(data_dir, settings) as engine:
            return await work(engine)

    return asyncio.run(main())
