"""A peer that reads when it pleases: a websocket on a bare socket with a small window."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass, field
from typing import Any, Self

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from tests.e2e.waiting import SOON
from tests.e2e.watcher import PROTOCOL

#: Bytes; the kernel doubles it. Together with the server's it is all that is in flight.
RECEIVE_BUFFER = 4096


@dataclass(eq=False)
class SlowSocket:
    """One connection. ``received`` counts the bytes that were read from it so far."""

    url: str
    key: str
    received: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)
    close_code: int | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._socket.setblocking(False)
        uri = parse_uri(self.url)
        self._protocol = ClientProtocol(uri, subprotocols=[PROTOCOL], max_size=None)  # type: ignore[list-item]
        await self._loop.sock_connect(self._socket, (uri.host, uri.port))
        request = self._protocol.connect()
        request.headers["Authorization"] = f"Bearer {self.key}"
        self._protocol.send_request(request)
        await self._flush()
        await self.read_until(lambda: self.messages != [])
        assert self.messages[0]["op"] == "hello"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()

    async def subscribe(self, channel: str) -> None:
        """Ask for a channel, and read nothing of the answer."""
        self._protocol.send_text(json.dumps({"op": "subscribe", "channel": channel}).encode())
        await self._flush()

    async def _flush(self) -> None:
        for piece in self._protocol.data_to_send():
            if piece:
                await self._loop.sock_sendall(self._socket, piece)

    async def read_until(self, so: Any) -> None:
        """Read until it is ``so``, or until the server has closed."""
        async with asyncio.timeout(SOON):
            while not so() and self.close_code is None:
                await self._read_some()

    async def _read_some(self) -> None:
        try:
            piece = await self._loop.sock_recv(self._socket, 65536)
        except ConnectionResetError:
            piece = b""
        self.received += len(piece)
        if piece:
            self._protocol.receive_data(piece)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self.messages.append(json.loads(bytes(event.data)))
        if not piece or self._protocol.close_rcvd is not None:
            self.close_code = self._protocol.close_code
