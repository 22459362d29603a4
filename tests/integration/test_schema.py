"""The migrations against the tables that the program thinks it has."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.database import Engine, async_url, make_engine, transaction
from app.models import Base
from app.repositories import schema
from app.services import installation
from tests.conftest import named

#: All that a schema is made of, as PostgreSQL itself writes it down.
_CATALOGUE = """
SELECT 'table', c.relname, c.relpersistence::text, ''
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
UNION ALL
SELECT 'column', c.relname || '.' || a.attname,
       format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
       || CASE a.attidentity WHEN '' THEN '' ELSE ' identity ' || a.attidentity::text END,
       coalesce(pg_get_expr(d.adbin, d.adrelid), '')
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
  AND NOT a.attisdropped
UNION ALL
SELECT 'constraint', conrelid::regclass || '.' || conname, contype::text, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION ALL
SELECT 'index', indexrelid::regclass::text, '', pg_get_indexdef(indexrelid)
FROM pg_index WHERE indrelid::regclass::text NOT LIKE 'pg_%'
UNION ALL
SELECT 'function', proname, '', pg_get_functiondef(oid)
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


def _config(connection: Connection | None = None) -> Config:
    config = Config("alembic.ini")
    config.attributes["connection"] = connection
    return config


Catalogue = set[tuple[str, str, str, str]]


async def catalogue(engine: Engine, *, without: tuple[str, ...] = ()) -> Catalogue:
    """Return what a database is made of, without Alembic's own table."""
    async with transaction(engine) as connection:
        rows = (await connection.execute(text(_CATALOGUE))).all()
    found = {(row[0], row[1], row[2], row[3]) for row in rows}
    return {
        thing for thing in found if "alembic_version" not in thing[1] and thing[0] not in without
    }


@pytest.fixture
async def empty(server: str) -> AsyncIterator[Engine]:
    """Give the engine of a database that holds nothing."""
    administrator = create_async_engine(async_url(server), isolation_level="AUTOCOMMIT")
    async with administrator.connect() as connection:
        await connection.execute(text("CREATE DATABASE schema_test"))
        engine = make_engine(named(server, "schema_test"), pool_size=2)
        yield engine
        await engine.dispose()
        await connection.execute(text("DROP DATABASE schema_test WITH (FORCE)"))
    await administrator.dispose()


async def test_alembic_finds_nothing_to_add(engine: Engine) -> None:
    def differences(connection: Connection) -> list[object]:
        options = {"compare_type": True, "compare_server_default": True}
        return list(
            compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
        )

    async with transaction(engine) as connection:
        assert await connection.run_sync(differences) == []


async def test_migrated_tables_are_those_of_the_models(engine: Engine, empty: Engine) -> None:
    # Alembic compares neither checks nor the words of indexes, so PostgreSQL is asked.
    async with transaction(empty) as connection:
        await connection.run_sync(Base.metadata.create_all)
    made = await catalogue(empty)
    assert made
    assert await catalogue(engine, without=("function",)) == made


async def test_migrations_go_down_to_nothing_and_up_again(empty: Engine) -> None:
    await installation.migrate(empty)
    up = await catalogue(empty)
    async with transaction(empty) as connection:
        await connection.run_sync(lambda sync: command.downgrade(_config(sync), "base"))
    assert await catalogue(empty) == set()
    assert not await installation.is_current(empty)
    await installation.migrate(empty)
    assert await catalogue(empty) == up
    assert ("function", "append_events") in {thing[:2] for thing in up}


async def test_the_revisions_that_the_files_name_are_those_of_alembic(empty: Engine) -> None:
    known = [step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()]
    assert schema.known_revisions() == known[::-1]
    async with transaction(empty) as connection:
        assert await schema.revision(connection) is None
    await installation.migrate(empty)
    async with transaction(empty) as connection:
        assert await schema.revision(connection) == schema.head_revision() == known[0]
