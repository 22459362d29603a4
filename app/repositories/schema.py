"""Migrations, and whether the database keeps what it acknowledges."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

_APP = Path(__file__).resolve().parents[1]
#: In a checkout the migrations stand beside the package, in a wheel within it.
_PROJECT = _APP / "_schema" if (_APP / "_schema").is_dir() else _APP.parent

#: Only one process migrates at a time; the number is arbitrary and ours.
_MIGRATION_LOCK = 7_166_701


def _config(connection: Connection | None = None) -> Config:
    config = Config(_PROJECT / "alembic.ini")
    config.attributes["connection"] = connection
    return config


def head_revision() -> str | None:
    """Return the newest revision that this program knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def is_known(revision: str) -> bool:
    """Say whether a revision is one of this program's."""
    script = ScriptDirectory.from_config(_config())
    return any(known.revision == revision for known in script.walk_revisions())


async def revision(connection: AsyncConnection) -> str | None:
    """Return the revision that the database stands at, or nothing when empty."""
    return await connection.run_sync(
        lambda sync: MigrationContext.configure(sync).get_current_revision()
    )


async def upgrade(connection: AsyncConnection) -> None:
    """Bring the database to the newest revision, in the caller's transaction."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    await connection.run_sync(lambda sync: command.upgrade(_config(sync), "head"))


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


async def database_name(connection: AsyncConnection) -> str:
    """Return the database's name on its server."""
    return str((await connection.execute(text("SELECT current_database()"))).scalar_one())


async def server_version(connection: AsyncConnection) -> int:
    """Return the server's version as PostgreSQL counts it, 180006 for 18.6."""
    return int((await connection.execute(text("SHOW server_version_num"))).scalar_one())
