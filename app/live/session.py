"""The protocol of one wall, with no I/O: what to send next, given what was asked and sent.

The rev that a session holds is that of the last message handed out for
sending, so that a wall which cannot keep up is told the difference to the
newest picture when it can, and never a queue of old ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.times import format_instant
from app.live import pictures
from app.live.hub import Channel
from app.live.pictures import Message, Picture, Position

#: A wall that hears nothing for two heartbeats reconnects; 15 s keeps a proxy's
#: usual idle limit of 60 s from closing a quiet night.
HEARTBEAT_S = 15
#: How long frames can be resumed from.
RESUME_WINDOW_S = 3600


@dataclass(slots=True)
class _Subscription:
    """A channel as this session has it: what it holds, or why it will be sent whole."""

    channel: Channel
    held: Picture | None
    reason: str


class Session:
    """One connection's place in each of its channels."""

    def __init__(self) -> None:
        #: Seldom more than one; a queue that is quick at both ends is 700 bytes for every wall.
        self._direct: list[Message] = []
        self._subscriptions: dict[str, _Subscription] = {}
        self._heartbeat_at: datetime | None = None

    @property
    def channels(self) -> list[str]:
        """The names of the channels that are subscribed."""
        return list(self._subscriptions)

    def greet(self, now: datetime) -> None:
        """Say hello."""
        self._say(
            {
                "op": "hello",
                "server_time": format_instant(now),
                "heartbeat_s": HEARTBEAT_S,
                "resume_window_s": RESUME_WINDOW_S,
            }
        )

    def problem(self, problem: dict[str, Any]) -> None:
        """Tell what was wrong with a message."""
        self._say({"op": "problem", "problem": problem})

    def _say(self, members: dict[str, Any]) -> None:
        self._direct.append(pictures.message(members))

    def start(self, name: str, channel: Channel, held: Picture | None, reason: str) -> None:
        """Begin a channel, from a picture the client has or with a whole one.

        A second subscription to a channel takes the place of the first.
        """
        if held is not None and not channel.is_worth_resuming(held):
            held, reason = None, "behind"
        if held is not None:
            self._direct.append(pictures.resumed(held))
        self._subscriptions[name] = _Subscription(channel, held, reason)

    def position(self, name: str) -> Position | None:
        """Return where the client stands once it has all that was handed out."""
        held = self._subscriptions[name].held
        return None if held is None else Position(held.epoch, held.rev)

    def stop(self, name: str) -> bool:
        """End a channel; say whether it was subscribed."""
        return self._subscriptions.pop(name, None) is not None

    def heartbeat(self, now: datetime) -> None:
        """Have a heartbeat sent next, whatever else there is to tell."""
        self._heartbeat_at = now

    def next_message(self) -> Message | None:
        """Return the next message to send, or nothing when all is told."""
        if self._direct:
            return self._direct.pop(0)
        if self._heartbeat_at is not None:
            message, self._heartbeat_at = self._heartbeat(self._heartbeat_at), None
            return message
        for name, subscription in self._subscriptions.items():
            channel = subscription.channel
            told = channel.message_from(subscription.held, subscription.reason)
            if told is not None:
                subscription.held = channel.picture
                if len(self._subscriptions) > 1:
                    # To the end of the row: a busy channel must not starve the others
                    # of a socket that is slower than its frames.
                    self._subscriptions[name] = self._subscriptions.pop(name)
                return told
        return None

    def _heartbeat(self, now: datetime) -> Message:
        """Tell where this client stands: as far as it was told, as old as that is."""
        positions = {}
        for name, subscription in self._subscriptions.items():
            held, newest = subscription.held, subscription.channel.picture
            if held is None:
                continue
            if (held.epoch, held.rev) == (newest.epoch, newest.rev):
                # The newest knows how long it has been true. What is told of it is told for
                # good: the next heartbeat may come when there is a newer one, not yet sent.
                subscription.held = held = newest
            positions[name] = held.standing()
        return pictures.message(
            {"op": "heartbeat", "server_time": format_instant(now), "positions": positions}
        )
