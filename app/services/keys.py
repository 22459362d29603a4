"""Keys for programs: made, listed and ended."""

from __future__ import annotations

import secrets
from datetime import timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from app.database import Engine, transaction
from app.domain.errors import InvalidParameter, UnknownKey
from app.domain.regions import SourceName
from app.domain.strict_json import check_text
from app.domain.times import Clock
from app.repositories import keys
from app.repositories.keys import KeptKey
from app.services.access import PREFIX, SCOPES, checksum, digest_of
from app.services.register import ensure_source

#: Of what a key is for.
LONGEST_LABEL = 100


def new_key() -> str:
    """Return a new key: a prefix, 256 bits, and a checksum for scanners."""
    secret = secrets.token_hex(32)
    return f"{PREFIX}{secret}{checksum(secret)}"


async def create_key(
    engine: Engine, clock: Clock, source: SourceName, scopes: frozenset[str]
) -> str:
    """Make a key that does not end by itself, and return it alone; otherwise as ``make_key``."""
    key, _ = await make_key(engine, clock, source, scopes)
    return key


async def make_key(
    engine: Engine,
    clock: Clock,
    source: SourceName,
    scopes: frozenset[str],
    *,
    label: str | None = None,
    lives: timedelta | None = None,
) -> tuple[str, KeptKey]:
    """Make a key for a source, registering the source where it is new.

    A source may have several, so that a new one is in use before the old one ends.

    Returns:
        The key, which is shown only now, and what is kept of it.

    Raises:
        InvalidParameter: a scope is not one of ours, or the label too long.
        UnknownRegion: the source's region does not exist.
    """
    if not scopes <= set(SCOPES):
        raise InvalidParameter(f"scopes are {', '.join(SCOPES)}", field="scope")
    if label is not None:
        check_text(label)
        if not 0 < len(label) <= LONGEST_LABEL:
            raise InvalidParameter(f"a label has 1 to {LONGEST_LABEL} characters", field="label")
    if lives is not None and lives <= timedelta(0):
        raise InvalidParameter("a key lives for some time", field="days")
    key = new_key()
    now = clock()
    kept = KeptKey(
        id=uuid7(),
        region=source.region,
        source=source.urn,
        scopes=scopes,
        label=label,
        created_at=now,
        expires_at=None if lives is None else now + lives,
    )
    async with transaction(engine) as connection:
        await ensure_source(connection, source, now)
        await keys.add(connection, kept, digest_of(key))
    return key, kept


async def list_keys(engine: Engine, source: SourceName | None) -> list[KeptKey]:
    """Return the keys of a source, or all, the newest first; ended ones too."""
    async with transaction(engine) as connection:
        return await keys.all_of(connection, None if source is None else source.urn)


async def revoke_key(engine: Engine, clock: Clock, key: UUID) -> KeptKey:
    """End a key: posts with it are refused, and connections closed, within five seconds.

    Raises:
        UnknownKey: there is none of this number.
    """
    async with transaction(engine) as connection:
        kept = await keys.revoke(connection, key, clock())
    if kept is None:
        raise UnknownKey("no key has this number; `kentongan key list` tells them", field="key")
    return kept
