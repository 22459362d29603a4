"""The network's picture beside regions that move while it is made."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from app.database import Connection, Engine, transaction
from app.repositories import frames
from app.repositories.frames import Projection
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
