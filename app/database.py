"""The engine, its limits, and what a failing database means to the caller."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.domain.errors import DatabaseAway, NotPrepared

#: The names by which the layers above know the database; only below is SQL spoken.
Connection = AsyncConnection
Engine = AsyncEngine

#: A neighbour that stopped while it held a region's lock must not stop us: the
#: request is answered 503 and tried again.
LOCK_TIMEOUT_MS = 3_000
#: A process that stopped inside a transaction gives its locks back after this.
IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000
#: How long a client may wait for a database that does not answer.
CONNECT_TIMEOUT_S = 5.0
#: A statement of the hot paths takes milliseconds; only a dead server takes this.
COMMAND_TIMEOUT_S = 15.0
#: A lookup that a client waits for is given up after this: the answer is there within 10 s.
LOOKUP_WITHIN_S = 6.0
ROLLED_BACK_WITHIN_S = 2.0


#: Whatever is asked here is found by its key, or read as a whole by an index in its order. On
#: its estimates of tables that have yet to be analyzed, or of arrays of unknown length, the
#: planner would rather read all cases of a region and hash them: 6.7 ms for the handful that a
#: step of a projector touches, and more with every year. And nothing here is worth compiling.
PLANNING = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}


def make_engine(
    url: str,
    *,
    pool_size: int,
    command_timeout: float | None = COMMAND_TIMEOUT_S,
    idle_in_transaction_ms: int = IDLE_IN_TRANSACTION_TIMEOUT_MS,
    name: str = "kentongan",
) -> AsyncEngine:
    """Return an engine for one event loop; ``command_timeout`` None is for long work.

    ``name`` is how the server knows its connections.

    Each statement is a transaction of its own: ``transaction`` begins the others
    by the driver's own means, which is half a round of SQLAlchemy less for each.
    """
    engine = create_async_engine(
        async_url(url),
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT_S,
        # An error that is written down must not carry the events it was about.
        hide_parameters=True,
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": command_timeout,
            "server_settings": {
                "application_name": name,
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(idle_in_transaction_ms),
                **PLANNING,
            },
        },
    )
    event.listen(engine.sync_engine, "checkout", _check_open)
    return engine


def _check_open(connection: Any, *_: Any) -> None:
    """Have the pool replace a connection that the server closed while nobody used it."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def url_of(engine: AsyncEngine) -> str:
    """Return the address that an engine is on, its password included."""
    return engine.url.render_as_string(hide_password=False)


def async_url(url: str) -> str:
    """Return the URL with the driver we use, whatever driver it named."""
    return make_url(url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def check_url(url: str) -> None:
    """Check that a URL is that of a PostgreSQL; whether one answers there is another matter.

    Raises:
        ValueError: it is not; what it holds is not repeated.
    """
    try:
        backend = make_url(url).get_backend_name()
    except (ArgumentError, ValueError):
        backend = None
    if backend not in ("postgresql", "postgres"):
        raise ValueError("not an address such as postgresql://user:password@host/database")


async def connect_raw(url: str) -> asyncpg.Connection[Any]:
    """Open a connection outside the pool, for LISTEN and for locks held long."""
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S)


#: What asyncpg raises when the server is gone or goes away, besides OSError.
_AWAY = (
    asyncpg.exceptions.InterfaceError,
    # The driver's word for a connection that died between two messages of one statement.
    asyncpg.exceptions.InternalClientError,
    asyncpg.exceptions.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,
    asyncpg.exceptions.DeadlockDetectedError,
    asyncpg.exceptions.SerializationError,
    asyncpg.exceptions.CannotConnectNowError,
)


def is_away(error: BaseException) -> bool:
    """Say whether an error tells of the database and not of what was asked of it."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated or isinstance(error, InterfaceError | OperationalError):
            return True
        cause = error.__cause__ or error.orig
        return cause is not None and is_away(cause.__cause__ or cause)
    return isinstance(
        error, (*_AWAY, PoolTimeoutError, OSError, TimeoutError, asyncio.TimeoutError)
    )


def _is_unprepared(error: BaseException) -> bool:
    """Say whether an error tells that the database has no tables of ours."""
    if isinstance(error, ProgrammingError) and error.__cause__ is not None:
        return _is_unprepared(error.__cause__.__cause__ or error.__cause__)
    return isinstance(error, asyncpg.exceptions.UndefinedTableError)


def told(error: BaseException) -> str:
    """Describe an unexpected error for the log, without what PostgreSQL quotes of a row.

    >>> told(ValueError("a value"))
    'ValueError'
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    state, name = getattr(cause, "sqlstate", None), getattr(cause, "constraint_name", None)
    places = [
        f"{frame.name} ({Path(frame.filename).name}:{frame.lineno})"
        for frame in traceback.extract_tb(error.__traceback__)[-3:]
    ]
    words = [type(cause).__name__, state, name, " < ".join(reversed(places))]
    return ", ".join(word for word in words if word)


@asynccontextmanager
async def translating() -> AsyncIterator[None]:
    """Turn the many ways in which a database can be away, or not be ours yet, into facts."""
    try:
        yield
    except Exception as error:
        if is_away(error):
            raise DatabaseAway("the database does not answer; nothing was lost") from error
        if _is_unprepared(error):
            raise NotPrepared(
                "the database is not migrated: run `kentongan migrate`", retry_after=30
            ) from error
        raise


def driver_of(connection: AsyncConnection) -> Any:
    """Return the driver's own connection, by which statements go without a layer between."""
    sync = connection.sync_connection
    return None if sync is None else sync.connection.driver_connection


@asynccontextmanager
async def statement(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection on which each statement is a transaction of its own.

    It costs one round trip in place of three, and its locks are given back by
    the server as soon as it is on disk: they need not wait for a client that
    may be slow to say COMMIT.

    Raises:
        DatabaseAway: as with ``transaction``.
    """
    async with translating(), engine.connect() as connection, _left_clean(connection):
        yield connection


@asynccontextmanager
async def _left_clean(connection: AsyncConnection) -> AsyncIterator[None]:
    """Cut a connection off on which a statement was given up.

    The server may not have heard of it, and whoever had the connection next
    would wait for the answer that nobody waits for any more.
    """
    driver = driver_of(connection)
    try:
        yield
    except (TimeoutError, asyncio.CancelledError):
        driver.terminate()
        raise


@asynccontextmanager
async def _together(engine: AsyncEngine, **options: Any) -> AsyncIterator[AsyncConnection]:
    async with translating(), engine.connect() as connection, _left_clean(connection):
        # Held from the beginning: of a connection that SQLAlchemy found broken it gives none.
        driver = driver_of(connection)
        begun = driver.transaction(**options)
        try:
            await begun.start()
        except BaseException:
            driver.terminate()  # the driver no longer knows what it is in
            raise
        try:
            yield connection
            await begun.commit()
        except (TimeoutError, asyncio.CancelledError):
            raise  # and the server rolls back what is cut off
        except BaseException:
            await _roll_back(driver, begun)
            raise


async def _roll_back(driver: Any, begun: Any) -> None:
    """End a transaction that failed; a connection on which that cannot be done is cut off."""
    if driver.is_closed() or not driver.is_in_transaction():
        return
    try:
        async with asyncio.timeout(ROLLED_BACK_WITHIN_S):
            await begun.rollback()
    except BaseException as failed:
        driver.terminate()
        if not isinstance(failed, Exception):
            raise


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction: committed at the end, rolled back on any error.

    Raises:
        DatabaseAway: the database was away at any point, the commit included,
            whose outcome is then unknown.
    """
    async with _together(engine) as connection:
        yield connection


@asynccontextmanager
async def snapshot(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One read-only transaction in which every statement sees the same moment."""
    async with _together(engine, isolation="repeatable_read", readonly=True) as connection:
        yield connection


@asynccontextmanager
async def lookup(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Short statements that a client waits for, given up soon where the server stopped.

    Each is a transaction of its own.

    Raises:
        DatabaseAway: as with ``transaction``, or no answer came in time.
    """
    async with translating(), asyncio.timeout(LOOKUP_WITHIN_S), statement(engine) as connection:
        yield connection


async def notify(connection: asyncpg.Connection[Any], topic: str, payload: str) -> None:
    """Send a NOTIFY of its own, outside any transaction."""
    await connection.execute("SELECT pg_notify($1, $2)", topic, payload)


#: Of the two numbers of an advisory lock, the one that says it is ours.
_LOCK_SPACE = 7_166_702


async def try_lock(connection: asyncpg.Connection[Any], name: str) -> bool:
    """Take a lock for as long as this connection lives; say whether it is ours now."""
    taken: bool = await connection.fetchval(
        "SELECT pg_try_advisory_lock($1, hashtext($2))", _LOCK_SPACE, name
    )
    return taken
