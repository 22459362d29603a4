"""The bus over a real NATS server: rings arrive, at the right ones, through its absences."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.bus import ALL, FRAMES, LOG, Bus, open_bus
from app.bus.carried import MAX_PAYLOAD
from app.services.installation import bus_name
from tests.api.nodes import NatsServer, a_nats
from tests.conftest import Database
from tests.e2e.waiting import News

NOWHERE = "postgresql://nowhere/"
EMPTY_INFO = b'INFO {"server_id":"x","version":"2.10.0","max_payload":1048576}\r\n'


class Ear:
    """A process's end of a bus, and what it heard of one topic."""

    def __init__(self, url: str, name: str = "kentongan.kota", topic: str = LOG) -> None:
        self.heard: list[set[str]] = []
        self.news = News()
        self.names = [name]
        self.bus: Bus = open_bus(url, NOWHERE, self._name)
        self.bus.listen(topic, self._hear)

    async def _name(self) -> str:
        return self.names[0]

    def _hear(self, names: set[str]) -> None:
        self.heard.append(set(names))
        self.news.tell()

    async def hears(self, name: str) -> None:
        """Wait until a name was rung for."""
        await self.news.until(
            lambda: any(name in names for names in self.heard), lambda: f"{name} in {self.heard}"
        )


@asynccontextmanager
async def running(*ears: Ear, connected: bool = True) -> AsyncIterator[None]:
    """Run buses; connected, each has rung for all once."""
    async with asyncio.TaskGroup() as tasks:
        work = [tasks.create_task(ear.bus.run()) for ear in ears]
        if connected:
            for ear in ears:
                await ear.hears(ALL)
                ear.heard.clear()
        try:
            yield
        finally:
            for task in work:
                task.cancel()


async def test_a_ring_is_heard_here_at_once_and_elsewhere_soon() -> None:
    async with a_nats() as nats:
        here, there = Ear(nats.url), Ear(nats.url)
        async with running(here, there):
            here.bus.ring(LOG, {"36.71", "33.28"})
            assert here.heard == [{"36.71", "33.28"}]
            await there.hears("36.71")
            await here.bus.flush()
            assert there.heard == [{"36.71", "33.28"}]
            there.bus.ring(LOG, {"14.05"})
            await here.hears("14.05")
            assert here.heard == [{"36.71", "33.28"}, {"14.05"}], "its own ring came back"


async def test_topics_are_kept_apart() -> None:
    async with a_nats() as nats:
        here, there = Ear(nats.url, topic=FRAMES), Ear(nats.url, topic=FRAMES)
        async with running(here, there):
            here.bus.ring(LOG, {"36.71"})
            here.bus.ring(FRAMES, {"region:36.71"})
            await there.hears("region:36.71")
            assert there.heard == [{"region:36.71"}]


@pytest.mark.parametrize("other", ["kentongan.desa", "kentongan.kota"], ids=["apart", "mixed up"])
async def test_the_rings_of_another_database_are_not_heard(other: str) -> None:
    async with a_nats() as nats:
        here, own = Ear(nats.url), Ear(nats.url)
        stranger, its_own = Ear(nats.url, other), Ear(nats.url, other)
        async with running(here, own, stranger, its_own):
            stranger.bus.ring(LOG, {"33.28"})
            # Whoever would hear it has been sent it by then, and what comes after it later.
            await its_own.hears("33.28")
            own.bus.ring(LOG, {"36.71"})
            await here.hears("36.71")
            # The second case shows that a name for all of them would be noticed. Rings of two
            # may change places on their way.
            if other == "kentongan.kota":
                await here.hears("33.28")
            else:
                assert {"33.28"} not in here.heard


async def test_the_name_of_a_database_is_its_own_and_stays(database: Database, server: str) -> None:
    first = await bus_name(database.engine)
    assert first == await bus_name(database.engine)
    assert first.startswith("kentongan.")
    assert "." not in first.removeprefix("kentongan.")
    assert server not in first


async def test_more_names_than_fit_ring_for_all() -> None:
    async with a_nats() as nats:
        here, there = Ear(nats.url), Ear(nats.url)
        async with running(here, there):
            here.bus.ring(LOG, {f"{number:05}" for number in range(MAX_PAYLOAD // 5)})
            await there.hears(ALL)


async def test_a_server_that_is_away_at_the_start_or_later_is_waited_for_and_said_once() -> None:
    async with a_nats(started=False) as nats:
        here, there = Ear(nats.url), Ear(nats.url)
        with capture_logs() as logs:
            async with running(here, there, connected=False):
                await said(logs, "bus.lost", 2)
                here.bus.ring(LOG, {"36.71"})
                await nats.start()
                # Whoever comes back looks at all, since nobody knows what was missed.
                await there.hears(ALL)
                await nats.kill()
                await said(logs, "bus.lost", 4)
                here.heard.clear()
                there.heard.clear()
                await nats.start()
                await there.hears(ALL)
                await here.hears(ALL)
                here.bus.ring(LOG, {"33.28"})
                await there.hears("33.28")
        assert [line["log_level"] for line in logs] == ["warning"] * 4


async def said(logs: Sequence[MutableMapping[str, Any]], action: str, times: int) -> None:
    """Wait until an action was logged so often."""
    async with asyncio.timeout(60):
        while [line["action"] for line in logs].count(action) < times:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("options", "right", "wrong"),
    [
        pytest.param(
            ("--user", "kota", "--pass", "s@ndi"), "kota:s%40ndi@", "kota:lain@", id="user"
        ),
        pytest.param(("--auth", "rahasia"), "rahasia@", "lain@", id="token"),
    ],
)
async def test_who_is_let_in_is_the_servers_to_say(
    options: tuple[str, ...], right: str, wrong: str
) -> None:
    async with a_nats(*options, userinfo=right) as nats:
        here, there = Ear(nats.url), Ear(nats.url)
        stranger = Ear(NatsServer(nats.port, userinfo=wrong).url)
        with capture_logs() as logs:
            async with running(here, there), running(stranger, connected=False):
                await said(logs, "bus.lost", 1)
                here.bus.ring(LOG, {"36.71"})
                await there.hears("36.71")
        assert stranger.heard == []
        assert {str(line["error"]) for line in logs} <= {"AuthorizationError", "Error"}


async def test_a_server_without_tls_is_told_nothing_where_tls_is_asked_for() -> None:
    """Whoever sits between could say that there is no TLS, and be told the password."""
    heard, ended = bytearray(), asyncio.Event()

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(EMPTY_INFO)
        with contextlib.suppress(OSError):
            heard.extend(await reader.read())
        writer.close()
        ended.set()

    server = await asyncio.start_server(pretend, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with capture_logs():
            async with running(Ear(f"tls://kota:rahasia@127.0.0.1:{port}"), connected=False):
                async with asyncio.timeout(60):
                    await ended.wait()
        assert bytes(heard) == b""
        # Without TLS in the address, the same server is told who we are.
        ended.clear()
        async with running(Ear(f"nats://kota:rahasia@127.0.0.1:{port}"), connected=False):
            async with asyncio.timeout(60):
                await ended.wait()
        assert b"rahasia" in heard
