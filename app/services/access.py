"""Who may do what: keys of programs, and tickets for browsers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.database import Engine, lookup
from app.domain.errors import (
    CredentialMissing,
    CredentialUnknown,
    ScopeMissing,
)
from app.domain.times import Clock
from app.repositories import keys
from app.repositories.frames import NETWORK
from app.repositories.keys import KeptKey

EVENTS_WRITE = "events:write"
STATE_READ = "state:read"
CASES_READ = "cases:read"
EVENTS_READ = "events:read"
NETWORK_READ = "network:read"
SCOPES = (EVENTS_WRITE, STATE_READ, CASES_READ, EVENTS_READ, NETWORK_READ)

#: So that scanners of leaked secrets know a key of ours when they see one.
PREFIX = "kentongan_"
TICKET_LIFE = timedelta(seconds=30)
#: A key is looked up once in so long; a revoked one ends within it.
KEY_CACHE_S = 3.0
#: One that is used after so long is looked up beside the request, which need not wait.
KEY_FRESH_S = 1.5
KEY_CACHE_SIZE = 10_000
#: When a key was last used is kept to this.
USED_EVERY = timedelta(minutes=1)
#: A reader who is a key is named so, and its number.
KEY = "key:"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: a key with its scopes, or a page of a demo city."""

    name: str
    region: str | None
    source: str | None
    scopes: frozenset[str]

    @property
    def key(self) -> UUID | None:
        """The number of the key that it is."""
        return UUID(self.name.removeprefix(KEY)) if self.name.startswith(KEY) else None

    def require(self, scope: str, region: str | None = None) -> None:
        """Let the reader pass.

        Raises:
            ScopeMissing: the credential does not have the scope, or is of
                another region.
        """
        if scope not in self.scopes:
            raise ScopeMissing(f"this needs a key with the scope {scope}")
        if region is not None and self.region is not None and region != self.region:
            raise ScopeMissing("this key is of another region")

    def require_channel(self, channel: str) -> None:
        """Let the reader subscribe to a channel, or raise ScopeMissing."""
        if channel == NETWORK:
            self.require(NETWORK_READ)
        else:
            self.require(STATE_READ, channel.removeprefix("region:"))


#: What a page of a demo city may see: everything, since all of it is invented.
DEMO_PAGE = Reader("page:demo", None, None, frozenset({STATE_READ, NETWORK_READ}))


def digest_of(credential: str) -> bytes:
    """Return what is kept of a credential."""
    # A plain digest is enough: 256 random bits cannot be guessed, salted or not.
    return hashlib.sha256(credential.encode()).digest()


def checksum(secret: str) -> str:
    """Return by what a key is known for one without asking the database."""
    return f"{zlib.crc32(secret.encode()):08x}"


def _is_wellformed(key: str) -> bool:
    secret, sum_of_it = key.removeprefix(PREFIX)[:-8], key[-8:]
    return (
        key.isascii()
        and key.startswith(PREFIX)
        and len(secret) == 64
        and checksum(secret) == sum_of_it
    )


class Access:
    """Looks up credentials, remembering the answers for a moment."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._readers: OrderedDict[bytes, tuple[float, Reader]] = OrderedDict()
        self._under_way: dict[bytes, asyncio.Task[None]] = {}
        #: Keys that the next look-up will be of, and its task.
        self._wanted: list[bytes] = []
        self._next: asyncio.Task[None]

    async def reader_of(self, authorization: str | None) -> Reader:
        """Return who an ``Authorization`` header speaks for.

        Raises:
            CredentialMissing: there is no bearer key.
            CredentialUnknown: the key is none of ours, or revoked.
        """
        scheme, _, key = (authorization or "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            raise CredentialMissing("this needs a key: Authorization: Bearer <key>")
        digest = digest_of(key)
        if digest not in self._readers and not _is_wellformed(key):
            raise CredentialUnknown("the key is not one of ours")
        return await self._look_up(digest)

    async def _look_up(self, digest: bytes) -> Reader:
        known = self._readers.get(digest)
        age = time.monotonic() - known[0] if known is not None else KEY_CACHE_S
        if known is not None and age < KEY_FRESH_S:
            return known[1]
        looking = self._look_soon(digest)
        if known is not None and age < KEY_CACHE_S:
            return known[1]
        await asyncio.shield(looking)
        known = self._readers.get(digest)
        if known is None:
            raise CredentialUnknown("the key is not one of ours, or no longer")
        return known[1]

    def _look_soon(self, digest: bytes) -> asyncio.Task[None]:
        """Return the look-up of a key, shared by all who ask for it, and with other keys."""
        task = self._under_way.get(digest)
        if task is None:
            if not self._wanted:
                self._next = asyncio.create_task(self._look_up_wanted())
                self._next.add_done_callback(_heard)
            self._wanted.append(digest)
            task = self._under_way[digest] = self._next
        return task

    async def _look_up_wanted(self) -> None:
        """Read the keys that are wanted by now, in one statement."""
        wanted, self._wanted = self._wanted, []
        begun = time.monotonic()
        try:
            async with lookup(self._engine) as connection:
                now = self._clock()
                kept = await keys.by_digests(connection, wanted, now)
                used = [key.id for key in kept.values() if _is_used_again(key, now)]
                if used:
                    await keys.was_used(connection, used, now)
        finally:
            for digest in wanted:
                del self._under_way[digest]
        for digest in wanted:
            self._readers.pop(digest, None)
            key = kept.get(digest)
            if key is not None:
                reader = Reader(f"{KEY}{key.id}", key.region, key.source, key.scopes)
                self._readers[digest] = (begun, reader)
        while len(self._readers) > KEY_CACHE_SIZE:
            self._readers.popitem(last=False)

    async def issue_ticket(self, reader: Reader) -> str:
        """Return a one-use ticket with which a browser can open one connection."""
        ticket = secrets.token_urlsafe(32)
        async with lookup(self._engine) as connection:
            expires_at = self._clock() + TICKET_LIFE
            await keys.add_ticket(connection, digest_of(ticket), _written(reader), expires_at)
        return ticket

    async def take_ticket(self, ticket: str) -> Reader | None:
        """Use a ticket up; nothing when it was used, has expired or never was."""
        async with lookup(self._engine) as connection:
            written = await keys.take_ticket(connection, digest_of(ticket), self._clock())
        return None if written is None else _read(written)


def _is_used_again(key: KeptKey, now: datetime) -> bool:
    return key.last_used_at is None or now - key.last_used_at >= USED_EVERY


def _heard(task: asyncio.Task[None]) -> None:
    """Hear what a look-up met with, also where nobody waited for it."""
    if not task.cancelled():
        task.exception()


def _written(reader: Reader) -> str:
    return json.dumps([reader.name, reader.region, reader.source, sorted(reader.scopes)])


def _read(written: str) -> Reader:
    name, region, source, scopes = json.loads(written)
    return Reader(name, region, source, frozenset(scopes))
