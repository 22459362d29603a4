"""The installation: its schema, its facts, and whether it is a demo."""

from __future__ import annotations

from hashlib import sha256

from app.database import Engine, transaction
from app.domain.errors import NotPrepared, WrongPurpose
from app.domain.regions import SourceName
from app.domain.times import Clock
from app.repositories import register, schema
from app.services.register import DEMO, DIGEST_KEY, seed, seed_demo


async def migrate(engine: Engine) -> str:
    """Bring the schema to the newest revision; return it."""
    async with transaction(engine) as connection:
        await schema.upgrade(connection)
    return schema.head_revision()


async def is_current(engine: Engine) -> bool:
    """Say whether the schema stands at the newest revision."""
    async with transaction(engine) as connection:
        return await schema.revision(connection) == schema.head_revision()


async def prepare(engine: Engine, clock: Clock, *, demo: bool | None = None) -> None:
    """Migrate and seed; ``demo`` says what the installation must be, None takes it as it is.

    Raises:
        WrongPurpose: a demo city would be mixed with a real one.
    """
    if not await is_current(engine):
        await migrate(engine)
    async with transaction(engine) as connection:
        if demo is not None:
            held = await register.fact(connection, DEMO)
            if held is None and await register.tenants(connection):
                held = "false"  # seeded without --demo: real from its first day
            if held is not None and (held == "true") is not demo:
                raise WrongPurpose(
                    "this database holds a demo city: start it with --demo or another --data-dir"
                    if held == "true"
                    else "this database is a real one: a demo needs a --data-dir of its own"
                )
            await register.set_fact(connection, DEMO, "true" if demo else "false")
        await seed(connection, clock())


async def prepare_demo(engine: Engine, clock: Clock) -> list[SourceName]:
    """Migrate and seed a demo city with its adoptions and sources; return the sources."""
    await prepare(engine, clock, demo=True)
    async with transaction(engine) as connection:
        return await seed_demo(connection, clock())


async def bus_name(engine: Engine) -> str:
    """Return under what this database's doorbells are rung where several share one NATS.

    Raises:
        NotPrepared: the database was not seeded yet.
    """
    async with transaction(engine) as connection:
        key = await register.fact(connection, DIGEST_KEY)
        database = await schema.database_name(connection)
    if key is None:
        raise NotPrepared("the database was never seeded: run `kentongan seed`")
    # A hash: subjects are no secret, the key is. A copy of a database has the key of its model.
    return f"kentongan.{sha256(f'{key} {database}'.encode()).hexdigest()[:16]}"


async def require_current(engine: Engine) -> None:
    """Refuse to work on a schema of another revision.

    Raises:
        NotPrepared: the schema is older, newer, or not there.
    """
    if not await is_current(engine):
        raise NotPrepared("the database is not at this program's schema: run `kentongan migrate`")
    async with transaction(engine) as connection:
        if await register.fact(connection, "digest_key") is None:
            raise NotPrepared("the database was never seeded: run `kentongan seed`")
