"""Who works on what: locks of living sessions, so that nothing here can outlive its owner.

A projector is one session of the database. That it lives is a lock which the
session holds, and so is each channel that it works on: whatever ends the
session gives all of them back at once, and no clock is compared with another.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.repositories.frames import NETWORK, region_channel
from app.repositories.statements import run

#: Of the two numbers of an advisory lock, the one that says what the other means.
_MEMBERS, _CHANNELS = 7_166_703, 7_166_704
#: The server ends a session that said nothing for so long: that of a process which was
#: stopped, or whose machine or network is gone. Such a one closes no connection. An owner
#: speaks each second, and whoever takes over looks as often: 3.5 s in all, where 5 are promised.
SESSION_IDLE_MS = 2_500

#: PostgreSQL names the two numbers ``classid`` and ``objid``, and 2 their kind.
_HELD = """
SELECT l.objid::bigint, l.pid FROM pg_locks l
WHERE l.locktype = 'advisory' AND l.classid::bigint = $1 AND l.objsubid = 2 AND l.granted
  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
"""
# What is not to be had is another's: no wait, and one round trip whatever their number.
_TAKE = "SELECT k FROM unnest($2::int[]) AS k WHERE pg_try_advisory_lock($1, k)"
# One that stopped while the server sent it rows, or took rows from it, is not idle, and no time
# limit of the server's ends it: it would hold its channel's row for as long as it stands.
_END_LEFTOVERS = """
SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.usename = current_user
  AND a.xact_start < now() - interval '1 second'
  AND substring(a.application_name FROM $1 || '([0-9]+)$')::bigint <> ALL ($2::bigint[])
"""
_NAME = "kentongan projector "
_GIVE_BACK = "SELECT pg_advisory_unlock($1, k) FROM unnest($2::int[]) AS k"


def _number(channel: str) -> int:
    """Return a number of the channel's own, which no hash could promise.

    >>> _number("region:36.71"), _number("network")
    (3671, 0)
    """
    if channel == NETWORK:
        return 0
    return int(channel.removeprefix(region_channel("")).replace(".", ""))


def session_name(member: int) -> str:
    """Return by which name the server knows the connections of a member."""
    return f"{_NAME}{member}"


async def end_leftovers(session: Any, living: Collection[int]) -> int:
    """End the transactions of projectors that live no more; return how many there were."""
    ended: int = await session.fetchval(_END_LEFTOVERS, f"^{_NAME}", list(living))
    return ended


async def join(session: Any, member: int) -> bool:
    """Be a member for as long as the session lives; False while another session is it still."""
    await session.execute(f"SET idle_session_timeout = {SESSION_IDLE_MS}")
    joined: bool = await session.fetchval("SELECT pg_try_advisory_lock($1, $2)", _MEMBERS, member)
    return joined


async def members(session: Any) -> frozenset[int]:
    """Return the members that live, and tell the server that this session does."""
    return frozenset(row[0] for row in await session.fetch(_HELD, _MEMBERS))


async def take(session: Any, channels: Collection[str]) -> list[str]:
    """Take those of the channels that nobody holds; return them."""
    by_number = {_number(channel): channel for channel in channels}
    rows = await session.fetch(_TAKE, _CHANNELS, list(by_number))
    return [by_number[row[0]] for row in rows]


async def give_back(session: Any, channels: Collection[str]) -> None:
    """Let others take channels that this session holds."""
    await session.execute(_GIVE_BACK, _CHANNELS, [_number(channel) for channel in channels])


async def shares(connection: AsyncConnection) -> list[int]:
    """Return how many channels each living member holds, most first."""
    owners = [row[1] for row in await run(connection, _HELD, (_CHANNELS,))]
    living = [row[1] for row in await run(connection, _HELD, (_MEMBERS,))]
    return sorted((owners.count(owner) for owner in living), reverse=True)
