"""Keys and tickets: kept as digests, never as themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.models import KeyRow, TicketRow
from app.repositories.statements import Row, run


@dataclass(frozen=True, slots=True)
class KeptKey:
    """What is kept of a key beside its digest."""

    id: UUID
    region: str
    source: str
    scopes: frozenset[str]
    label: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


#: A key that a program may use, at an instant.
_LIVES = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)"
_MEMBERS = "id, region, source, scopes, label, created_at, expires_at, revoked_at, last_used_at"


def _kept(row: Row) -> KeptKey:
    number, region, source, scopes, *rest = row
    return KeptKey(number, region, source, frozenset(scopes), *rest)


async def add(connection: AsyncConnection, key: KeptKey, digest: bytes) -> None:
    """Keep a new key."""
    await connection.execute(
        insert(KeyRow).values(
            region=key.region,
            id=key.id,
            source=key.source,
            digest=digest,
            scopes=sorted(key.scopes),
            label=key.label,
            created_at=key.created_at,
            expires_at=key.expires_at,
        )
    )


async def by_digests(
    connection: AsyncConnection, digests: Sequence[bytes], now: datetime
) -> dict[bytes, KeptKey]:
    """Return the living keys among those with these digests."""
    rows = await run(
        connection,
        f"SELECT digest, {_MEMBERS} FROM api_keys"  # noqa: S608 - no values in it
        f" WHERE digest = ANY ($1::bytea[]) AND {_LIVES}",
        (digests, now),
    )
    return {row[0]: _kept(row[1:]) for row in rows}


async def living(connection: AsyncConnection, ids: Sequence[UUID], now: datetime) -> set[UUID]:
    """Return which of these keys live."""
    rows = await run(
        connection,
        f"SELECT id FROM api_keys WHERE id = ANY ($1::uuid[]) AND {_LIVES}",  # noqa: S608
        (ids, now),
    )
    return {row[0] for row in rows}


async def all_of(connection: AsyncConnection, source: str | None) -> list[KeptKey]:
    """Return the keys of a source, or all, the newest first."""
    rows = await run(
        connection,
        f"SELECT {_MEMBERS} FROM api_keys WHERE $1::text IS NULL OR source = $1"  # noqa: S608
        " ORDER BY created_at DESC, id DESC",
        (source,),
    )
    return [_kept(row) for row in rows]


async def revoke(connection: AsyncConnection, key: UUID, now: datetime) -> KeptKey | None:
    """End a key now, and return it; one that was ended before stays as it was."""
    rows = await run(
        connection,
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1"  # noqa: S608
        f" RETURNING {_MEMBERS}",
        (key, now),
    )
    return _kept(rows[0]) if rows else None


async def was_used(connection: AsyncConnection, ids: Sequence[UUID], now: datetime) -> None:
    """Keep when keys were last used."""
    await run(
        connection, "UPDATE api_keys SET last_used_at = $2 WHERE id = ANY ($1::uuid[])", (ids, now)
    )


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
