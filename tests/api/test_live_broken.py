"""Servers that break the live protocol are found out: the checking client has teeth (G5)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

from app.live import pictures
from app.live.hub import Channel
from app.live.pictures import Picture
from app.live.session import Session
from app.services.live_feed import LiveFeed
from tests.api.client import Api, Place, folded
from tests.api.conftest import Installation
from tests.api.running import api_here
from tests.live_client import Broken, LiveClient


async def a_wall_sees_no_fault(
    installation: Installation, api: Api, place: Place, witness: LiveClient
) -> None:
    """Follow a region on a server of this process, lose the connection, and come back.

    ``witness`` is a client of a server that is well.

    Raises:
        Broken: the server broke a promise.
    """
    case = place.event()
    await folded(api, place, witness, case)
    with patch("app.routers.live.HEARTBEAT_S", 1):
        async with (
            api_here(installation.url) as base,
            LiveClient(base, place.key, witness.ledger) as wall,
        ):
            await wall.subscribe(place.channel)
            await wall.follow(place.channel, 1)
            for _ in range(2):
                seq = await folded(api, place, witness, place.event())
                await wall.follow(place.channel, seq)
            wall.tear()
            for verb in ("verified", "assigned", "resolved"):
                await folded(api, place, witness, place.report(verb, case["subject"]))
            await wall.connect()
            await wall.resume(place.channel)
            await wall.follow(place.channel, 6)
            await wall.until_op("heartbeat")
            witness.ledger.note_reading(await api.state(place.region))


async def test_this_server_is_not_found_out(
    installation: Installation, api: Api, place: Place, wall: LiveClient
) -> None:
    await a_wall_sees_no_fault(installation, api, place, wall)
    assert len(wall.ledger) >= 6


def always_a_snapshot(reason: str) -> AbstractContextManager[Any]:
    """Never resume, and give a reason for it."""

    async def never(*_: Any) -> tuple[None, str]:
        return None, reason

    return patch.object(LiveFeed, "picture_at", never)


def a_delta_forgets_a_member() -> AbstractContextManager[Any]:
    """Leave a part of each change out."""
    real = pictures.delta

    def forgetful(held: Picture, new: Picture, change: Any = None) -> str:
        shown = {k: v for k, v in new.document.items() if k != "hours"}
        kept = {"hours": held.document["hours"]} if "hours" in held.document else {}
        del change
        return real(held, replace(new, document=shown | kept))

    return patch.object(pictures, "delta", forgetful)


def every_change_is_told_twice() -> AbstractContextManager[Any]:
    """Forget that a message was sent."""
    real, told = Session.next_message, set[str]()

    def again(self: Session) -> str | None:
        message = real(self)
        if message is not None and message.startswith('{"op":"delta"') and message not in told:
            told.add(message)
            self._direct.append(message)
        return message

    return patch.object(Session, "next_message", again)


def changes_are_lost() -> AbstractContextManager[Any]:
    """Drop every second delta, as a queue that is full does."""
    real, count = Session.next_message, 0

    def lossy(self: Session) -> str | None:
        nonlocal count
        message = real(self)
        if message is not None and message.startswith('{"op":"delta"'):
            count += 1
            return real(self) if count % 2 else message
        return message

    return patch.object(Session, "next_message", lossy)


def resumed_but_told_nothing() -> AbstractContextManager[Any]:
    """Say that a position holds, and go on from the newest picture."""

    async def newest(
        self: LiveFeed, name: str, channel: Channel, position: Any
    ) -> tuple[Picture, str]:
        del self, name
        held = channel.picture
        return replace(held, rev=position.rev), "initial"

    return patch.object(LiveFeed, "picture_at", newest)


def numbers_begin_again() -> AbstractContextManager[Any]:
    """Count revs by connection and not by channel, as without a log of frames."""
    real = pictures.snapshot

    def from_one(picture: Picture, reason: str) -> str:
        return real(replace(picture, rev=1), reason)

    return patch.object(pictures, "snapshot", from_one)


BROKEN: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    **{
        f"always a snapshot, {reason}": partial(always_a_snapshot, reason)
        for reason in ("initial", "expired", "unknown", "epoch", "behind")
    },
    "a delta forgets a member": a_delta_forgets_a_member,
    "every change is told twice": every_change_is_told_twice,
    "changes are lost": changes_are_lost,
    "resumed, but told nothing": resumed_but_told_nothing,
    "numbers begin again": numbers_begin_again,
}


@pytest.mark.parametrize("variant", BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_server_is_found_out(
    installation: Installation,
    api: Api,
    place: Place,
    wall: LiveClient,
    variant: Callable[[], AbstractContextManager[Any]],
) -> None:
    with variant(), pytest.raises(Broken):
        await a_wall_sees_no_fault(installation, api, place, wall)
