"""The best plain ways to do the same work, each in a process of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b

import asyncpg
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from benchmarks.events import Made, Place, batches
from benchmarks.load import BATCH
from benchmarks.wires import HOST

_TABLE = """
CREATE TABLE IF NOT EXISTS bare_events (
    region text NOT NULL, seq bigint NOT NULL, received_at timestamptz NOT NULL,
    time timestamptz NOT NULL, source text NOT NULL, id text NOT NULL, type text NOT NULL,
    app text NOT NULL, subject text, sequence text, test boolean NOT NULL,
    digest bytea NOT NULL, envelope text NOT NULL,
    UNIQUE (region, source, id)
)
"""
_INSERT = """
INSERT INTO bare_events SELECT * FROM unnest(
    $1::text[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[],
    $7::text[], $8::text[], $9::text[], $10::text[], $11::boolean[], $12::bytea[], $13::text[])
"""


def insert_bare(
    dsn: str, places: tuple[Place, ...], series: str, since: datetime, events: int
) -> float:
    """Insert the same rows with one ``unnest`` a batch on one connection; return rows a second.

    Each batch is a transaction with its fsync. The columns stand ready before
    the clock starts: nothing is parsed, checked, masked, numbered or answered.
    """
    made = batches(places, series, since, BATCH, max(BATCH, events))
    return uvloop.run(_insert(dsn, [_columns(batch) for batch in made]))


def _columns(batch: Sequence[Made]) -> tuple[list[object], ...]:
    now = datetime.now(UTC)
    region, app = batch[0].source.split(":")[2:4]
    size = len(batch)
    return (
        [region] * size,
        list(range(1, size + 1)),
        [now] * size,
        [event.time for event in batch],
        [event.source for event in batch],
        [event.id for event in batch],
        [event.type for event in batch],
        [app] * size,
        [event.subject for event in batch],
        [None] * size,
        [False] * size,
        [blake2b(event.text, digest_size=16).digest() for event in batch],
        [event.text.decode() for event in batch],
    )


async def _insert(dsn: str, made: list[tuple[list[object], ...]]) -> float:
    connection = await asyncpg.connect(dsn)
    await connection.execute(_TABLE)
    statement = await connection.prepare(_INSERT)
    begun = time.monotonic()
    for columns in made:
        await statement.fetch(*columns)
    took = time.monotonic() - begun
    await connection.close()
    return sum(len(columns[0]) for columns in made) / took


async def drop_bare(dsn: str) -> None:
    """Give the disk its room back."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("DROP TABLE IF EXISTS bare_events")
    await connection.close()


def broadcast_frames(port: int, frames: Sequence[str], sockets: int, pace: float) -> float:
    """Broadcast ``frames`` to so many sockets, one each ``pace`` seconds; return CPU seconds.

    A bare server of the ``websockets`` library, without compression and pings,
    on the same event loop as ours. Counted from the moment at which all are
    there to that at which the last frame was sent.
    """
    return uvloop.run(_broadcast(port, frames, sockets, pace))


async def _broadcast(port: int, frames: Sequence[str], sockets: int, pace: float) -> float:
    there: set[ServerConnection] = set()
    complete = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        there.add(connection)
        if len(there) == sockets:
            complete.set()
        await connection.wait_closed()
        there.discard(connection)

    async with serve(
        handler,
        HOST,
        port,
        compression=None,
        ping_interval=None,
        subprotocols=["kentongan.v1"],  # type: ignore[list-item]
    ):
        await complete.wait()
        begun, due = time.process_time(), time.monotonic()
        for frame in frames:
            due += pace
            await asyncio.sleep(due - time.monotonic())
            broadcast(there, frame)
        await asyncio.sleep(pace)
        return time.process_time() - begun
