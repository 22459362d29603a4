"""The bus between processes on many machines: NATS, its core alone.

Nothing is kept there: a doorbell that nobody hears is gone, and whoever
listens looks once a second in any case. So a NATS that is away costs a second
and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error, SecureConnRequiredError

from app.bus.address import NatsAddress
from app.bus.carried import CarriedBus
from app.bus.doorbell import ALL
from app.database import is_away as is_database_away
from app.domain.errors import DatabaseAway, NotPrepared

#: For one round through all servers of the address.
CONNECTS_WITHIN_S = 3.0
#: A server that is silent for two of these is gone, as with a cable that was pulled.
PING_S = 1
#: Between two tries to cancel.
AGAIN_S = 0.1
#: For the last words of a connection that is given up.
CLOSES_WITHIN_S = 1.0


class NatsBus(CarriedBus):
    """Rings here at once, and in other processes by way of NATS.

    ``name`` gives what the subjects begin with, once the database that knows
    it is there: ``kentongan.<of the database>``.
    """

    def __init__(self, address: NatsAddress, name: Callable[[], Awaitable[str]]) -> None:
        super().__init__()
        self._address = address
        self._name = name

    async def run(self) -> None:
        """Carry rings until cancelled, through losses of the server."""
        carrying = asyncio.create_task(
            self._reconnecting(
                self._connected,
                self._work,
                is_away=is_away,
                lost_words="The bus lost its NATS server",
            )
        )
        try:
            await asyncio.wait({carrying})
            carrying.result()
        finally:
            await _ended(carrying)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[Client, asyncio.Event, str]]:
        prefix = await self._name()
        async with connected(self._address) as (client, lost):
            yield client, lost, prefix

    async def _work(self, link: tuple[Client, asyncio.Event, str]) -> None:
        client, lost, prefix = link
        for topic in self._listeners:
            await client.subscribe(f"{prefix}.{topic}", cb=self._hearing(topic))
        await client.flush(int(CONNECTS_WITHIN_S))
        for topic in self._listeners:
            # What was rung while nobody listened is not known: look at all.
            self._call(topic, {ALL})

        async def send(topic: str, payload: str) -> None:
            await client.publish(f"{prefix}.{topic}", payload.encode())
            await client.flush(int(CONNECTS_WITHIN_S))

        telling = asyncio.create_task(self._tell_by(send))
        losing = asyncio.create_task(lost.wait())
        try:
            await asyncio.wait({telling, losing}, return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                telling.result()
            raise Error("the connection was lost")
        finally:
            await _ended(telling, losing)

    def _hearing(self, topic: str) -> Callable[[Msg], Awaitable[None]]:
        async def heard(message: Msg) -> None:
            self._call(topic, set(message.data.decode(errors="replace").split()))

        return heard


class _Guarded(Client):
    """A client that says nothing in the clear to a server which is to be reached by TLS."""

    encrypted = False

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        # Before the driver tells who we are: it would do so without TLS where the server, or
        # somebody on the way to it, offers none.
        if self.encrypted and not info.get("tls_required"):
            raise SecureConnRequiredError
        await super()._process_info(info, initial_connection)


async def _ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until they have ended: the driver swallows a cancellation now and then."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=AGAIN_S)


@asynccontextmanager
async def connected(address: NatsAddress) -> AsyncIterator[tuple[Client, asyncio.Event]]:
    """Give a connection to any of the servers, and what is set when it is lost.

    Raises:
        nats.errors.Error, OSError, TimeoutError: none of them lets us in.
    """
    client, lost = _Guarded(), asyncio.Event()
    client.encrypted = address.tls

    async def unsaid(error: Exception) -> None:
        """Keep the driver from logging: what matters is raised, or seen as a loss."""

    async def closed() -> None:
        lost.set()

    connecting = asyncio.create_task(
        client.connect(
            list(address.servers),
            name="kentongan",
            user=address.user,
            password=address.password,
            token=address.token,
            tls=ssl.create_default_context() if address.tls else None,
            # What we ring for ourselves is heard without a way over the network.
            no_echo=True,
            # Ours to do: then it is seen, said once, and everybody looks at all afterwards.
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            ping_interval=PING_S,
            error_cb=unsaid,
            closed_cb=closed,
        )
    )
    try:
        await _within(connecting, CONNECTS_WITHIN_S)
        yield client, lost
    finally:
        with contextlib.suppress(OSError, Error, TimeoutError):
            await _within(asyncio.create_task(client.close()), CLOSES_WITHIN_S)


async def _within(task: asyncio.Task[None], seconds: float) -> None:
    """Wait for a task, whose cancellation may be swallowed.

    Raises:
        TimeoutError: it takes longer.
    """
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise TimeoutError
        task.result()
    finally:
        await _ended(task)


def is_away(error: BaseException) -> bool:
    """Say whether an error tells of the servers, or of the database that knows our subjects."""
    return isinstance(error, Error | DatabaseAway | NotPrepared) or is_database_away(error)
