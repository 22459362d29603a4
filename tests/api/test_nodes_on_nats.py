"""Processes that ring over NATS: quick while it is there, right while it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.nodes import Nodes, a_client_of, a_nats, some_nodes
from tests.api.test_many_projectors import live
from tests.e2e.posting import a_report, post
from tests.e2e.program import run
from tests.e2e.reading import settled, verified
from tests.e2e.waiting import SOON
from tests.e2e.watcher import Watcher

#: Processes that never look by themselves: only doorbells move their walls.
ONLY_HEARS = """
from app.services import live_feed
from app.services.projector import Projector

live_feed.POLL_S = 3600.0
tick = Projector._tick

async def once(self):
    if not self._channels:
        await tick(self)

Projector._tick = once
"""
#: Seconds in which what looks each second, in two places, would have been seen.
LOOKED_TWICE = 4.0


async def tell(nodes: Nodes, wall: Watcher, name: str, within: float = SOON) -> None:
    """Post an event at the first api and wait until a wall at the second shows it."""
    async with a_client_of(nodes.apis[0]) as client:
        answer = await post(client, nodes.keys[0], a_report(nodes.keys[0].source, name), status=202)
        seq = answer.json()["receipts"][0]["seq"]
    await wall.until(lambda picture: picture["seq"] >= seq, within)


async def test_walls_stay_right_while_nats_is_away_and_after(template: str) -> None:
    async with (
        a_nats(started=False) as nats,
        some_nodes(template, apis=2, projectors=2, bus_url=nats.url) as nodes,
        Watcher(live(nodes.apis[1].base), nodes.keys[0].key, "region:36.71") as wall,
    ):
        await tell(nodes, wall, "before it is there")
        await nats.start()
        await tell(nodes, wall, "while it is there")
        await nats.kill()
        await tell(nodes, wall, "while it is gone")
        await nats.start()
        await tell(nodes, wall, "after it came back")
        async with a_client_of(nodes.apis[1]) as client:
            state = await settled(client, nodes.keys[0], 4)
            assert state["state"]["apps"]["laksa"]["report"]["open"] == 4
            assert await verified(client, nodes.keys[0]) == []
        assert wall.snapshots == ["initial"]


async def test_doorbells_alone_move_walls_over_nats_and_nothing_does_without_a_look(
    template: str,
) -> None:
    async with (
        a_nats() as nats,
        some_nodes(template, apis=0, projectors=0, bus_url=nats.url) as nodes,
    ):
        await nodes.add_projector(ONLY_HEARS)
        await nodes.add_projector(ONLY_HEARS)
        await nodes.spread_over(2)
        for _ in range(2):
            await nodes.add_api(broken=ONLY_HEARS)
        async with Watcher(live(nodes.apis[1].base), nodes.keys[0].key, "region:36.71") as wall:
            await tell(nodes, wall, "rung for over NATS")
            await nats.kill()
            # Without the look of each second, a wall would never know.
            with pytest.raises(AssertionError, match=f"not within {LOOKED_TWICE:g} s"):
                await tell(nodes, wall, "rung for into the void", LOOKED_TWICE)
            await nats.start()
            await wall.folded(2)  # whoever hears again looks at all
            await tell(nodes, wall, "rung for over NATS again")


async def test_doctor_tells_of_the_bus_and_of_who_works(template: str, tmp_path: Path) -> None:
    async with (
        a_nats() as nats,
        some_nodes(template, apis=0, projectors=2, bus_url=nats.url) as nodes,
    ):
        env = {"KENTONGAN_DATABASE_URL": nodes.url, "KENTONGAN_BUS_URL": nats.url}
        there = await run("doctor", "--json", cwd=tmp_path, env=env, code=None)
        await nats.kill()
        gone = await run("doctor", "--json", cwd=tmp_path, env=env, code=1)
    assert there.json["bus"] == gone.json["bus"] == "nats"
    assert not any("bus" in finding for finding in there.json["findings"])
    assert sum(there.json["projectors"]) == len(there.json["lag"])
    assert len(there.json["projectors"]) == 2
    [finding] = [finding for finding in gone.json["findings"] if "bus" in finding]
    assert "numbers stay right" in finding
