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
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.exceptions import (
    HeaderLineTooLong,
    InvalidHandshake,
    InvalidHeader,
    InvalidMethod,
    InvalidUpgrade,
    RequestLineTooLong,
    TooManyHeaders,
)
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response

from app import problems
from app.domain.errors import UpgradeNeeded
from app.live.line import LINE
from app.live.pictures import Message
from app.schemas.headers import ALWAYS, NOT_KEPT, POLICY

#: What the kernel may hold for one socket; it doubles the number it is given.
SEND_BUFFER_BYTES = 96 * 1024
#: What we may hold before a send waits: a snapshot or two.
HIGH_WATER_BYTES = 32 * 1024
#: A peer that does not take its close frame within this is cut off.
LINGER_S = 30.0
VERSION = "Sec-WebSocket-Version"


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


def _refusal(fault: Exception | None) -> Response:
    """Return the answer to what is no handshake; the library's own would repeat what was sent."""
    status = _status(fault)
    answer = problems.framework(status, status.description or status.phrase)
    more = [("Connection", "close")]
    if status is HTTPStatus.UPGRADE_REQUIRED:
        # RFC 6455, 4.2.2: whoever speaks another version is told which one we do.
        answer = problems.response(UpgradeNeeded("open a websocket of version 13"))
        more += [("Upgrade", "websocket"), (VERSION, "13")]
    elif status is HTTPStatus.METHOD_NOT_ALLOWED:
        more += [("Allow", "GET")]
    more += [(name.decode(), value.decode()) for name, value in (*ALWAYS, POLICY, NOT_KEPT)]
    headers = Headers([*answer.headers.items(), *more])
    return Response(status, status.phrase, headers, bytes(answer.body))


def _status(fault: Exception | None) -> HTTPStatus:
    match fault:
        case InvalidUpgrade() | InvalidHeader(name="Sec-WebSocket-Version"):
            return HTTPStatus.UPGRADE_REQUIRED
        case InvalidMethod():
            return HTTPStatus.METHOD_NOT_ALLOWED
        case RequestLineTooLong():
            return HTTPStatus.REQUEST_URI_TOO_LONG
        case HeaderLineTooLong() | TooManyHeaders():
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        case _:
            return HTTPStatus.BAD_REQUEST


class LiveProtocol(WebSocketsSansIOProtocol):
    """A websocket connection whose peer may be slow, stalled or gone.

    Messages that go to many are handed to ``deliver``: framed once, and without
    the way through the framework.
    """

    stalled_since: float | None = None
    on_room: Callable[[], None] | None = None

    def handle_connect(self, event: Request) -> None:
        """Let whoever serves the websocket find the connection that carries it."""
        try:
            self.conn.process_request(event)
        except InvalidHandshake as fault:
            self._refuse(fault)
            return
        super().handle_connect(event)
        self.scope["extensions"][LINE] = {"line": self}

    def handle_events(self) -> None:
        """Take what came; a handshake that could not even be read is refused too."""
        super().handle_events()
        if not self.handshake_initiated:
            # The head came whole, and uvicorn would wait for a better one for ever.
            self._refuse(self.conn.handshake_exc)

    def _refuse(self, fault: Exception | None) -> None:
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        self.transport.write(_refusal(fault).serialize())
        self.transport.close()

    def send_receive_event_to_app(self) -> None:
        """Hand on a whole message, unless it is text that is none: uvicorn logs that as ours."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.fail(CloseCode.INVALID_DATA, "text is UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_cont(self, event: Frame) -> None:
        """Take a further part of a message; empty ones are no part of it, and may be many."""
        if event.data or event.fin:
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer; while the peer takes nothing, keep an answer to its newest pings alone.

        RFC 6455, 5.5.3 allows it, and answers to all would fill the memory.
        """
        if self.stalled_since is None:
            super().handle_ping()
        else:
            # Two, as the library writes a goodbye in two pieces.
            del self.conn.writes[:-2]

    def data_received(self, data: bytes) -> None:
        """Take what came; one that leaves is not waited for without end."""
        super().data_received(data)
        if self.transport.is_closing():
            self._linger()

    def eof_received(self) -> None:
        """Let go of a peer that has ended its side."""
        self._linger()

    def _linger(self) -> None:
        """Cut the peer off if it does not take the rest in time."""
        if self.transport.get_write_buffer_size():
            self.loop.call_later(LINGER_S, self.transport.abort)

    def shutdown(self) -> None:
        """Say that the server stops, unless goodbye was said before: to say it twice fails."""
        if not self.transport.is_closing():
            super().shutdown()
        elif self.stalled_since is not None:
            self.transport.abort()

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
        if self.conn.writes and not self.transport.is_closing():
            self.handle_ping()  # those that came meanwhile
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
