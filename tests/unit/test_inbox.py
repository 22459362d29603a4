"""What a websocket keeps of what its peer said."""

from __future__ import annotations

import asyncio

import pytest

from app.routers.websocket_protocol import Inbox


async def test_messages_are_read_in_the_order_in_which_they_came() -> None:
    inbox = Inbox()
    for word in ("a", "b"):
        inbox.put_nowait(word)
    inbox.put_nowait("c")
    assert [await inbox.get() for _ in range(3)] == ["a", "b", "c"]
    assert inbox.empty()


async def test_one_who_waits_is_woken_by_the_first_of_several() -> None:
    inbox = Inbox()
    reading = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put_nowait("a")
    inbox.put_nowait("b")
    assert await reading == "a"
    assert not inbox.empty()


async def test_one_who_gave_up_takes_nothing_with_him() -> None:
    inbox = Inbox()
    reading = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    reading.cancel()
    inbox.put_nowait("a")
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await inbox.get() == "a"
