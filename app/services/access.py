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
from datetime import timedelta

from uuid_utils.compat import uuid7

from app.database import Engine, lookup, transaction
from app.domain.errors import (
    CredentialMissing,
    CredentialUnknown,
    InvalidParameter,
    ScopeMissing,
)
from app.domain.regions import SourceName
from app.domain.times import Clock
from app.repositories import keys
from app.repositories.frames import NETWORK
from app.repositories.keys import KeptKey
from app.services.register import ensure_source

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


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: a key with its scopes, or a page of a demo city."""

    name: str
    region: str | None
    source: str | None
    scopes: frozenset[str]

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


def new_key() -> str:
    """Return a new key: a prefix, 256 bits, and a checksum for scanners."""
    secret = secrets.token_hex(32)
    return f"{PREFIX}{secret}{_checksum(secret)}"


def _checksum(secret: str) -> str:
    return f"{zlib.crc32(secret.encode()):08x}"


def _digest(credential: str) -> bytes:
    # A plain digest is enough: 256 random bits cannot be guessed, salted or not.
    return hashlib.sha256(credential.encode()).digest()


def _is_wellformed(key: str) -> bool:
    secret, checksum = key.removeprefix(PREFIX)[:-8], key[-8:]
    return (
        key.isascii()
        and key.startswith(PREFIX)
        and len(secret) == 64
        and _checksum(secret) == checksum
    )


async def create_key(
    engine: Engine, clock: Clock, source: SourceName, scopes: frozenset[str]
) -> str:
    """Make a key for a source, registering the source where it is new; shown only now.

    Raises:
        InvalidParameter: a scope is not one of ours.
        UnknownRegion: the source's region does not exist.
    """
    if not scopes <= set(SCOPES):
        raise InvalidParameter(f"scopes are {', '.join(SCOPES)}", field="scope")
    key = new_key()
    now = clock()
    async with transaction(engine) as connection:
        await ensure_source(connection, source, now)
        kept = KeptKey(uuid7(), source.region, source.urn, scopes)
        await keys.add(connection, kept, _digest(key), now)
    return key


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
        digest = _digest(key)
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
                kept = await keys.by_digests(connection, wanted)
        finally:
            for digest in wanted:
                del self._under_way[digest]
        for digest in wanted:
            self._readers.pop(digest, None)
            key = kept.get(digest)
            if key is not None:
                reader = Reader(f"key:{key.id}", key.region, key.source, key.scopes)
                self._readers[digest] = (begun, reader)
        while len(self._readers) > KEY_CACHE_SIZE:
            self._readers.popitem(last=False)

    async def issue_ticket(self, reader: Reader) -> str:
        """Return a one-use ticket with which a browser can open one connection."""
        ticket = secrets.token_urlsafe(32)
        async with lookup(self._engine) as connection:
            expires_at = self._clock() + TICKET_LIFE
            await keys.add_ticket(connection, _digest(ticket), _written(reader), expires_at)
        return ticket

    async def take_ticket(self, ticket: str) -> Reader | None:
        """Use a ticket up; nothing when it was used, has expired or never was."""
        async with lookup(self._engine) as connection:
            written = await keys.take_ticket(connection, _digest(ticket), self._clock())
        return None if written is None else _read(written)


def _heard(task: asyncio.Task[None]) -> None:
    """Hear what a look-up met with, also where nobody waited for it."""
    if not task.cancelled():
        task.exception()


def _written(reader: Reader) -> str:
    return json.dumps([reader.name, reader.region, reader.source, sorted(reader.scopes)])


def _read(written: str) -> Reader:
    name, region, source, scopes = json.loads(written)
    return Reader(name, region, source, frozenset(scopes))
