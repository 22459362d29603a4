"""What every bus does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

#: Topics: a region's log has grown; a channel has a new rev; somebody who works on
#: channels came, went, or left one to others.
LOG = "kentongan_log"
FRAMES = "kentongan_frames"
OWNERS = "kentongan_owners"

#: Called with the names rung for: regions for LOG, channels for FRAMES, whoever for OWNERS.
#: ``ALL`` among them stands for any.
Ring = Callable[[set[str]], None]
ALL = "*"


class Bus(Protocol):
    """A bus of doorbells."""

    def ring(self, topic: str, names: set[str]) -> None:
        """Ring; never waits and never fails."""

    def listen(self, topic: str, ring: Ring) -> None:
        """Call ``ring`` whenever the topic is rung, here or in another process."""

    async def run(self) -> None:
        """Carry rings until cancelled."""

    async def flush(self) -> None:
        """Wait until what was rung has been carried; for those that end."""
