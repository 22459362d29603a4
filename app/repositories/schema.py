"""Migrations, and whether the database keeps what it acknowledges."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.repositories.statements import run, value

_APP = Path(__file__).resolve().parents[1]
#: In a checkout the migrations stand beside the package, in a wheel within it.
_PROJECT = _APP / "_schema" if (_APP / "_schema").is_dir() else _APP.parent

#: Only one process migrates at a time; the number is arbitrary and ours.
_MIGRATION_LOCK = 7_166_701


def known_revisions() -> list[str]:
    """Return the revisions that this program knows, the newest last.

    The names of the files tell them: to ask Alembic would be 10 MB of it in
    every process that only wants to know whether it has to migrate.
    """
    files = (_PROJECT / "migrations" / "versions").glob("[0-9]*.py")
    return [file.name.split("_")[1] for file in sorted(files)]


def head_revision() -> str:
    """Return the newest revision that this program knows."""
    return known_revisions()[-1]


async def revision(connection: AsyncConnection) -> str | None:
    """Return the revision that the database stands at, or nothing when empty."""
    if await value(connection, "SELECT to_regclass('alembic_version')") is None:
        return None
    found: str | None = await value(connection, "SELECT version_num FROM alembic_version")
    return found


async def upgrade(connection: AsyncConnection) -> None:
    """Bring the database to the newest revision, in the caller's transaction."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    # Only who migrates needs them.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config(_PROJECT / "alembic.ini")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def unsafe_settings(connection: AsyncConnection) -> list[str]:
    """Return the names of settings under which an acknowledged event could be lost."""
    rows = await connection.execute(
        text(
            "SELECT name FROM pg_settings WHERE (name, setting) IN"
            " (('fsync', 'off'), ('full_page_writes', 'off'), ('synchronous_commit', 'off'))"
            " ORDER BY name"
        )
    )
    return list(rows.scalars())


async def events_when_analyzed(connection: AsyncConnection) -> float:
    """Return how many events there were when the planner's statistics of them were last made."""
    rows = await value(connection, "SELECT reltuples FROM pg_class WHERE oid = 'events'::regclass")
    return max(float(rows), 0.0)


async def analyze(connection: AsyncConnection) -> None:
    """Make the planner's statistics of what grows anew; in a transaction.

    Of a tenth of the usual sample: what is asked here is found by its key, so that nothing but
    the size of the tables matters, and a storm must not stop for it.
    """
    await run(connection, "SET LOCAL default_statistics_target = 10")
    await run(connection, "ANALYZE events, cases")


async def database_name(connection: AsyncConnection) -> str:
    """Return the database's name on its server."""
    return str((await connection.execute(text("SELECT current_database()"))).scalar_one())


async def server_version(connection: AsyncConnection) -> int:
    """Return the server's version as PostgreSQL counts it, 180006 for 18.6."""
    return int((await connection.execute(text("SHOW server_version_num"))).scalar_one())
