"""What a worker and the process that it works for say to each other, through its two pipes."""

from __future__ import annotations

import asyncio
import pickle
import struct
from typing import Any, BinaryIO, NamedTuple

from app.domain.errors import DomainError

_LENGTH = struct.Struct("!I")


class Task(NamedTuple):
    """To the worker, first of all: what to do with each region that is named after it.

    The address has a password in it, and goes through the pipe because others may read
    command lines, and whatever is started by us would inherit an environment.
    """

    work: Any
    url: str


class Ready(NamedTuple):
    """The worker is up and waits for a region."""


class Folded(NamedTuple):
    """So many events of the region have been folded."""

    events: int


class Rung(NamedTuple):
    """A doorbell is to be rung."""

    topic: str
    names: set[str]


class Logged(NamedTuple):
    """A log line is to be written."""

    level: str
    fields: dict[str, Any]


class Done(NamedTuple):
    """The region is done, with this result."""

    result: Any


class Failed(NamedTuple):
    """The region cannot be done, for a reason that is told in a sentence."""

    error: DomainError


def pack(message: Any) -> bytes:
    """Return a message as it goes through a pipe."""
    body = pickle.dumps(message)
    return _LENGTH.pack(len(body)) + body


def read(pipe: BinaryIO) -> Any:
    """Wait for the next message, or nothing where no more will come."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    return _unpack(pipe.read(*_LENGTH.unpack(head)))


async def receive(pipe: asyncio.StreamReader) -> Any:
    """Wait for the next message, or nothing where no more will come."""
    try:
        head = await pipe.readexactly(_LENGTH.size)
        return _unpack(await pipe.readexactly(*_LENGTH.unpack(head)))
    except asyncio.IncompleteReadError:
        return None


def _unpack(body: bytes) -> Any:
    return pickle.loads(body)  # noqa: S301 - by a process that is our own
