"""Raw clients for load: one request at a time on a connection, and frames counted as they come.

They cost little, for they share the machine with what they measure: a request
about 35 µs beside the kernel's part, a frame about 8 µs. Request bytes are made
before; of an answer only status and length are read, of a frame only its
length and opcode, unless somebody asks.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from collections.abc import Callable
from typing import cast

HOST = "127.0.0.1"
TEXT, CLOSE = 0x1, 0x8


class Gone(Exception):
    """The server closed the connection before it had answered."""


def request(method: str, path: str, key: str, body: bytes = b"", kind: str = "") -> bytes:
    """Return the bytes of a request; ``kind`` is the body's media type."""
    head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {key}\r\n"
    if body:
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def batch_request(key: str, events: list[bytes]) -> bytes:
    """Return the request that posts events as one batch."""
    body = b"[" + b",".join(events) + b"]"
    return request("POST", "/v1/events", key, body, "application/cloudevents-batch+json")


def single_request(key: str, event: bytes) -> bytes:
    """Return the request that posts one event."""
    return request("POST", "/v1/events", key, event, "application/cloudevents+json")


class Answer:
    """One answer: its status, head and body."""

    __slots__ = ("body", "head", "status")

    def __init__(self, status: int, head: bytes, body: bytes) -> None:
        self.status, self.head, self.body = status, head, body


class HttpWire(asyncio.Protocol):
    """One connection that is kept alive; opened again where the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._buffer = bytearray()
        self._need = -1
        self._body_at = 0

    async def ask(self, data: bytes) -> Answer:
        """Send a request and return its answer.

        Raises:
            Gone: the connection ended first.
        """
        if self._transport is None or self._transport.is_closing():
            await asyncio.get_running_loop().create_connection(lambda: self, HOST, self._port)
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self._answer

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._buffer.clear()
        self._need = -1

    def data_received(self, data: bytes) -> None:
        """Take bytes; an answer is whole when its length has come."""
        buffer = self._buffer
        buffer += data
        if self._need < 0:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._body_at = end + 4
            self._need = self._body_at + _content_length(buffer, end)
        if len(buffer) >= self._need:
            head, body = bytes(buffer[: self._body_at]), bytes(buffer[self._body_at : self._need])
            buffer.clear()
            self._need = -1
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(Answer(int(head[9:12]), head, body))

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Gone("closed without an answer"))


def _content_length(head: bytearray, end: int) -> int:
    place = head.find(b"content-length: ", 0, end)
    if place < 0:
        return 0
    return int(head[place + 16 : head.find(b"\r\n", place)])


Told = Callable[[memoryview], None]


class LiveWire(asyncio.Protocol):
    """One websocket of the live contract; ``told`` gets each text message's bytes."""

    def __init__(self, port: int, key: str | None, told: Told) -> None:
        self._port, self._key, self._told = port, key, told
        self._buffer = bytearray()
        self._open = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self.code: int | None = None
        self.transport: asyncio.Transport

    async def connect(self, receive_buffer: int | None = None) -> LiveWire:
        """Open the connection; ``receive_buffer`` bounds what the kernel takes for us."""
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await loop.sock_connect(sock, (HOST, self._port))
        await loop.create_connection(lambda: self, sock=sock)
        await self.opened
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self.transport = cast(asyncio.Transport, transport)
        name = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET /v1/live HTTP/1.1",
            f"Host: {HOST}:{self._port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {name}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: kentongan.v1",
        ]
        if self._key is not None:
            lines.append(f"Authorization: Bearer {self._key}")
        transport = self.transport
        transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def say(self, text: str) -> None:
        """Send a text message."""
        data = text.encode()
        mask = b"\x00\x00\x00\x00"  # a mask like any other, and the cheapest
        length = len(data)
        size = bytes([0x80 | length]) if length < 126 else b"\xfe" + length.to_bytes(2, "big")
        self.transport.write(b"\x81" + size + mask + data)

    def data_received(self, data: bytes) -> None:
        """Take bytes and tell of every whole frame."""
        if self._buffer or not self._open:
            self._buffer += data
            data = bytes(self._buffer)
            self._buffer.clear()
        start = 0
        if not self._open:
            start = self._handshake(data)
            if start < 0:
                self._buffer += data
                return
        self._frames(data, start)

    def _handshake(self, data: bytes) -> int:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return -1
        if not data.startswith(b"HTTP/1.1 101"):
            if not self.opened.done():
                self.opened.set_exception(Gone(data[:40].decode(errors="replace")))
            self.transport.close()
            return len(data)
        self._open = True
        self.opened.set_result(None)
        return end + 4

    def _frames(self, data: bytes, start: int) -> None:
        size, view = len(data), memoryview(data)
        while size - start >= 2:
            length, at = data[start + 1], start + 2
            if length == 126:
                length, at = int.from_bytes(data[at : at + 2], "big"), at + 2
            elif length == 127:
                length, at = int.from_bytes(data[at : at + 8], "big"), at + 8
            if at > size or at + length > size:
                break
            opcode = data[start] & 0x0F
            if opcode == TEXT:
                self._told(view[at : at + length])
            elif opcode == CLOSE and length >= 2:
                self.code = int.from_bytes(data[at : at + 2], "big")
            start = at + length
        if start < size:
            self._buffer += data[start:]

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits."""
        if not self.opened.done():
            self.opened.set_exception(Gone("closed during the handshake"))
        if not self.ended.done():
            self.ended.set_result(self.code)

    def close(self) -> None:
        """Drop the connection as a cable that is pulled does."""
        self.transport.abort()


def subscribe(channel: str, epoch: str | None = None, rev: int = 0) -> str:
    """Return the message that asks for a channel, from a position where one is held."""
    if epoch is None:
        return f'{{"op":"subscribe","channel":"{channel}"}}'
    position = f'{{"epoch":"{epoch}","rev":{rev}}}'
    return f'{{"op":"subscribe","channel":"{channel}","position":{position}}}'


def number_in(message: bytes, name: bytes) -> int:
    """Return an integer member of a message, looked for by its text; -1 where there is none.

    >>> number_in(b'{"op":"delta","seq":41,"head":42}', b'"seq":')
    41
    """
    place = message.find(name)
    if place < 0:
        return -1
    place += len(name)
    end = place
    while 48 <= message[end] <= 57:
        end += 1
    return int(message[place:end])
