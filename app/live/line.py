"""What a session needs of whatever carries its messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from app.live.pictures import Message

#: Under which name a connection tells of its line.
LINE = "kentongan.line"


class Line(Protocol):
    """A way to one peer, who may be slow, stalled or gone."""

    #: Called when there is room again.
    on_room: Callable[[], None] | None
    #: Since when the peer has taken nothing, by the loop's clock, while something waits for it.
    stalled_since: float | None

    @property
    def has_room(self) -> bool:
        """Whether the peer is there and has taken what it was sent, all but a little."""

    def deliver(self, message: Message) -> None:
        """Send a message; it waits here where the peer is slow, so ask for room before."""
