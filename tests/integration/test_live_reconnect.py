"""A thousand walls at once: a channel is read, a difference made, a message written once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from app.bus import MemoryBus
from app.database import Engine
from app.domain.errors import DatabaseAway, DomainError, UnknownRegion
from app.live import pictures
from app.live.hub import Hub
from app.live.pictures import Position
from app.live.session import Session
from app.repositories import frames
from app.services.live_feed import LiveFeed
from tests.builders import a_report
from tests.city import City, a_city
from tests.overheard import statements

WALLS = 1_000
HERE = "region:36.71"


@contextmanager
def counted(engine: Engine) -> Iterator[Counter[str]]:
    """Count the statements that read states and frames, by table."""
    found: Counter[str] = Counter()
    with statements(engine) as asked:
        yield found
    for table in ("projections", "frames"):
        found[table] = sum(f"FROM {table}" in one for one in asked)


class Wall:
    """One wall: a session on a feed."""

    def __init__(self, feed: LiveFeed) -> None:
        self._feed = feed
        self.session = Session()
        self.wakes = 0

    def wake(self) -> None:
        self.wakes += 1

    async def subscribe(self, name: str = HERE, position: Position | None = None) -> str:
        """Subscribe as a connection does, and return why a whole picture would be sent."""
        channel = await self._feed.open(name, self.wake)
        held, reason = None, "initial"
        if position is not None:
            held, reason = await self._feed.picture_at(name, channel, position)
        self.session.start(name, channel, held, reason)
        return reason

    def told(self) -> list[str]:
        """Return all that is to be sent now."""
        return list(iter(self.session.next_message, None))


def some_walls(engine: Engine, count: int = WALLS) -> list[Wall]:
    """Make walls of one process that has just started."""
    feed = LiveFeed(engine, MemoryBus(), Hub())
    return [Wall(feed) for _ in range(count)]


@pytest.fixture
async def city(engine: Engine) -> AsyncIterator[City]:
    """Give a city of a dozen frames."""
    async with a_city(engine) as city:
        for number in range(12):
            await city.post(a_report("submitted", f"L-{number}", minutes=number))
            await city.fold()
        yield city


@contextmanager
def calls(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[list[int]]:
    """Count the calls of one of the functions that write messages."""
    made, real = [0], getattr(pictures, name)

    def call(*given: Any) -> Any:
        made[0] += 1
        return real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(pictures, name, call)
        yield made


async def test_a_thousand_new_walls_cost_one_read_and_one_message(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    walls = some_walls(city.engine)
    with counted(city.engine) as read, calls(monkeypatch, "snapshot") as written:
        await asyncio.gather(*(wall.subscribe() for wall in walls))
        told = [wall.told() for wall in walls]
    assert (read["projections"], read["frames"], written) == (1, 0, [1])
    assert {len(messages) for messages in told} == {1}
    # Not only equal: the same text, so that it is in memory once.
    assert len({id(messages[0]) for messages in told}) == 1


async def test_a_thousand_walls_that_resume_at_one_rev_share_one_difference(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = (await city.frames())[3]
    await city.post(*(a_report("verified", f"L-{n}", minutes=40) for n in range(3)))
    await city.fold()
    position, walls = Position(then.epoch, then.rev), some_walls(city.engine)
    with counted(city.engine) as read, calls(monkeypatch, "delta") as written:
        await asyncio.gather(*(wall.subscribe(position=position) for wall in walls))
        told = [wall.told() for wall in walls]
    assert (read["projections"], read["frames"], written) == (1, 1, [1])
    assert [message[:14] for message in told[0]] == ['{"op":"resumed', '{"op":"delta",']
    assert len({id(messages[1]) for messages in told}) == 1


async def test_walls_that_come_one_after_the_other_share_it_as_well(city: City) -> None:
    then = (await city.frames())[3]
    with counted(city.engine) as read:
        for wall in some_walls(city.engine, 50):
            await wall.subscribe(position=Position(then.epoch, then.rev))
    assert (read["projections"], read["frames"]) == (1, 1)


async def test_a_thousand_walls_whose_rev_is_gone_cost_one_look(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = (await city.frames())[3]
    up_to, looks = frames.up_to, [0]

    async def gone(connection: Any, channel: str, epoch: str, rev: int) -> Any:
        looks[0] += 1
        return (await up_to(connection, channel, epoch, rev))[:0]

    monkeypatch.setattr(frames, "up_to", gone)
    walls = some_walls(city.engine)
    position = Position(then.epoch, then.rev)
    # The first half at once, the rest when the first have their answer.
    half = WALLS // 2
    first = await asyncio.gather(*(wall.subscribe(position=position) for wall in walls[:half]))
    rest = await asyncio.gather(*(wall.subscribe(position=position) for wall in walls[half:]))
    assert {*first, *rest} == {"expired"}
    assert looks == [1]
    assert all('"reason":"expired"' in wall.told()[0] for wall in walls)


async def test_a_thousand_walls_that_are_ahead_of_this_process_have_it_catch_up_together(
    city: City,
) -> None:
    walls = some_walls(city.engine)
    await asyncio.gather(*(wall.subscribe() for wall in walls[:1]))
    await city.post(a_report("submitted", "L-99"))
    await city.fold()
    newest = (await city.frames())[-1]
    position = Position(newest.epoch, newest.rev)
    with counted(city.engine) as read:
        reasons = await asyncio.gather(*(wall.subscribe(position=position) for wall in walls[1:]))
    assert {*reasons} == {"initial"}
    assert (read["projections"], read["frames"]) == (0, 1)
    assert all(len(wall.told()) == 1 for wall in walls[1:])  # resumed, and nothing to add


async def test_a_rev_that_never_was_is_looked_for_no_more_than_twice(city: City) -> None:
    newest = (await city.frames())[-1]
    walls = some_walls(city.engine)
    await walls[0].subscribe()
    with counted(city.engine) as read:
        position = Position(newest.epoch, newest.rev + 1_000)
        reasons = await asyncio.gather(*(wall.subscribe(position=position) for wall in walls))
    assert {*reasons} == {"unknown"}
    assert read["frames"] <= 2


async def outcome(work: Callable[[], Any]) -> type[Exception] | None:
    """Return what a wall meets."""
    try:
        await work()
    except DomainError as error:
        return type(error)
    return None


async def test_a_failure_is_shared_and_the_next_asks_anew(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, attempts = frames.read, [0]

    async def away(*given: Any) -> Any:
        attempts[0] += 1
        await asyncio.sleep(0)
        raise DatabaseAway("away")

    monkeypatch.setattr(frames, "read", away)
    walls = some_walls(city.engine)
    met = await asyncio.gather(*(outcome(wall.subscribe) for wall in walls))
    assert ({*met}, attempts) == ({DatabaseAway}, [1])
    monkeypatch.setattr(frames, "read", read)
    assert await outcome(walls[0].subscribe) is None


async def test_a_channel_that_is_not_there_is_looked_for_once(city: City) -> None:
    walls = some_walls(city.engine)
    with counted(city.engine) as read:
        met = await asyncio.gather(
            *(outcome(partial(wall.subscribe, "region:00.00")) for wall in walls)
        )
    assert ({*met}, read["projections"]) == ({UnknownRegion}, 1)


async def test_a_wall_that_leaves_while_it_waits_takes_nothing_from_the_others(
    city: City,
) -> None:
    first, *others = some_walls(city.engine, 20)
    leaving = asyncio.create_task(first.subscribe())
    staying = [asyncio.create_task(wall.subscribe()) for wall in others]
    await asyncio.sleep(0)
    leaving.cancel()
    with counted(city.engine) as read:
        assert {*await asyncio.gather(*staying)} == {"initial"}
    assert read["projections"] <= 1
    assert leaving.cancelled()
