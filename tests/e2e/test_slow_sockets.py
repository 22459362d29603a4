"""Sockets that stop reading: bounded here and in the kernel, and nobody else's delay (G6)."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from statistics import median

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import Copies
from tests.e2e.posting import Client, Credential, a_report, post
from tests.e2e.reading import read_state
from tests.e2e.slow_socket import SlowSocket
from tests.e2e.waiting import eventually
from tests.e2e.watcher import Agreement, Watcher, merge

CHANNEL = "region:36.71"
STALLED = 40
#: As often as a socket may ask within 10 s, less a few: some 700 kB of snapshots.
ASKS = 90
#: Promised per stalled reader, in this process and in the kernel (G6).
PER_SOCKET = 256 * 1024
#: What a busy process may have grown by meanwhile for other reasons.
ELSEWHERE = 16 * 1024 * 1024


async def fatten(client: httpx.AsyncClient, key: Credential) -> None:
    """Make the region's state as large as a wall's gets: services, and long lines in the feed."""
    events = [
        a_report(key.source, f"{n:0200}", service=f"{n:02}-".ljust(64, "s")) for n in range(60)
    ]
    await post(client, key, events, status=202)


async def stall(client: httpx.AsyncClient, *sockets: SlowSocket) -> None:
    """Have more sent to sockets than all buffers hold, and read nothing of it."""
    for _ in range(ASKS):
        for socket in sockets:
            await socket.subscribe(CHANNEL)
        # Asks that come together are answered once: this answer comes after theirs.
        assert (await client.get("/livez")).status_code == 200


async def open_sockets(client: httpx.AsyncClient) -> int:
    """Return how many websockets the api has, by its own account."""
    text = (await client.get("/metrics")).text
    for family in text_string_to_metric_families(text):
        if family.name == "kentongan_sockets":
            return int(family.samples[0].value)
    raise AssertionError("no such metric")


async def delays(
    client: httpx.AsyncClient, key: Credential, wall: Watcher, name: str
) -> list[float]:
    """Return the seconds from posts to a healthy wall's picture."""
    clock, found = asyncio.get_running_loop().time, []
    for number in range(10):
        began = clock()
        answer = await post(client, key, a_report(key.source, f"{name}-{number}"), status=202)
        await wall.folded(answer.json()["receipts"][0]["seq"])
        found.append(clock() - began)
    return found


async def test_stalled_sockets_are_bounded_delay_nobody_and_are_closed_with_4413(
    copies: Copies, a_client: Client
) -> None:
    program = await copies.program()
    key, client = copies.keys[0], a_client(program)
    await fatten(client, key)
    async with Watcher(program.live_url, key.key, CHANNEL) as wall, AsyncExitStack() as stack:
        await wall.folded(60)
        before = await delays(client, key, wall, "before")
        api = await program.child("api")
        memory = api.memory_info().rss
        stalled = [
            await stack.enter_async_context(SlowSocket(program.live_url, key.key))
            for _ in range(STALLED)
        ]
        read_so_far = [socket.received for socket in stalled]
        await stall(client, *stalled)
        during = await delays(client, key, wall, "during")
        grown = api.memory_info().rss - memory

        async def all_closed() -> bool:
            return await open_sockets(client) == 1

        await eventually(all_closed, "the end of the stalled sockets")
        after = api.memory_info().rss - memory
        await asyncio.gather(*(socket.read_until(lambda: False) for socket in stalled))
        assert {socket.close_code for socket in stalled} == {4413}
        held = [socket.received - read for socket, read in zip(stalled, read_so_far, strict=True)]
        assert max(held) <= 2 * PER_SOCKET
        assert max(grown, after) <= STALLED * PER_SOCKET + ELSEWHERE
        assert median(during) <= 2 * median(before) + 0.25
        assert wall.closes == []


async def test_a_socket_that_reads_again_gets_the_newest_values_in_one_difference(
    copies: Copies, a_client: Client
) -> None:
    program = await copies.program()
    key, client = copies.keys[0], a_client(program)
    await fatten(client, key)
    agreement = Agreement()
    async with (
        Watcher(program.live_url, key.key, CHANNEL, agreement) as wall,
        SlowSocket(program.live_url, key.key) as slow,
    ):
        await wall.folded(60)
        await stall(client, slow)
        began_at = wall.picture["rev"] if wall.picture else 0
        await delays(client, key, wall, "meanwhile")
        newest = await read_state(client, key)
        await slow.read_until(lambda: slow.messages[-1].get("rev", 0) >= newest["rev"])
    assert slow.close_code is None
    picture = followed(slow, agreement)
    assert picture["rev"] == newest["rev"]
    assert picture["state"] == newest["state"]
    told = [message for message in slow.messages if message.get("rev", 0) > began_at]
    assert newest["rev"] - began_at >= 10 > 2 * len(told)


def followed(slow: SlowSocket, agreement: Agreement) -> dict[str, object]:
    """Return the picture that the messages lead to, each of which must fit the one before."""
    picture: dict[str, object] = {}
    for message in slow.messages:
        if message["op"] == "snapshot":
            picture = message
        elif message["op"] == "delta":
            assert message["from"] == picture["rev"]
            state = merge(picture["state"], message["patch"])
            picture = picture | {"rev": message["rev"], "seq": message["seq"], "state": state}
        if message["op"] in ("snapshot", "delta"):
            agreement.note(picture)
    return picture
