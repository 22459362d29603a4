"""Restarting one api after the other: no request fails, no frame is lost."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
import pytest

from tests.api.nodes import Nodes, a_client_of, some_nodes
from tests.api.running import Role, start_api
from tests.api.test_many_projectors import live
from tests.api.waiting import GLANCE, eventually
from tests.e2e.ledger import Ledger, check_log, read_log
from tests.e2e.posting import Credential, a_report, post
from tests.e2e.reading import settled, verified
from tests.e2e.watcher import Watcher

#: Seconds between two questions of a balancer, and for an answer.
ASKS_EVERY_S, NOTICED_WITHIN_S = 0.1, 1.0
#: Seconds in which an api is unready and still takes requests: the balancer has noticed.
DRAIN_S = 3.0
#: Apps that post at once, each over connections that it keeps.
APPS = 6
#: An api that ends when it is told to, with a post under way.
JUST_GOES = """
import asyncio, os
from app import main

def wrapped(app, leaving):
    async def serve(scope, receive, send):
        if scope["type"] == "http" and scope["method"] == "POST" and leaving.is_set():
            os._exit(0)
        await app(scope, receive, send)
    return serve

async def never(leaving, seconds, stop):
    await asyncio.Event().wait()

main._last_on_its_connection, main._drain = wrapped, never
"""


class Balancer:
    """Knows which apis are ready, by asking each all the time as a balancer does."""

    def __init__(self, apis: list[Role]) -> None:
        self._turns = itertools.count()
        self.ready = {api.base: True for api in apis}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._ask(base)) for base in self.ready]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self, base: str) -> None:
        # A connection for each question: one that is kept open could be closed on us.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(
            base_url=base, limits=limits, timeout=NOTICED_WITHIN_S, trust_env=False
        ) as client:
            while True:
                try:
                    self.ready[base] = (await client.get("/readyz")).status_code == 200
                except httpx.TransportError:
                    self.ready[base] = False
                await asyncio.sleep(ASKS_EVERY_S)

    async def next(self) -> str:
        """Return an api that was ready when it was last asked; where none was, wait for one."""

        async def choose() -> str | None:
            ready = [base for base, is_ready in self.ready.items() if is_ready]
            return ready[next(self._turns) % len(ready)] if ready else None

        return await eventually(choose, "an api is ready")


@dataclass
class Apps:
    """Apps that try another api where a connection is refused, and nothing else a second time."""

    balancer: Balancer
    credential: Credential
    ledger: Ledger = field(default_factory=Ledger)
    failures: Counter[str] = field(default_factory=Counter)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._post(number)) for number in range(APPS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _post(self, app: int) -> None:
        async with contextlib.AsyncExitStack() as stack:
            clients = {
                base: await stack.enter_async_context(
                    httpx.AsyncClient(base_url=base, timeout=30, trust_env=False)
                )
                for base in self.balancer.ready
            }
            for number in itertools.count():
                event = a_report(self.credential.source, f"{app}-{number}")
                self.ledger.sent[event["source"], event["id"]] = event
                await self._deliver(clients, event)
                await asyncio.sleep(0)

    async def _deliver(self, clients: dict[str, httpx.AsyncClient], event: dict[str, Any]) -> None:
        while True:
            try:
                answer = await post(clients[await self.balancer.next()], self.credential, event)
            except httpx.ConnectError:
                await asyncio.sleep(GLANCE)
                continue
            except httpx.TransportError as error:
                self.failures[type(error).__name__] += 1
                return
            if answer.status_code == 202:
                self.ledger.enter(answer.json()["receipts"][0])
            else:
                self.failures[str(answer.status_code)] += 1
            return


class Roaming(Watcher):
    """A wall behind a balancer: connects to whichever api is ready."""

    balancer: Balancer

    async def _connect(self) -> None:
        self.url = live(await self.balancer.next())
        await super()._connect()


async def restart(nodes: Nodes, number: int) -> None:
    """Restart one api on its port and wait until it is ready."""
    api = nodes.apis[number]
    assert await api.end(signal.SIGTERM) == 0
    port = int(api.base.rpartition(":")[2])
    nodes.apis[number] = again = await start_api(nodes.url, port, drain_seconds=str(DRAIN_S))
    nodes.stack.push_async_callback(nodes._end, again)
    async with a_client_of(again) as client:

        async def ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await eventually(ready, "the api is ready again")


@pytest.mark.timeout(300)
async def test_each_api_restarted_in_turn_fails_no_request_and_loses_no_frame(
    template: str,
) -> None:
    settings = {"drain_seconds": str(DRAIN_S)}
    async with some_nodes(template, apis=3, projectors=1, **settings) as nodes:
        key = nodes.keys[0]
        walls = [Roaming("", key.key, "region:36.71"), Roaming("", key.key, "network")]
        async with Balancer(nodes.apis) as balancer:
            for wall in walls:
                wall.balancer = balancer
            async with walls[0], walls[1], Apps(balancer, key) as apps:
                for number in range(3):
                    await apps.ledger.grown(40)
                    await restart(nodes, number)
                await apps.ledger.grown(40)
            assert apps.failures == {}
        async with a_client_of(nodes.apis[0]) as client:
            log = await read_log(client, key)
            check_log(log, key.region, apps.ledger)
            await settled(client, key, len(log))
            assert await verified(client, key) == []
    for wall in walls:
        assert set(wall.snapshots) <= {"initial", "behind"}
        assert set(wall.closes) <= {1012}
    assert sum(len(wall.closes) for wall in walls) >= 2
    assert sum(wall.resumed for wall in walls) >= 2


async def test_an_api_that_just_goes_when_it_is_told_to_is_found_out(template: str) -> None:
    async with some_nodes(template, apis=0, projectors=0) as nodes:
        broken = await nodes.add_api(broken=JUST_GOES)
        await nodes.add_api()
        async with Balancer(nodes.apis) as balancer, Apps(balancer, nodes.keys[0]) as apps:
            await apps.ledger.grown(20)
            await broken.end(signal.SIGTERM)
            await apps.ledger.grown(20)
        assert apps.failures


async def test_an_api_that_is_to_stop_is_unready_and_still_takes_requests(template: str) -> None:
    async with some_nodes(template, apis=0, projectors=0) as nodes:
        api = await nodes.add_api(drain_seconds="60")
        key = nodes.keys[0]
        async with a_client_of(api) as client:
            before = await post(client, key, a_report(key.source, "a"), status=202)
            api.process.send_signal(signal.SIGTERM)

            async def unready() -> httpx.Response | None:
                answer = await client.get("/readyz")
                return answer if answer.status_code == 503 else None

            answer = await eventually(unready, "the api is unready")
            after = await post(client, key, a_report(key.source, "b"), status=202)
        assert answer.json()["problems"] == ["this process is told to stop"]
        assert "connection" not in before.headers
        assert answer.headers["connection"] == after.headers["connection"] == "close"
        await api.end(signal.SIGKILL)
