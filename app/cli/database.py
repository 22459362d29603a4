"""Finding the database that a command works on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from app import embedded
from app.cli.output import configure_logging, say
from app.database import Engine, make_engine
from app.main import now
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


def is_running_elsewhere(settings: Settings, data_dir: Path | None) -> Path | None:
    """Return the demo's data directory where that is what the command must mean.

    That is: no directory was named, none was ever made at the default place,
    and a demo is running beside it.
    """
    if data_dir is not None or "data_dir" in settings.model_fields_set:
        return None
    if not settings.data_dir.exists() and embedded.running_url(DEMO_DATA_DIR):
        return DEMO_DATA_DIR
    return None


@asynccontextmanager
async def database_url(data_dir: Path | None, settings: Settings) -> AsyncIterator[str]:
    """Give the database's address: an outside one, the running instance's, or one for a moment.

    Without a running instance the embedded database is started for the command
    alone, and stopped after it.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    folder = settings.data_dir
    demo = is_running_elsewhere(settings, data_dir)
    if demo is not None:
        say(f"Using the running demo in {demo} (name another with --data-dir).")
        folder = demo
    url = await asyncio.to_thread(embedded.running_url, folder)
    if url is not None:
        yield url
        return
    async with await embedded.start(folder) as postgres:
        yield postgres.url


@asynccontextmanager
async def prepared_engine(data_dir: Path | None, settings: Settings) -> AsyncIterator[Engine]:
    """Give an engine on the database, migrated and seeded where it is our own and new."""
    async with database_url(data_dir, settings) as url:
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
