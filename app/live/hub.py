"""The hub: each channel's newest picture, and who waits for it.

A frame is encoded once and the same message goes to every subscriber that holds
the rev before it. A subscriber that fell behind gets one difference to the
newest picture; equal differences are made once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from app.domain.patches import Document, apply
from app.live import pictures
from app.live.pictures import Message, Picture, Position

#: Pictures kept of a channel to resume from without asking the database. They
#: share what did not change; at ten frames a second this is half a minute.
RECENT = 300


class Channel:
    """One channel: its newest picture, recent ones, and its subscribers."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.subscribers: set[Callable[[], None]] = set()
        self._recent: OrderedDict[Position, Picture] = OrderedDict()
        #: What leads to the newest picture: by rev for who holds one, by reason for the rest.
        self._from_rev: dict[int, Message] = {}
        self._whole: dict[str, Message] = {}
        self._remember(picture)

    def advance(self, rev: int, standing: Picture, patch: Document) -> None:
        """Move on by the frame that follows the newest picture; wakes nobody yet."""
        held = self.picture
        if rev != held.rev + 1 or standing.epoch != held.epoch:
            raise ValueError("the frame does not follow the picture")
        now = replace(standing, rev=rev, document=apply(held.document, patch))
        self._remember(now)
        self.picture = now
        self._whole = {}
        self._from_rev = {held.rev: self._shorter(pictures.delta(held, now, patch))}

    def reset(self, picture: Picture) -> None:
        """Begin again from a picture that does not follow the newest one."""
        self.picture = picture
        self._whole, self._from_rev = {}, {}
        self._remember(picture)

    def touch(self, head: int, current_at: datetime, watermark: datetime | None) -> None:
        """Tell that the newest picture is still true; nobody needs a message for it."""
        if current_at > self.picture.current_at or head > self.picture.head:
            self.picture = replace(
                self.picture, head=head, current_at=current_at, watermark=watermark
            )
            self._remember(self.picture)
            # Snapshots carry the standing; deltas made before are still true.
            self._whole = {}
            self._from_rev = {rev: m for rev, m in self._from_rev.items() if m.op == "delta"}

    def wake(self) -> None:
        """Wake every subscriber; never waits for any of them."""
        for subscriber in list(self.subscribers):
            subscriber()

    def at(self, position: Position) -> Picture | None:
        """Return a recent picture."""
        return self._recent.get(position)

    def message_from(self, held: Picture | None, reason: str) -> Message | None:
        """Return what leads a holder of ``held`` to the newest picture, if anything does.

        A holder of nothing gets a snapshot with ``reason``, one of another epoch
        a snapshot, and one for whom the delta would be larger than the state a
        snapshot too.
        """
        if held is None:
            return self._snapshot(reason)
        if held.epoch != self.picture.epoch or held.rev > self.picture.rev:
            return self._snapshot("epoch")
        if held.rev == self.picture.rev:
            return None
        return self._from_rev.get(held.rev) or self._lead(held)

    def is_worth_resuming(self, held: Picture) -> bool:
        """Say whether the delta from a picture is no larger than the state."""
        if held.rev == self.picture.rev:
            return True
        return (self._from_rev.get(held.rev) or self._lead(held)).op == "delta"

    def _lead(self, held: Picture) -> Message:
        """Make the message from an older picture of this epoch to the newest."""
        message = self._shorter(pictures.delta(held, self.picture))
        self._from_rev[held.rev] = message
        return message

    def _shorter(self, delta: Message) -> Message:
        whole = self._snapshot("behind")
        return delta if len(delta) <= len(whole) else whole

    def _snapshot(self, reason: str) -> Message:
        if reason not in self._whole:
            self._whole[reason] = pictures.snapshot(self.picture, reason)
        return self._whole[reason]

    def _remember(self, picture: Picture) -> None:
        self._recent[Position(picture.epoch, picture.rev)] = picture
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)


class Hub:
    """The channels that somebody in this process watches."""

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}

    def subscribe(self, name: str, wake: Callable[[], None]) -> Channel:
        """Add a subscriber to a channel that is open."""
        channel = self.channels[name]
        channel.subscribers.add(wake)
        return channel

    def unsubscribe(self, name: str, wake: Callable[[], None]) -> None:
        """Take a subscriber away; a channel that nobody watches is let go."""
        channel = self.channels.get(name)
        if channel is None:
            return
        channel.subscribers.discard(wake)
        if not channel.subscribers:
            del self.channels[name]
