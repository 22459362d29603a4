"""Keys and tickets: kept as digests, never as themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.models import KeyRow, TicketRow
from app.repositories.statements import run


@dataclass(frozen=True, slots=True)
class KeptKey:
    """What is kept of a key beside its digest."""

    id: UUID
    region: str
    source: str
    scopes: frozenset[str]


async def add(connection: AsyncConnection, key: KeptKey, digest: bytes, now: datetime) -> None:
    """Keep a new key."""
    await connection.execute(
        insert(KeyRow).values(
            region=key.region,
            id=key.id,
            source=key.source,
            digest=digest,
            scopes=sorted(key.scopes),
            created_at=now,
        )
    )


async def by_digest(connection: AsyncConnection, digest: bytes) -> KeptKey | None:
    """Return the living key with this digest."""
    rows = await connection.execute(
        select(KeyRow.id, KeyRow.region, KeyRow.source, KeyRow.scopes).where(
            KeyRow.digest == digest, KeyRow.revoked_at.is_(None)
        )
    )
    row = rows.first()
    return None if row is None else KeptKey(row[0], row[1], row[2], frozenset(row[3]))


async def add_ticket(
    connection: AsyncConnection, digest: bytes, reader: str, expires_at: datetime
) -> None:
    """Keep a ticket. It lives half a minute, so it need not wait for the disk."""
    await run(connection, "SET LOCAL synchronous_commit = off")
    await connection.execute(
        insert(TicketRow).values(digest=digest, reader=reader, expires_at=expires_at)
    )


async def take_ticket(connection: AsyncConnection, digest: bytes, now: datetime) -> str | None:
    """Use a ticket up and return whose it was, or nothing when it is used or too old."""
    await run(connection, "SET LOCAL synchronous_commit = off")
    rows = await connection.execute(
        delete(TicketRow)
        .where(TicketRow.digest == digest)
        .returning(TicketRow.reader, TicketRow.expires_at)
    )
    row = rows.first()
    return row[0] if row is not None and row[1] > now else None


async def forget_tickets(connection: AsyncConnection, now: datetime) -> None:
    """Remove tickets that nobody used in time."""
    await connection.execute(delete(TicketRow).where(TicketRow.expires_at <= now))
