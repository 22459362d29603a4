"""Properties on the real database: the same events, however they come, make the same numbers.

The examples of a property share their database: each adds to what was there,
so that a later example also meets cases with a history.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Sequence
from typing import Any

import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.bus import MemoryBus
from app.database import Engine
from app.domain.patches import apply
from app.live.hub import Channel, Hub
from app.live.pictures import Position
from app.live.session import Session
from app.services import verification
from app.services.live_feed import LiveFeed
from tests.builders import a_report
from tests.city import City, a_city, comparable

VERBS = ["submitted", "verified", "held", "resolved", "rejected", "reopened", "corrected", "rated"]
FEW = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_examples = itertools.count(1)

#: What happens to one event: its case, verb, minute, sequence, data and test flag.
facts = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(VERBS),
    st.integers(-1_500, 55),
    st.sampled_from([None, "2", "10"]),
    st.sampled_from(
        [{}, {"service": "jalan"}, {"service": "lampu", "due_at": "2026-11-21T04:30:00Z"}]
    ),
    st.booleans() | st.just(False),
)
#: How events arrive: where they are cut, where the projector steps, where it restarts.
arrivals = st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.booleans()), min_size=1)


def events_of(found: Sequence[tuple[Any, ...]], region: str, example: int) -> list[dict[str, Any]]:
    return [
        a_report(
            verb,
            case,
            minutes=minutes,
            id=f"{example}-{n}",
            source=f"urn:pemda:{region}:laksa",
            sequence=sequence,
            data=dict(data),
            test=test or None,
        )
        for n, (case, verb, minutes, sequence, data, test) in enumerate(found)
    ]


async def deliver(
    city: City, region: str, events: list[dict[str, Any]], ways: Sequence[tuple[int, bool, bool]]
) -> None:
    """Deliver events in batches, with repetitions, steps and restarts in between."""
    for size, folds, restarts in itertools.cycle(ways):
        if not events:
            break
        batch, events = events[:size], events[size:]
        await city.post(*batch, batch[0])
        if restarts:
            city.restart()
        if folds:
            await city.fold(region)
    await city.fold(region)


async def canonical(city: City, region: str) -> bytes:
    state = comparable(await city.state(region))
    del state["region"]
    return rfc8785.dumps(state)


async def test_arrival_batches_repetition_and_restarts_change_no_number(engine: Engine) -> None:
    async with a_city(engine) as city:

        @FEW
        @given(
            st.lists(facts, min_size=1, max_size=12),
            st.randoms(use_true_random=False),
            arrivals,
            arrivals,
        )
        async def same(found: Any, chance: Any, one: Any, other: Any) -> None:
            example = next(_examples)
            first = events_of(found, "36.71", example)
            second = events_of(found, "33.28", example)
            chance.shuffle(second)
            await deliver(city, "36.71", first, one)
            await deliver(city, "33.28", second, other)
            assert await canonical(city, "36.71") == await canonical(city, "33.28")
            for region in ("36.71", "33.28"):
                assert (await verification.verify(engine, region)).differences == []

        await run_examples(same)


#: What happens between a wall and the server: events come, the wall listens or is
#: slow, its connection is lost and resumed, the server restarts.
moments = st.lists(
    st.sampled_from(["event", "event", "listen", "lose", "resume", "restart"]),
    min_size=3,
    max_size=25,
)


class Wall:
    """A client of the protocol on the real feed, without the socket between."""

    def __init__(self, city: City) -> None:
        self._city = city
        self.document: Any = None
        self.position: Position | None = None
        self.ops: list[str] = []
        self.restart_server()

    def restart_server(self) -> None:
        """Let the server forget all that it holds in memory."""
        self._hub, self._bus = Hub(), MemoryBus()
        self._feed = LiveFeed(self._city.engine, self._bus, self._hub)
        self._session: Session | None = None

    def lose(self) -> None:
        """Lose the connection; what was not listened to is gone."""
        self._session = None
        self._hub.channels.clear()

    async def connect(self) -> None:
        """Connect and subscribe from the position held."""
        self._session = Session()
        channel: Channel = await self._feed.open("region:36.71", lambda: None)
        held, reason = None, "initial"
        if self.position is not None:
            held, reason = await self._feed.picture_at("region:36.71", channel, self.position)
        self._session.start("region:36.71", channel, held, reason)

    async def listen(self) -> None:
        """Take what the server has to tell, checking each message against the one before."""
        if self._session is None:
            await self.connect()
        await self._feed.poll()
        assert self._session is not None
        while (text := self._session.next_message()) is not None:
            message = json.loads(text)
            self.ops.append(message["op"])
            if message["op"] == "snapshot":
                self.document = message["state"]
            elif message["op"] == "delta":
                assert self.position == Position(message["epoch"], message["from"])
                self.document = apply(self.document, message["patch"])
            if "rev" in message:
                self.position = Position(message["epoch"], message["rev"])


async def test_whatever_happens_to_its_line_a_wall_holds_the_state_of_its_rev(
    engine: Engine,
) -> None:
    async with a_city(engine) as city:
        await city.fold()

        @FEW
        @given(moments, st.lists(facts, min_size=1, max_size=12))
        async def exact(happens: list[str], found: Any) -> None:
            events = itertools.cycle(events_of(found, "36.71", next(_examples)))
            wall = Wall(city)
            for moment in [*happens, "listen"]:
                if moment == "event":
                    # A new id each time round; most of them change something.
                    await city.post(next(events) | {"id": f"x{next(_examples)}"})
                    await city.fold()
                elif moment == "listen":
                    await wall.listen()
                elif moment == "resume":
                    wall.lose()
                    await wall.listen()
                elif moment == "lose":
                    wall.lose()
                else:
                    wall.restart_server()
            now = await city.projection()
            assert wall.position == Position(now.epoch, now.rev)
            assert rfc8785.dumps(wall.document) == rfc8785.dumps(json.loads(now.state))
            assert wall.ops.count("snapshot") == 1

        await run_examples(exact)


async def run_examples(test: Any) -> None:
    """Run an asynchronous property's examples on the loop that the fixtures live on."""
    loop = asyncio.get_running_loop()
    inner = test.hypothesis.inner_test

    def on_loop(*args: Any, **kwargs: Any) -> None:
        asyncio.run_coroutine_threadsafe(inner(*args, **kwargs), loop).result()

    test.hypothesis.inner_test = on_loop
    await asyncio.to_thread(test)
