"""A picture is a channel's state at one rev, and how it is told to clients.

Pictures are never changed and are shared by all sockets that hold them, so
that a slow socket costs one reference and no queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.patches import Document, difference
from app.domain.strict_json import dumps
from app.domain.times import format_instant


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


def snapshot(picture: Picture, reason: str) -> str:
    """Encode the message that carries a whole picture."""
    return dumps(
        {
            "op": "snapshot",
            "channel": picture.channel,
            **picture.standing(),
            "reason": reason,
            "state": picture.document,
        }
    )


def delta(held: Picture, now: Picture, patch: Document | None = None) -> str:
    """Encode the message that leads from one picture to a later one of its epoch.

    ``patch`` is the difference of their documents where it is already known.
    """
    message: dict[str, Any] = {
        "op": "delta",
        "channel": now.channel,
        "from": held.rev,
        **now.standing(),
        "patch": difference(held.document, now.document) if patch is None else patch,
    }
    if now.rev - held.rev > 1:
        message["coalesced"] = now.rev - held.rev
    return dumps(message)


def resumed(picture: Picture) -> str:
    """Encode the message that a client's position holds."""
    return dumps(
        {
            "op": "resumed",
            "channel": picture.channel,
            "epoch": picture.epoch,
            "rev": picture.rev,
        }
    )
