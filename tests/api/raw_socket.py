"""A websocket client of which every byte is the test's, so that it can break any rule.

It shares no code with the server's library: a fault of that would else hide itself.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.api.waiting import SOON

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10
MASKED = 0x80
#: The masking key and the nonce of the examples in RFC 6455 (5.7 and 1.3).
MASK = bytes.fromhex("37fa213d")
NONCE = "dGhlIHNhbXBsZSBub25jZQ=="
#: What the nonce's answer is made with (RFC 6455, 1.3).
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PROTOCOL = "kentongan.v1"


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    mask: bytes = MASK,
    width: int | None = None,
    declared: int | None = None,
) -> bytes:
    """Write a frame as a client should, but for what is asked otherwise (RFC 6455, 5.2).

    Args:
        opcode: what the frame is, 0 to 15.
        payload: what follows the head.
        fin: whether the frame ends its message.
        reserved: the reserved bits.
        mask: four bytes, or none for a frame without a mask.
        width: bytes of the extended length: 0, 2 or 8; as few as will do where it is not said.
        declared: the length that the head tells, where it is not the payload's.
    """
    length = len(payload) if declared is None else declared
    if width is None:
        width = 0 if length < 126 else 2 if length < 1 << 16 else 8
    short = {0: length, 2: 126, 8: 127}[width]
    head = bytes([(FIN if fin else 0) | reserved | opcode, (MASKED if mask else 0) | short])
    head += length.to_bytes(width, "big") if width else b""
    return head + mask + masked(payload, mask)


def masked(payload: bytes, mask: bytes) -> bytes:
    """Mask a payload, or unmask it (RFC 6455, 5.3)."""
    if not mask:
        return payload
    return bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def fragments(*payloads: bytes, opcode: int = TEXT) -> list[bytes]:
    """Write a message as one frame for each of its parts."""
    last = len(payloads) - 1
    return [
        frame(opcode if at == 0 else CONTINUATION, part, fin=at == last)
        for at, part in enumerate(payloads)
    ]


def close(code: int, reason: bytes = b"") -> bytes:
    """Write a close frame, whatever the code."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def asking(channel: str) -> bytes:
    """Write the text with which a wall asks for a channel."""
    return json.dumps({"op": "subscribe", "channel": channel}, ensure_ascii=False).encode()


def head(key: str | None, *lines: str, first: str = "GET /v1/live HTTP/1.1", **changes: Any) -> str:
    """Write the head of an opening handshake (RFC 6455, 4.1).

    Args:
        key: the credential.
        lines: further headers, as they are to be sent.
        first: the request line.
        changes: other values of headers, by their names; ``None`` leaves one out.
    """
    headers: dict[str, str | None] = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": NONCE,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": PROTOCOL,
        "Authorization": None if key is None else f"Bearer {key}",
    }
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    told = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([first, *told, *lines, "", ""])


@dataclass(frozen=True)
class Answer:
    """What the server answered to a request."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Frame:
    """A frame of the server's."""

    opcode: int
    payload: bytes

    @property
    def op(self) -> str:
        """What a message is, by the contract."""
        assert self.opcode == TEXT, self
        return str(json.loads(self.payload)["op"])


@dataclass(frozen=True, eq=False)
class RawSocket:
    """One connection; every wait has an end."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *pieces: bytes) -> None:
        """Send bytes, in one piece where the system allows it."""
        self.writer.write(b"".join(pieces))
        async with asyncio.timeout(SOON):
            await self.writer.drain()

    async def trickle(self, data: bytes) -> None:
        """Send each byte by itself."""
        own = self.writer.get_extra_info("socket")
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(data)):
            await self.send(data[at : at + 1])

    def reset(self) -> None:
        """Have the kernel reset the connection, instead of closing it."""
        own = self.writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def open(self, opening: str) -> Answer:
        """Send the head of a handshake and read the head of its answer."""
        await self.send(opening.encode("latin-1"))
        return await self.answer()

    async def answer(self) -> Answer:
        """Read an answer: to the connection's end, unless it is that of a handshake."""
        async with asyncio.timeout(SOON):
            top = await self.reader.readuntil(b"\r\n\r\n")
            status, *lines = top.decode("latin-1").rstrip().split("\r\n")
            headers = [line.split(": ", 1) for line in lines]
            code = int(status.split()[1])
            body = b"" if code == 101 else await self.reader.read()
        names = [name.lower() for name, _ in headers]
        assert len(set(names)) == len(names), names
        return Answer(code, {name.lower(): value for name, value in headers}, body)

    async def frame(self) -> Frame:
        """Read a frame, which must be such as a server may send (RFC 6455, 5.1 and 5.2)."""
        async with asyncio.timeout(SOON):
            first, second = await self.reader.readexactly(2)
            assert first & 0xF0 == FIN, "whole, and without reserved bits"
            assert not second & MASKED, "a server masks nothing"
            length = second
            if second > 125:
                width = {126: 2, 127: 8}[second]
                length = int.from_bytes(await self.reader.readexactly(width), "big")
                assert length > {2: 125, 8: 0xFFFF}[width], "told in as few bytes as will do"
            return Frame(first & 0x0F, await self.reader.readexactly(length))

    async def until(self, opcode: int) -> list[Frame]:
        """Read up to a frame of this kind, and return all, that one last."""
        frames = [await self.frame()]
        while frames[-1].opcode != opcode:
            frames.append(await self.frame())
        return frames

    async def ended(self) -> Frame:
        """Read up to the server's close frame, behind which nothing may come, and return it."""
        last = (await self.until(CLOSE))[-1]
        assert await self.rest() == b""
        return last

    async def rest(self) -> bytes:
        """Read to the end of the connection.

        Who closes with bytes unread resets it, and a server need not read what is of no use.
        """
        read = b""
        async with asyncio.timeout(SOON):
            try:
                while piece := await self.reader.read(65_536):
                    read += piece
            except ConnectionError:
                pass
        return read


@asynccontextmanager
async def dialled(base: str) -> AsyncIterator[RawSocket]:
    """Open a connection over which nothing was said."""
    host, port = base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield RawSocket(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def opened(base: str, key: str, *lines: str, **changes: Any) -> AsyncIterator[RawSocket]:
    """Open a websocket, check the server's handshake, and read its greeting."""
    async with dialled(base) as client:
        check_welcome(await client.open(head(key, *lines, **changes)))
        assert (await client.frame()).op == "hello"
        yield client


def check_welcome(answer: Answer) -> None:
    """Check what a client must check of the answer to its handshake (RFC 6455, 4.1)."""
    assert answer.status == 101, answer
    assert answer.headers["upgrade"].lower() == "websocket"
    assert answer.headers["connection"].lower() == "upgrade"
    proof = hashlib.sha1((NONCE + GUID).encode(), usedforsecurity=False).digest()
    assert answer.headers["sec-websocket-accept"] == base64.b64encode(proof).decode()
    assert answer.headers["sec-websocket-protocol"] == PROTOCOL
    assert "sec-websocket-extensions" not in answer.headers
