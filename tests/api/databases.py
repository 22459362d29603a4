"""Databases of the worker's server, each a copy of the migrated and seeded template."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.database import async_url, make_engine, transaction

TEMPLATE = "kentongan_template"


def named(url: str, database: str) -> str:
    """Return the address of another database of the same server."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


async def administer(url: str, statement: str) -> None:
    """Run a statement that no transaction may hold."""
    engine = create_async_engine(async_url(url), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


@asynccontextmanager
async def a_copy(server: str, name: str) -> AsyncIterator[str]:
    """Give a copy of the template, with everything in it as of now."""
    await administer(server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    url = named(server, name)
    await bring_to_present(url)
    yield url
    await administer(server, f"DROP DATABASE {name} WITH (FORCE)")


async def bring_to_present(url: str) -> None:
    """Let what the template made at a moment of its own be as of now.

    The roles run by the real clock; a picture from the future would never grow younger.
    """
    engine = make_engine(url, pool_size=1)
    async with transaction(engine) as connection:
        await connection.execute(
            text("UPDATE projections SET current_at = now(), state_at = now()")
        )
        await connection.execute(text("UPDATE frames SET current_at = now(), created_at = now()"))
    await engine.dispose()
