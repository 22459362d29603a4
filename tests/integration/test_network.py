"""The network's picture beside regions that move while it is made."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from app.database import Connection, Engine, transaction
from app.domain.regions import parse_source
from app.repositories import frames
from app.repositories.frames import Projection
from app.services.register import ensure_source
from tests.builders import NOW
from tests.city import Hands, a_city


async def test_the_network_is_no_younger_than_the_states_it_was_made_of(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Hands()
    read = frames.changed

    async def read_and_move_on(
        connection: Connection, known: Mapping[str, tuple[str, int]]
    ) -> list[Projection]:
        """Read the regions' states; just then, all of them are found to be true until later."""
        found = await read(connection, known)
        clock.move(minutes=1)
        async with transaction(engine) as other:
            await frames.checked(
                other, {one.channel: (one.epoch, one.rev) for one in found}, clock()
            )
        return found

    monkeypatch.setattr(frames, "changed", read_and_move_on)
    async with a_city(engine, clock) as city:
        await city.fold_network()
        assert (await city.projection(frames.NETWORK)).current_at == NOW


async def test_a_region_that_is_registered_makes_the_network_no_older_than_it_was(
    engine: Engine,
) -> None:
    clock = Hands()
    async with a_city(engine, clock) as city:
        # Its registration began before the network was last looked at, and is committed after.
        async with transaction(engine) as other:
            await ensure_source(other, parse_source("urn:pemda:33.74:laksa"), clock())
            clock.move(seconds=1)
            await _all_are_true(engine, clock)
            before = await city.fold_network()
            told = await city.projection(frames.NETWORK)
        after = await city.fold_network()
        assert set(after["regions"]) - set(before["regions"]) == {"33.74"}
        assert (await city.projection(frames.NETWORK)).current_at == told.current_at == clock()


async def _all_are_true(engine: Engine, clock: Hands) -> None:
    async with transaction(engine) as connection:
        standings = await frames.standings(connection)
        known = {name: (one.epoch, one.rev) for name, one in standings.items()}
        await frames.checked(connection, known, clock())
