"""PostgreSQL stands still: posts are refused in time, walls stay, and all goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.e2e.conftest import Copies
from tests.e2e.ledger import Load, check_log, read_log
from tests.e2e.posting import Client, a_report, post
from tests.e2e.reading import settled, verified
from tests.e2e.watcher import Watcher

#: Seconds, as promised to whoever posts.
ANSWERED_WITHIN = 10.0
#: More than the api has connections: some posts meet a living one, others none at all.
AT_ONCE = 12


@contextmanager
def standing_still(postgres: psutil.Process) -> Iterator[None]:
    """Stop every process of a PostgreSQL for the length of the block, without ending any."""
    processes = [postgres, *postgres.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


# Of the 30 s that a wall's owner is promised the test takes what two rounds of
# refused posts take, some 15 s: nothing waits longer than that for an answer.
async def test_posts_are_refused_in_time_while_the_database_stands_still_and_nothing_is_lost(
    copies: Copies, a_client: Client
) -> None:
    program = await copies.program()
    laksa, _, tegal = copies.keys
    client, clock = a_client(program), asyncio.get_running_loop().time
    postgres = await program.child("postgres")
    async with (
        Watcher(program.live_url, laksa.key, "region:36.71") as wall,
        Load(program.url, copies.keys, 2, "a") as load,
    ):
        # All connections of the api are open now, and will be found stopped.
        reads = (client.get("/readyz") for _ in range(AT_ONCE))
        assert {answer.status_code for answer in await asyncio.gather(*reads)} == {200}
        await load.ledger.grown(100)
        with standing_still(postgres):
            for turn in range(2):
                began = clock()
                events = (a_report(laksa.source, f"p{turn}-{n}") for n in range(AT_ONCE))
                posts = (post(client, laksa, event) for event in events)
                answers = await asyncio.gather(*posts)
                assert clock() - began < ANSWERED_WITHIN
                for answer in answers:
                    assert answer.status_code == 503
                    assert int(answer.headers["Retry-After"]) > 0
                    assert answer.json()["retryable"] is True
            assert (await client.get("/livez")).status_code == 200
            assert (await client.get("/readyz")).status_code == 503
        await load.ledger.grown(200)
        assert load.ledger.slowest_refusal < ANSWERED_WITHIN
        await load.end()
        for credential in (laksa, tegal):
            log = await read_log(client, credential)
            check_log(log, credential.region, load.ledger)
            await settled(client, credential, len(log))
            assert await verified(client, credential) == []
            if credential is laksa:
                await wall.folded(len(log))
    assert set(wall.snapshots) <= {"initial", "behind"}
