"""uvicorn's HTTP protocol with the limits that it lacks: how long and how large a request is.

Without them, a client that sends its request for ever, or nothing at all, is
waited for as long as it likes, and headers without end fill the memory; both
before anybody asked who it is.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from http import HTTPStatus

from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app import problems
from app.schemas.headers import ALWAYS_LINES, NOT_KEPT, POLICY

#: Seconds for the head of a request, from the connection's opening or the request's first byte.
HEADERS_WITHIN_S = 10.0
#: Seconds for a body: 5 MB over a line of 1 Mbit/s.
BODY_WITHIN_S = 60.0
#: A key, a few attributes of 4,000 characters, and what proxies add.
MAX_HEAD_BYTES = 64 * 1024
#: Seconds for a client to take some of an answer; 64 KB wait for it meanwhile.
TAKES_WITHIN_S = 30.0
#: Seconds for a client to read why it was refused.
LINGER_S = 1.0

# What every answer carries is written with its status line. As headers of the answers, each would
# be searched for forbidden signs every time, which takes longer than all else that is done to it.
httptools_impl.STATUS_LINE = {
    status: line + ALWAYS_LINES for status, line in httptools_impl.STATUS_LINE.items()
}


class Part(Enum):
    """What of a request is still to come."""

    NOTHING = "nothing"
    HEAD = "head"
    BODY = "body"


class BoundedProtocol(HttpToolsProtocol):
    """An HTTP connection whose client may be slow, endless, or no HTTP client at all."""

    #: What the parser is in, and what a timer runs for: a request that comes in
    #: one piece, as nearly all do, costs no timer.
    _part = Part.HEAD
    _awaited = Part.NOTHING
    _deadline: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._await_rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._part = Part.NOTHING
        self._await_rest()
        self._flows()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for a client that takes nothing of its answer."""
        super().pause_writing()
        self._flows()
        self._stalled = self.loop.call_later(TAKES_WITHIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on with the answer."""
        self._flows()
        super().resume_writing()

    def _flows(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def data_received(self, data: bytes) -> None:
        """Take what came, unless the head has no end."""
        if self._refused:
            return
        if self._part is Part.HEAD:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._part is Part.HEAD and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self._await_rest()

    def on_message_begin(self) -> None:
        """Begin a request's head."""
        super().on_message_begin()
        self._part = Part.HEAD

    def on_headers_complete(self) -> None:
        """Begin a request's body."""
        super().on_headers_complete()
        self._part, self._head_bytes = Part.BODY, 0

    def on_message_complete(self) -> None:
        """End a request."""
        super().on_message_complete()
        self._part = Part.NOTHING

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to the live protocol, which has limits of its own."""
        self._part = Part.NOTHING
        super().handle_websocket_upgrade()
        # It and we hold each other, and nobody will tell us that the connection was lost.
        self.parser = None  # type: ignore[assignment]

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as every failure is answered."""
        del msg
        self._refuse(HTTPStatus.BAD_REQUEST)

    def _await_rest(self) -> None:
        if self._part is self._awaited:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._awaited, self._deadline = self._part, None
        if self._part is not Part.NOTHING:
            seconds = HEADERS_WITHIN_S if self._part is Part.HEAD else BODY_WITHIN_S
            self._deadline = self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if self._part is Part.HEAD and self._head_bytes:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer with a problem and end the connection, without cutting into another answer."""
        if self._refused:
            return
        self._refused = True
        cycle: RequestResponseCycle | None = self.cycle
        open_cycle = cycle if cycle is not None and not cycle.response_complete else None
        if (
            self.transport.is_closing()
            or self.pipeline
            or (open_cycle and open_cycle.response_started)
        ):
            self.transport.close()
            return
        if open_cycle is not None:
            # What waits for the body is told that the client has gone.
            open_cycle.disconnected = True
            open_cycle.message_event.set()
        self.transport.write(_told(status))
        # Closed at once, with bytes unread, the kernel would tear the answer away.
        self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)


def _told(status: HTTPStatus) -> bytes:
    """Return a problem as the bytes of a whole answer."""
    answer = problems.framework(status, status.description or status.phrase)
    headers = [*answer.raw_headers, POLICY, NOT_KEPT, (b"connection", b"close")]
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    return httptools_impl.STATUS_LINE[status] + lines + b"\r\n" + bytes(answer.body)
