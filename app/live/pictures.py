"""A picture is a channel's state at one rev, and how it is told to clients.

Pictures are never changed and are shared by all sockets that hold them, so
that a slow socket costs one reference and no queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from app.domain.patches import Document, difference
from app.domain.strict_json import encode
from app.domain.times import format_instant


class Message(str):
    """A message as text.

    ``frame`` is room for whoever carries it: the bytes that go over the wire,
    made for the first of many sockets.
    """

    __slots__ = ("frame",)
    frame: bytes | None

    def __new__(cls, text: str) -> Self:
        """Begin without a frame."""
        made = super().__new__(cls, text)
        made.frame = None
        return made

    @property
    def op(self) -> str:
        """The message's op, with which every message of ours begins.

        >>> Message('{"op":"hello","server_time":"2026-11-20T01:00:00.000Z"}').op
        'hello'
        """
        return self[7 : self.index('"', 7)]


def message(members: dict[str, Any]) -> Message:
    """Encode a message."""
    return Message(encode(members).decode())


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a channel, as a client names it."""

    epoch: str
    rev: int


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A channel at one rev. ``head`` and ``current_at`` may be newer than the rev."""

    channel: str
    epoch: str
    rev: int
    seq: int
    head: int
    current_at: datetime
    watermark: datetime | None
    document: Document

    def standing(self) -> dict[str, Any]:
        """Return where the picture stands, as messages tell it."""
        members: dict[str, Any] = {
            "epoch": self.epoch,
            "rev": self.rev,
            "seq": self.seq,
            "head": self.head,
            "current_at": format_instant(self.current_at),
        }
        if self.watermark is not None:
            members["watermark"] = format_instant(self.watermark)
        return members


def snapshot(picture: Picture, reason: str) -> Message:
    """Encode the message that carries a whole picture."""
    return message(
        {
            "op": "snapshot",
            "channel": picture.channel,
            **picture.standing(),
            "reason": reason,
            "state": picture.document,
        }
    )


def delta(held: Picture, now: Picture, patch: Document | None = None) -> Message:
    """Encode the message that leads from one picture to a later one of its epoch.

    ``patch`` is the difference of their documents where it is already known.
    """
    members: dict[str, Any] = {
        "op": "delta",
        "channel": now.channel,
        "from": held.rev,
        **now.standing(),
        "patch": difference(held.document, now.document) if patch is None else patch,
    }
    if now.rev - held.rev > 1:
        members["coalesced"] = now.rev - held.rev
    return message(members)


def resumed(picture: Picture) -> Message:
    """Encode the message that a client's position holds."""
    return message(
        {
            "op": "resumed",
            "channel": picture.channel,
            "epoch": picture.epoch,
            "rev": picture.rev,
        }
    )
