"""uvicorn's websocket protocol with the limits that walls need.

A stalled reader otherwise holds about 4 MB in the kernel and 64 KiB here, and
can neither be told to go nor be got rid of.
"""

from __future__ import annotations

import asyncio
import os
import socket
from asyncio.transports import BaseTransport
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request

from app.live.line import LINE
from app.live.pictures import Message

#: What the kernel may hold for one socket; it doubles the number it is given.
SEND_BUFFER_BYTES = 96 * 1024
#: What we may hold before a send waits: a snapshot or two.
HIGH_WATER_BYTES = 32 * 1024
#: A peer that does not take its close frame within this is cut off.
LINGER_S = 30.0


class Inbox:
    """What a peer said and its one reader has not read yet: a message, seldom two.

    asyncio's own queue is 3 KB for every wall, most of it for readers and writers who wait.
    """

    __slots__ = ("_messages", "_reader")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._reader: asyncio.Future[None] | None = None

    def put_nowait(self, message: Any) -> None:
        """Add a message."""
        self._messages.append(message)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def empty(self) -> bool:
        """Say whether all is read."""
        return not self._messages

    async def get(self) -> Any:
        """Return the next message, waiting for it."""
        while not self._messages:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._messages.pop(0)


class LiveProtocol(WebSocketsSansIOProtocol):
    """A websocket connection whose peer may be slow, stalled or gone.

    Messages that go to many are handed to ``deliver``: framed once, and without
    the way through the framework.
    """

    stalled_since: float | None = None
    on_room: Callable[[], None] | None = None

    def handle_connect(self, event: Request) -> None:
        """Let whoever serves the websocket find the connection that carries it."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"][LINE] = {"line": self}

    @property
    def has_room(self) -> bool:
        """Whether the peer is there and has taken what it was sent, all but a little."""
        return (
            self.stalled_since is None
            and not self.close_sent
            and not self.disconnected
            and not self.transport.is_closing()
        )

    def deliver(self, message: Message) -> None:
        """Send a message; it waits here where the peer is slow, so ask for room before."""
        if message.frame is None:
            frame = Frame(Opcode.TEXT, message.encode())
            message.frame = frame.serialize(mask=False)
        self.transport.write(message.frame)

    def pause_writing(self) -> None:
        """Note since when the peer is behind."""
        super().pause_writing()
        self.stalled_since = self.loop.time()

    def resume_writing(self) -> None:
        """Go on with what waits."""
        super().resume_writing()
        self.stalled_since = None
        if self.on_room is not None:
            self.on_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of whoever waits for room, and of the parser, which holds who holds it."""
        self.on_room = None
        super().connection_lost(exc)
        self.conn.parser.close()

    def connection_made(self, transport: BaseTransport) -> None:
        """Bound what a peer that does not read can make us and the kernel hold."""
        super().connection_made(transport)
        self.queue = Inbox()  # type: ignore[assignment]
        connection = cast(asyncio.Transport, transport)
        connection.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            # By another handle of the same socket: uvloop's own lets no options be set.
            with socket.socket(fileno=os.dup(sock.fileno())) as same:
                same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    async def send(self, message: Any) -> None:
        """Send; a close does not wait for a peer that takes nothing."""
        if message["type"] == "websocket.close":
            self.writable.set()
            self.loop.call_later(LINGER_S, self.transport.abort)
        await super().send(message)
        if message["type"] == "websocket.accept":
            # A handshake is 4 KB, and would be kept for as long as the wall watches.
            del self.request, self.response
        elif message["type"] == "websocket.http.response.body" and self.close_sent:
            # A refusal is an answer: without this, each one is logged as an error.
            self.handshake_complete = True
