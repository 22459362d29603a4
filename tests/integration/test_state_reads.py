"""Reading states together: who shares a reading, and who must not."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.database import Connection, Engine, make_engine, transaction
from app.domain.errors import DatabaseAway, UnknownRegion
from app.repositories import frames
from app.repositories.statements import run
from app.services.state_reads import StateReads
from tests.overheard import statements
from tests.ports import free_port

CHANNELS = ("region:36.71", "region:33.28", "region:72.02", "network")


@dataclass
class Gate:
    """Where a reading that has its answer waits before it tells it."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Hold the first reading; those after it go through."""
    gate, read_each = Gate(), frames.read_each

    async def read_and_wait(connection: Connection, channels: Collection[str]) -> Any:
        first = not gate.reached.is_set()
        found = await read_each(connection, channels)
        if first:
            gate.reached.set()
            await gate.opened.wait()
        return found

    monkeypatch.setattr(frames, "read_each", read_and_wait)
    return gate


async def move(engine: Engine, channel: str) -> int:
    """Move a channel on by a rev, and return it."""
    async with transaction(engine) as connection:
        ((rev,),) = await run(
            connection,
            "UPDATE projections SET rev = rev + 1 WHERE channel = $1 RETURNING rev",
            (channel,),
        )
    return int(rev)


def asked(found: list[str]) -> int:
    return sum("FROM projections" in statement for statement in found)


async def test_those_who_ask_at_once_share_one_reading(engine: Engine) -> None:
    states = StateReads(engine)
    with statements(engine) as found:
        answers = await asyncio.gather(*(states.read(channel) for channel in CHANNELS * 5))
    assert [answer.channel for answer in answers] == list(CHANNELS * 5)
    assert asked(found) == 1


async def test_one_who_asks_while_others_read_is_told_what_is_so_by_then(
    engine: Engine, gate: Gate
) -> None:
    states = StateReads(engine)
    early = asyncio.create_task(states.read(CHANNELS[0]))
    await gate.reached.wait()
    rev = await move(engine, CHANNELS[0])
    late = await states.read(CHANNELS[0])
    gate.opened.set()
    assert ((await early).rev, late.rev) == (rev - 1, rev)


async def test_a_reading_without_an_answer_holds_nobody_else(engine: Engine, gate: Gate) -> None:
    states = StateReads(engine)
    stuck = asyncio.create_task(states.read(CHANNELS[0]))
    await gate.reached.wait()
    for channel in CHANNELS:
        assert (await states.read(channel)).channel == channel
    assert not stuck.done()
    gate.opened.set()
    await stuck


async def test_one_who_leaves_takes_the_answer_from_nobody(engine: Engine, gate: Gate) -> None:
    states = StateReads(engine)
    leaving, staying = (asyncio.create_task(states.read(CHANNELS[0])) for _ in range(2))
    await gate.reached.wait()
    leaving.cancel()
    gate.opened.set()
    assert (await staying).channel == CHANNELS[0]
    assert leaving.cancelled()


async def test_only_who_asked_for_what_is_not_there_is_told_so(engine: Engine) -> None:
    states = StateReads(engine)
    unknown = asyncio.create_task(states.read("region:11.01"))
    assert (await states.read(CHANNELS[0])).channel == CHANNELS[0]
    with pytest.raises(UnknownRegion):
        await unknown


async def test_a_database_that_is_away_is_told_to_all_and_asked_again(engine: Engine) -> None:
    away = make_engine(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing", pool_size=1)
    states = StateReads(away)
    for _ in range(2):
        answers = await asyncio.gather(
            *(states.read(channel) for channel in CHANNELS), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [DatabaseAway] * len(CHANNELS)
    await away.dispose()
