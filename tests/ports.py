"""Ports for servers that tests start in processes of their own."""

import os
import socket
from itertools import count

#: Below what the system gives to outgoing connections (from 32,768 on Linux, 49,152 elsewhere):
#: a port of that range, found free, may be some connection's own by the time a server asks for it,
#: and stay so for as long as that connection lives.
FIRST, LAST = 20_000, 32_000
#: Each worker of a run has ports to itself; each run begins at another place.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
_ROOM = (LAST - FIRST) // 4
_turns = count(os.getpid())


def free_port() -> int:
    """Return a port of this machine that nobody listens on now, and no other test will take."""
    for turn in _turns:
        port = FIRST + _WORKER * _ROOM + turn % _ROOM
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError  # what counts has no end
