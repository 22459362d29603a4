"""What the kernel holds for sockets, asked by sock_diag (Linux; man 7 sock_diag)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

_DUMP_BY_FAMILY, _REQUEST_DUMP = 20, 0x301
_DONE, _ERROR = 3, 2
_SKMEMINFO = 7
_ESTABLISHED_AND_CLOSING = 0xFFF
_HEADER = struct.Struct("=IHHII")
#: Of ``inet_diag_msg``: the two ports stand after four bytes, attributes after all.
_PORTS, _MESSAGE_BYTES = struct.Struct("!HH"), 72


def held_of(port: int) -> dict[int, int]:
    """Return the bytes that the kernel holds for each connection of a server, by peer's port.

    Both directions, with the overhead of the buffers themselves.
    """
    held: dict[int, int] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as diag:  # 4: NETLINK_SOCK_DIAG
        ask = struct.pack(
            "=BBBBI48x",
            socket.AF_INET,
            socket.IPPROTO_TCP,
            1 << (_SKMEMINFO - 1),
            0,
            _ESTABLISHED_AND_CLOSING,
        )
        diag.send(_HEADER.pack(16 + len(ask), _DUMP_BY_FAMILY, _REQUEST_DUMP, 1, 0) + ask)
        for message in _messages(diag):
            ours, peer = _PORTS.unpack_from(message, 4)
            if ours == port:
                held[peer] = _memory(message[_MESSAGE_BYTES:])
    return held


def _messages(diag: socket.socket) -> Iterator[bytes]:
    while True:
        data = diag.recv(1 << 18)
        while data:
            length, kind, *_ = _HEADER.unpack_from(data)
            if kind in (_DONE, _ERROR):
                return
            yield data[16:length]
            data = data[(length + 3) & ~3 :]


def _memory(attributes: bytes) -> int:
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind == _SKMEMINFO:
            # rmem_alloc, rcvbuf, wmem_alloc, sndbuf, fwd_alloc, wmem_queued ...
            values = struct.unpack_from("=6I", attributes, 4)
            return int(values[0] + max(values[2], values[5]))
        attributes = attributes[(length + 3) & ~3 :]
    return 0
