"""Several projectors on one database: who comes, goes, is killed or stands still loses nothing."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import psutil
import pytest
from sqlalchemy import text

from app.database import transaction
from tests.api.nodes import Nodes, a_client_of, some_nodes
from tests.api.running import Role
from tests.api.waiting import eventually
from tests.e2e.ledger import Load, check_log, expected_reports, read_log
from tests.e2e.reading import read_state, settled, verified
from tests.e2e.watcher import Agreement, Watcher

#: A projector whose session lives on however long it says nothing.
NEVER_MISSED = """
from app.repositories import ownership
ownership.SESSION_IDLE_MS = 0
"""
#: A projector that stands still while the server waits for rows that it said would come.
STANDS_STILL_IN_A_COPY = """
import os, signal
from app.database import driver_of
from app.repositories import event_log

async def rows():
    os.kill(os.getpid(), signal.SIGSTOP)
    yield b""

async def after(connection, region, seq, limit):
    await driver_of(connection).copy_to_table("gauges", source=rows())
    return []

event_log.after = after
"""
#: One that leaves such a one alone.
PARTS_NOBODY = """
from app.repositories import ownership

async def end_leftovers(session, living):
    return 0

ownership.end_leftovers = end_leftovers
"""
#: A projector that believes to own everything, whoever works on it.
OWNS_ALL = """
from app.services.ownership import Share

async def take(self, channels):
    return list(channels)

async def mine(self, channels):
    return frozenset(channels)

async def give_back(self, channels):
    pass

Share.take, Share.mine, Share.give_back = take, mine, give_back
"""


@pytest.fixture
async def nodes(template: str) -> AsyncIterator[Nodes]:
    """Run two apis and three projectors."""
    async with some_nodes(template, apis=2, projectors=3) as nodes:
        yield nodes


async def check_numbers(nodes: Nodes, client: httpx.AsyncClient, load: Load) -> None:
    """Check logs, states and numbers of every region that was posted to."""
    for credential in nodes.keys:
        log = await read_log(client, credential)
        check_log(log, credential.region, load.ledger)
        state = await settled(client, credential, len(log))
        expected = expected_reports(log)
        reports = state["state"]["apps"]["laksa"]["report"]
        assert {name: reports[name] for name in expected} == expected
        assert await verified(client, credential) == []


def live(api_base: str) -> str:
    """Return the address of an api's live protocol."""
    return f"ws{api_base.removeprefix('http')}/v1/live"


async def kill(nodes: Nodes) -> None:
    """Kill -9 a projector."""
    await nodes.projectors[0].end(signal.SIGKILL)


async def stop(nodes: Nodes) -> None:
    """Stop a projector without ending it: its connections stay open."""
    nodes.projectors[0].process.send_signal(signal.SIGSTOP)


async def leave(nodes: Nodes) -> None:
    """Tell a projector to end."""
    assert await nodes.projectors[0].end() == 0
    assert sum("projector.owns" in line for line in nodes.projectors[0].log) >= 2


@pytest.mark.parametrize("fault", [kill, stop, leave], ids=lambda fault: fault.__name__)
async def test_what_a_projector_leaves_is_taken_over_and_nothing_is_lost(
    nodes: Nodes, fault: Callable[[Nodes], Awaitable[None]]
) -> None:
    one, other = nodes.apis
    agreement = Agreement()
    laksa = nodes.keys[0]
    walls = [
        Watcher(live(one.base), laksa.key, "region:36.71", agreement),
        Watcher(live(other.base), laksa.key, "region:36.71", agreement),
        Watcher(live(other.base), laksa.key, "network", agreement),
    ]
    async with walls[0], walls[1], walls[2], a_client_of(other) as client:
        async with Load(one.base, nodes.keys, 3, "a") as load:
            await load.ledger.grown(300)
            await fault(nodes)
            await nodes.true_again()
            await nodes.spread_over(2)
            await load.ledger.grown(300)
            # One that stood still goes on as if nothing had been: it has no say any more.
            nodes.go_on()
            await load.ledger.grown(300)
            await nodes.true_again()
            await load.end()
        await check_numbers(nodes, client, load)
        for wall in walls[:2]:
            await wall.folded(load.ledger.newest("36.71"))
        network = await read_state(client, laksa, "/v1/network/state")
        await walls[2].folded(network["head"])
    # No rev was lost or given out twice: the watchers follow each, and compare.
    assert all(set(wall.snapshots) == {"initial"} for wall in walls)


async def test_who_stood_still_and_goes_on_takes_its_share_again(nodes: Nodes) -> None:
    await stop(nodes)
    await nodes.spread_over(2)
    nodes.go_on()
    await nodes.spread_over(3)


async def test_a_projector_that_comes_gets_its_share_in_order(nodes: Nodes) -> None:
    async with a_client_of(nodes.apis[0]) as client:
        async with Load(nodes.apis[0].base, nodes.keys, 3, "a") as load:
            await load.ledger.grown(100)
            await nodes.add_projector()
            await nodes.spread_over(4)
            await nodes.true_again()
            await load.ledger.grown(100)
            await load.end()
        await check_numbers(nodes, client, load)
    left = sum("projector.leaves" in line for role in nodes.projectors for line in role.log)
    assert left >= 2, "what the newcomer has was left by somebody"


async def test_a_projector_that_lost_its_connections_takes_its_share_again(nodes: Nodes) -> None:
    async with transaction(nodes.engine) as connection:
        rows = await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                " AND classid = 7166703"
                # Others on this server have projectors of their own.
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        )
        assert len(rows.all()) == 3
    await nodes.true_again()
    await nodes.spread_over(3)
    assert all("projector.database_lost" in "".join(role.log) for role in nodes.projectors)


async def stands_still(role: Role) -> None:
    """Wait until a process has stopped."""

    async def so() -> bool:
        return psutil.Process(role.process.pid).status() == psutil.STATUS_STOPPED

    await eventually(so, "the projector stands still")


async def test_one_that_stands_still_in_the_middle_of_a_copy_holds_nobody_up(
    template: str,
) -> None:
    async with some_nodes(template, apis=1, projectors=0) as nodes:
        await stands_still(await nodes.add_projector(broken=STANDS_STILL_IN_A_COPY))
        await nodes.add_projector()
        await nodes.true_again()


async def test_one_that_is_not_parted_from_its_rows_is_found_out(template: str) -> None:
    async with some_nodes(template, apis=1, projectors=0) as nodes:
        await stands_still(await nodes.add_projector(broken=STANDS_STILL_IN_A_COPY))
        await nodes.add_projector(broken=PARTS_NOBODY)
        with pytest.raises(AssertionError, match="every channel is worked on"):
            await nodes.true_again(within=10.0)


async def test_one_whom_the_server_does_not_miss_when_it_stands_still_is_found_out(
    template: str,
) -> None:
    async with some_nodes(template, apis=0, projectors=0) as nodes:
        await nodes.add_projector(NEVER_MISSED)
        await nodes.add_projector()
        await nodes.spread_over(2)
        await stop(nodes)
        with pytest.raises(AssertionError, match="every channel is worked on"):
            await nodes.true_again()


async def all_own_all(nodes: Nodes) -> bool:
    """Say whether every projector believes to own every region that is posted to."""
    return all(
        f"region:{credential.region}" in "".join(role.log)
        for role in nodes.projectors
        for credential in nodes.keys
    )


async def test_the_database_lets_one_write_even_where_all_believe_to_own_all(
    template: str,
) -> None:
    async with some_nodes(template, apis=1, projectors=0) as nodes:
        for _ in range(3):
            await nodes.add_projector(OWNS_ALL)
        await eventually(lambda: all_own_all(nodes), "each works on every region")
        wall = Watcher(live(nodes.apis[0].base), nodes.keys[0].key, "region:36.71")
        async with wall, a_client_of(nodes.apis[0]) as client:
            async with Load(nodes.apis[0].base, nodes.keys, 3, "a") as load:
                await load.ledger.grown(600)
                await nodes.projectors[0].end(signal.SIGKILL)
                await load.ledger.grown(300)
                await load.end()
            await check_numbers(nodes, client, load)
            await wall.folded(load.ledger.newest("36.71"))
        assert wall.snapshots == ["initial"]
