"""Kill -9 of every part under load: what was acknowledged is there, once, where it was said."""

from __future__ import annotations

from random import Random

import pytest

from tests.e2e.conftest import Copies
from tests.e2e.ledger import Load, check_log, expected_reports, read_log
from tests.e2e.posting import Client
from tests.e2e.program import run
from tests.e2e.reading import read_state, settled
from tests.e2e.watcher import Agreement, Watcher

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
