"""One real PostgreSQL a worker, a migrated template, and a database of its own for each test."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from app import embedded
from app.database import Engine, async_url, make_engine, transaction
from app.domain.regions import SourceName
from app.services import installation
from app.services.register import ensure_source
from tests.builders import NOW
from tests.folders import quick_folder

TEMPLATE = "kentongan_template"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[str]:
    """Give the address of a server of this worker's own, with fsync on as in real life."""
    folder = quick_folder()
    async with await embedded.start(folder / "data") as postgres:
        yield postgres.url
    embedded.erase(folder / "data")
    shutil.rmtree(folder, ignore_errors=True)


def named(url: str, database: str) -> str:
    """Return the address of another database of the same server."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


async def _administer(url: str, statement: str) -> None:
    engine = create_async_engine(async_url(url), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


@pytest.fixture(scope="session")
async def template(server: str) -> str:
    """Make a database that is migrated and seeded once, to be copied for each test."""
    await _administer(server, f"CREATE DATABASE {TEMPLATE}")
    engine = make_engine(named(server, TEMPLATE), pool_size=1)
    await installation.prepare(engine, lambda: NOW, demo=False)
    async with transaction(engine) as connection:
        for region in ("36.71", "33.28", "72.02", "91.71"):
            for app in ("laksa", "perizinan", "siapkerja"):
                await ensure_source(connection, SourceName(region, app), NOW)
    await engine.dispose()
    return server


@dataclass(frozen=True)
class Database:
    """A database of one test: migrated, seeded, with sources of four regions."""

    url: str
    engine: Engine


@pytest.fixture
async def database(template: str) -> AsyncIterator[Database]:
    """Give a test a database of its own."""
    name = f"test_{next(_numbers)}"
    await _administer(template, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    url = named(template, name)
    engine = make_engine(url, pool_size=10)
    yield Database(url, engine)
    await engine.dispose()
    await _administer(template, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def engine(database: Database) -> Engine:
    """Give the engine of the test's database."""
    return database.engine
