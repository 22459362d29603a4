"""Keys and tickets: kept as digests, never as themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert
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


async def by_digests(connection: AsyncConnection, digests: Sequence[bytes]) -> dict[bytes, KeptKey]:
    """Return the living keys among those with these digests."""
    rows = await run(
        connection,
        "SELECT digest, id, region, source, scopes FROM api_keys"
        " WHERE digest = ANY ($1::bytea[]) AND revoked_at IS NULL",
        (digests,),
    )
    return {row[0]: KeptKey(row[1], row[2], row[3], frozenset(row[4])) for row in rows}


async def add_ticket(
    connection: AsyncConnection, digest: bytes, reader: str, expires_at: datetime
) -> None:
    """Keep a ticket."""
    await connection.execute(
        insert(TicketRow).values(digest=digest, reader=reader, expires_at=expires_at)
    )


async def take_ticket(connection: AsyncConnection, digest: bytes, now: datetime) -> str | None:
    """Use a ticket up and return whose it was, or nothing when it is used or too old."""
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
