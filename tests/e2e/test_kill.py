"""Kill -9 of every part under load: what was acknowledged is there, once, where it was said."""

from __future__ import annotations

import json
import sys
from random import Random

import httpx
import pytest

from app import embedded
from app.database import make_engine
from app.services.summaries import read_events
from tests.e2e.conftest import Copies
from tests.e2e.ledger import Ledger, Load, check_log, expected_reports, read_log
from tests.e2e.posting import Client, a_report, post
from tests.e2e.program import Role, run
from tests.e2e.reading import read_state, serving, settled
from tests.e2e.watcher import Agreement, Watcher
from tests.ports import free_port

#: The program with one thing broken: the answer goes out while its commit has yet to come.
ANSWERS_FIRST = """
import asyncio
from contextlib import asynccontextmanager
from app.database import driver_of
from app.services import group_commit

COMMITS_AFTER_S = 600
later = set()

async def commit(begun):
    await asyncio.sleep(COMMITS_AFTER_S)
    await begun.commit()

@asynccontextmanager
async def transaction(engine):
    connection = await engine.connect()
    begun = driver_of(connection).transaction()
    await begun.start()
    yield connection
    later.add(asyncio.create_task(commit(begun)))

group_commit.transaction = group_commit.statement = transaction
from app.cli import main
main()
"""
#: Rounds in which each of these dies once, at a moment that chance picks.
ROUNDS = 2
VICTIMS = ("api", "projector", "postgres", "parent")


@pytest.mark.timeout(300)
async def test_nothing_acknowledged_is_lost_or_doubled_whoever_is_killed(
    copies: Copies, a_client: Client
) -> None:
    program = await copies.program()
    laksa, _, tegal = copies.keys
    agreement, chance = Agreement(), Random()
    watchers = [
        Watcher(program.live_url, laksa.key, "region:36.71", agreement),
        Watcher(program.live_url, laksa.key, "network", agreement),
        Watcher(program.live_url, tegal.key, "region:33.28", agreement),
    ]
    async with watchers[0], watchers[1], watchers[2]:
        async with Load(program.url, copies.keys, 6, "a") as load:
            for _ in range(ROUNDS):
                for victim in chance.sample(VICTIMS, len(VICTIMS)):
                    await load.ledger.grown(chance.randrange(1, 800))
                    await program.kill(victim)
                    if victim == "parent":
                        await program.start()
                    await watchers[0].folded(load.ledger.newest("36.71"))
        client = a_client(program)
        await serving(client)
        for watcher, credential in zip(watchers[::2], (laksa, tegal), strict=True):
            log = await read_log(client, credential)
            check_log(log, credential.region, load.ledger)
            state = await settled(client, credential, len(log))
            agreement.note(state)
            await watcher.folded(len(log))
            reports = state["state"]["apps"]["laksa"]["report"]
            expected = expected_reports(log)
            assert {name: reports[name] for name in expected} == expected
        network = await read_state(client, laksa, "/v1/network/state")
        await watchers[1].folded(network["head"])
    for watcher in watchers:
        assert watcher.resumed
        assert set(watcher.snapshots) <= {"initial", "behind"}, watcher.snapshots
    done = await run("verify", "--data-dir", program.data_dir, "--json", cwd=program.folder)
    assert done.json["differences"] == []


async def test_a_server_that_answers_before_it_commits_is_found_out(copies: Copies) -> None:
    laksa, ledger, port = copies.keys[0], Ledger(), free_port()
    async with await embedded.start(copies.data_dir()) as postgres:
        env = {"KENTONGAN_DATABASE_URL": postgres.url}
        command = (sys.executable, "-c", ANSWERS_FIRST)
        broken = Role(copies.folder, ("api", "--port", str(port)), env, command)
        address = f"http://127.0.0.1:{port}"
        async with broken, httpx.AsyncClient(base_url=address, trust_env=False) as client:
            await serving(client)
            answer = await post(client, laksa, [a_report(laksa.source, "b-1")], status=202)
            for receipt in answer.json()["receipts"]:
                ledger.enter(receipt)
            await broken.kill()
        engine = make_engine(postgres.url, pool_size=1)
        log = await read_events(engine, laksa.region, 0, 10)
        await engine.dispose()
    with pytest.raises(AssertionError, match="1 acknowledged events are missing"):
        check_log([json.loads(event) for _, event in log], laksa.region, ledger)
