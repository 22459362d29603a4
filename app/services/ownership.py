"""How the channels are spread over the projectors that live, without anybody who decides.

Every projector sees the same members and channels, and so comes to the same
answer by itself. Where two see differently for a moment, a lock keeps them
apart; and where even that fails, as with a process that was stopped and goes
on, the lock and the checkpoint of the channel's row still let only one write.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from typing import Any

import structlog

from app.repositories import ownership
from app.repositories.ownership import session_name

__all__ = ["Share", "session_name", "spread"]

log = structlog.get_logger()


def spread(channels: Collection[str], members: Collection[int]) -> dict[str, int]:
    """Return the member that each channel belongs to; empty without members.

    Each channel ranks the members by a hash of the pair and goes to the first
    that has room, of which all have as much: no member has more than its share
    rounded up, and when one comes or goes most channels stay where they are.

    Source: Thaler and Ravishankar, *Using name-based mappings to increase hit
    rates*, 1998 (rendezvous hashing); Mirrokni, Thorup and Zadimoghaddam,
    *Consistent hashing with bounded loads*, 2018.

    >>> sorted(spread(["network", "region:36.71", "region:33.28"], [7, 8]).values())
    [7, 7, 8]
    """
    room = dict.fromkeys(members, -(-len(channels) // max(len(members), 1)))
    owners = {}
    for channel in sorted(channels):
        free = [member for member, places in room.items() if places]
        if free:
            owner = max(free, key=lambda member: (_rank(channel, member), member))
            owners[channel] = owner
            room[owner] -= 1
    return owners


def _rank(channel: str, member: int) -> bytes:
    return blake2b(f"{member} {channel}".encode(), digest_size=8).digest()


class Share:
    """The channels of one projector, held on one session of the database.

    The session is used by one task alone, and must be heard each second or the
    server ends it.
    """

    def __init__(self, session: Any, member: int) -> None:
        self._session = session
        self._member = member
        self._seen: tuple[frozenset[int], frozenset[str]] = (frozenset(), frozenset())
        self._mine: frozenset[str] = frozenset()

    async def join(self) -> bool:
        """Become one of those that channels are spread over; False where it is too early.

        The session that this very process had before may not have ended yet.
        """
        return await ownership.join(self._session, self._member)

    async def mine(self, channels: Collection[str]) -> frozenset[str]:
        """Return those of all channels that belong here, as things stand."""
        seen = await ownership.members(self._session), frozenset(channels)
        if seen != self._seen:
            members, names = self._seen = seen
            owners = spread(names, members)
            self._mine = frozenset(name for name in names if owners.get(name) == self._member)
        return self._mine

    async def take(self, channels: Collection[str]) -> list[str]:
        """Take channels, as far as whoever had them has given them back; return those.

        Whoever lost them by standing still is kept from holding on to their rows.
        """
        if not channels:
            return []
        taken = await ownership.take(self._session, channels)
        if taken and await ownership.end_leftovers(self._session, self._seen[0]):
            log.warning(
                "A projector that stands still was parted from the database",
                action="projector.leftovers",
            )
        return taken

    async def give_back(self, channels: Collection[str]) -> None:
        """Let others have channels that nobody here works on any more."""
        if channels:
            await ownership.give_back(self._session, channels)
