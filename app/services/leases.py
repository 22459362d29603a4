"""Open connections end with the credential that opened them (G8).

Each process asks the database every two seconds which of the keys that it serves live. What it
could not ask for half a minute it does not serve any more: a database that stands still must not
keep a stolen key alive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from time import monotonic
from uuid import UUID

import structlog

from app.database import Engine, lookup
from app.domain.errors import DatabaseAway, NotPrepared
from app.domain.times import Clock
from app.repositories import keys
from app.services.access import Reader

log = structlog.get_logger()

#: With the time of a look-up, and the 3 s for which a key that was just looked up is remembered
#: where a connection is opened, an end is seen within 5 s.
LOOK_EVERY_S = 2.0
#: For so long after it was last seen alive, a credential is good for an open connection.
LEASE_S = 30.0


class Ended(Enum):
    """Why a connection has to go."""

    REVOKED = "the key was revoked or has expired"
    UNCONFIRMED = "the key could not be confirmed for too long"


#: Called once, with why; it waits for nothing.
Lost = Callable[[Ended], None]


class _Lease:
    """The connections that one key has opened here."""

    __slots__ = ("confirmed_at", "holders")

    def __init__(self, now: float) -> None:
        self.confirmed_at = now
        self.holders: set[Lost] = set()


class Leases:
    """The credentials of this process's open connections."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._leases: dict[UUID, _Lease] = {}

    def hold(self, reader: Reader, lost: Lost) -> None:
        """Call ``lost`` when the credential of a connection that begins has ended.

        A page of a demo city has none that could end.
        """
        key = reader.key
        if key is not None:
            self._leases.setdefault(key, _Lease(monotonic())).holders.add(lost)

    def release(self, reader: Reader, lost: Lost) -> None:
        """Forget a connection that ends."""
        key = reader.key
        lease = None if key is None else self._leases.get(key)
        if key is not None and lease is not None:
            lease.holders.discard(lost)
            if not lease.holders:
                del self._leases[key]

    async def run(self) -> None:
        """Look after the credentials until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except (DatabaseAway, NotPrepared):
                self._end_unconfirmed()
            except Exception:
                log.exception("Credentials could not be looked after", action="leases.failed")
                self._end_unconfirmed()

    async def look(self) -> None:
        """End the connections of keys that have ended.

        Raises:
            DatabaseAway: that could not be asked.
        """
        asked = list(self._leases)
        if not asked:
            return
        now = monotonic()
        async with lookup(self._engine) as connection:
            living = await keys.living(connection, asked, self._clock())
        for key in asked:
            if key in living:
                if key in self._leases:
                    self._leases[key].confirmed_at = now
            else:
                self._end(key, Ended.REVOKED)

    def _end_unconfirmed(self) -> None:
        oldest = monotonic() - LEASE_S
        for key, lease in list(self._leases.items()):
            if lease.confirmed_at < oldest:
                self._end(key, Ended.UNCONFIRMED)

    def _end(self, key: UUID, why: Ended) -> None:
        lease = self._leases.pop(key, None)
        if lease is None:
            return
        log.info(
            "Connections end with their key",
            action="leases.ended",
            key=str(key),
            reason=why.name.lower(),
            connections=len(lease.holders),
        )
        for lost in lease.holders:
            lost(why)
