"""Anything that walls do, in any order, against every promise at once (G4, G5)."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.api.client import Api, Place
from tests.api.conftest import Installation
from tests.api.running import Role
from tests.api.waiting import eventually
from tests.live_client import Checker, Ledger, LiveClient

VERBS = ("verified", "assigned", "progressed", "held", "resolved", "rejected", "reopened", "rated")
STATES = {
    "submitted": "received",
    "verified": "verified",
    "assigned": "assigned",
    "progressed": "in_progress",
    "held": "on_hold",
    "resolved": "resolved",
    "rejected": "rejected",
    "reopened": "reopened",
}
CLOSED = {"resolved", "rejected"}


class Wall:
    """One client that does what it likes."""

    def __init__(self, bases: list[str], place: Place, ledger: Ledger, seed: int) -> None:
        self.chance = random.Random(seed)
        self.bases, self.place = bases, place
        self.client = LiveClient(bases[0], place.key, ledger)
        self.channels = [place.channel, "network"]

    async def live(self, done: asyncio.Event) -> None:
        """Do anything until told to stop, then come to rest on a connection."""
        while not done.is_set():
            try:
                await self._connected(done)
            except ConnectionClosed:
                continue

    async def _connected(self, done: asyncio.Event) -> None:
        self.client.base = self.chance.choice(self.bases)
        await self.client.connect()
        for channel in self.channels:
            await self.client.resume(channel)
        for _ in range(self.chance.randint(3, 40)):
            if done.is_set():
                return
            await self._something(done)
        self.client.tear() if self.chance.random() < 0.5 else await self.client.hang_up()

    async def _something(self, done: asyncio.Event) -> None:
        channel = self.chance.choice(self.channels)
        match self.chance.randrange(12):
            case 0:
                await self.client.resume(channel)
            case 1:
                await self.client.subscribe(channel)
            case 2:
                await self.client.unsubscribe(channel)
                await self.client.resume(channel)
            case 3:
                await self.client.subscribe(channel, self._old_position(channel))
            case 4:
                # Looks away for a while; messages wait.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(done.wait(), self.chance.random() * 0.3)
            case _:
                with contextlib.suppress(TimeoutError):
                    await self.client.read(within=self.chance.random() * 0.3)

    def _old_position(self, channel: str) -> dict[str, Any] | None:
        held = [place for place in self.client.checker.past if place[0] == channel]
        if not held:
            return None
        _, epoch, rev = self.chance.choice(held[-30:])
        return {"epoch": epoch, "rev": rev}

    async def rest(self, seq: int) -> None:
        """Come to the end of the region's log."""
        if self.client.socket is None:
            await self.client.connect()
        await self.client.resume(self.place.channel)
        await self.client.follow(self.place.channel, seq)
        await self.client.hang_up()


#: Pictures held and resumptions told, over all walls, that make a run worth its name.
PICTURES, RESUMPTIONS = 40, 12
#: Batches, at least and at most: the machine decides how much walls see of one batch.
ROUNDS, MOST_ROUNDS = 35, 300


async def pour(api: Api, place: Place, chance: random.Random, enough: Callable[[], bool]) -> int:
    """Post events of a few cases in small batches, with repeats; return how many were kept.

    Ends when walls saw enough, not after so many batches: on a busy machine all of a short
    run can be over before the first wall has come.
    """
    cases = [f"L-{n}" for n in range(12)]
    opened: set[str] = set()
    seq = 0

    async def is_folded() -> bool:
        return bool((await api.state(place.region))["seq"] == seq)

    for done in range(MOST_ROUNDS):
        if done >= ROUNDS:
            if enough():
                break
            # A frame for each: walls see no more than that of what comes faster.
            await eventually(is_folded, "all is folded")
        events = []
        for _ in range(chance.randint(1, 5)):
            case = chance.choice(cases)
            verb = chance.choice(VERBS) if case in opened else "submitted"
            opened.add(case)
            data = {"service": chance.choice("abcde")} if verb == "submitted" else {}
            events.append(place.report(verb, case, data=data))
        events.append(chance.choice(events))
        answer = await api.batch(*events)
        assert answer.status_code == 202
        seq = max([seq, *(line["seq"] for line in answer.json()["receipts"])])
        for _ in range(chance.randint(0, 6)):
            await api.state(place.region)
    return seq


def states_at(feed: list[dict[str, Any]], seq: int) -> dict[str, int]:
    """Count cases by state from the log up to ``seq``, by DOMAIN's words alone."""
    cases: dict[str, list[dict[str, Any]]] = {}
    for event in feed[:seq]:
        cases.setdefault(event["subject"], []).append(event)
    counts: dict[str, int] = {}
    for events in cases.values():
        events.sort(key=lambda event: (event["time"], event["id"]))
        verbs = [event["type"].split(".")[-2] for event in events]
        states = [STATES[verb] for verb in verbs if verb in STATES]
        if states:
            counts[states[-1]] = counts.get(states[-1], 0) + 1
    return counts


def check_folds(checker: Checker, place: Place, feed: list[dict[str, Any]]) -> int:
    """Check that every picture ever held is the fold of the log up to its seq (G4)."""
    checked = 0
    for (channel, _, _), held in checker.past.items():
        if channel != place.channel:
            continue
        told = held.document["apps"].get("laksa", {}).get("report")
        expected = states_at(feed, held.seq)
        assert (told["by_state"] if told else {}) == expected
        if told:
            opened = sum(n for state, n in expected.items() if state not in CLOSED)
            assert told["open"] == opened
        checked += 1
    return checked


def pictures(walls: list[Wall], place: Place) -> int:
    """Count the pictures of the region that walls have held."""
    return sum(held[0] == place.channel for wall in walls for held in wall.client.checker.past)


def resumptions(walls: list[Wall]) -> int:
    """Count the times that a wall was told to go on from where it was."""
    return sum(message["op"] == "resumed" for wall in walls for message in wall.client.messages)


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_walls_do_every_picture_is_true(
    installation: Installation,
    second_api: Role,
    api: Api,
    place: Place,
    ledger: Ledger,
    seed: int,
) -> None:
    bases = [installation.api.base, second_api.base]
    walls = [Wall(bases, place, ledger, 100 * seed + n) for n in range(6)]
    done = asyncio.Event()

    def enough() -> bool:
        return pictures(walls, place) >= PICTURES and resumptions(walls) >= RESUMPTIONS

    async with AsyncExitStack() as stack:
        for wall in walls:
            stack.push_async_callback(wall.client.hang_up)
        async with asyncio.TaskGroup() as living:
            for wall in walls:
                living.create_task(wall.live(done))
            seq = await pour(api, place, random.Random(seed), enough)
            done.set()
        await asyncio.gather(*(wall.rest(seq) for wall in walls))
    feed = await api.feed(place.region)
    assert len(feed) == seq
    checked = [check_folds(wall.client.checker, place, feed) for wall in walls]
    assert sum(checked) >= PICTURES
    ledger.note_reading(await api.state(place.region))
    ledger.note_reading((await api.get("/v1/network/state")).json())
    assert resumptions(walls) >= RESUMPTIONS
    verified = (await api.get(f"/v1/regions/{place.region}/verify")).json()
    assert verified["differences"] == []
