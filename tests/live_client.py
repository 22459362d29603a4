"""A live client that checks what it is told: every promise of the protocol, at every message.

``Checker`` has no I/O: it is handed what was asked and what was told, keeps a
document per channel, and raises ``Broken`` at the first message that breaks the
contract. ``LiveClient`` is a checker on a websocket. What several clients, and
readers over HTTP, saw of the same rev is compared through a shared ``Ledger``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import rfc8785
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.schemas.asyncapi import SENT, asyncapi
from tests.json_schema import check

PROTOCOL = "kentongan.v1"
#: Seconds. Reached only where something is broken: the machine may be busy with all else.
SOON = 60.0
#: Reasons that tell of a change on the server's side, so that they may come unasked.
UNASKED = ("epoch", "behind")

_COMPONENTS = asyncapi("test")["components"]["schemas"]
_SCHEMAS = {
    _COMPONENTS[model.__name__]["properties"]["op"]["const"]: _COMPONENTS[model.__name__]
    for model in SENT
}


class Broken(AssertionError):
    """The server broke a promise of the live protocol."""


def need(so: bool, promise: str) -> None:
    """Raise ``Broken`` where a promise does not hold."""
    if not so:
        raise Broken(promise)


def merge(target: Any, patch: Any) -> Any:
    """Return what a merge patch makes of a value, word for word as RFC 7396 section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def patch_between(old: Any, new: Any) -> Any:
    """Return the smallest merge patch between two documents without null and arrays."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        if name not in old or old[name] != value:
            patch[name] = patch_between(old.get(name), value)
    return patch


def digest(document: Any) -> str:
    """Return what is equal for documents that are equal as RFC 8785 bytes."""
    return hashlib.sha256(rfc8785.dumps(document)).hexdigest()


def _check_can_be_patched(value: Any) -> None:
    """Check that every change of a state can be told: no null and no arrays anywhere."""
    if isinstance(value, dict):
        for inner in value.values():
            _check_can_be_patched(inner)
    else:
        need(isinstance(value, str | int), "a state holds objects, text and whole numbers alone")


def _strict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    need(len(members) == len(pairs), "no object has a member twice")
    return members


class Ledger:
    """What anybody held at a rev of a channel; whoever holds the same rev holds the same."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, int], tuple[int, str]] = {}

    def note(self, channel: str, epoch: str, rev: int, seq: int, document: Any) -> None:
        """Remember what was held, and compare it with what others held there."""
        found = (seq, digest(document))
        before = self._seen.setdefault((channel, epoch, rev), found)
        need(before == found, f"agreement: two pictures of {channel} at {epoch}.{rev}")

    def note_reading(self, answer: dict[str, Any]) -> None:
        """Compare a state that was read over HTTP (convergence)."""
        self.note(answer["channel"], answer["epoch"], answer["rev"], answer["seq"], answer["state"])

    def __len__(self) -> int:
        """Return how many revs were seen."""
        return len(self._seen)


@dataclass
class Held:
    """A channel as a client has it; ``seq``, ``head`` and times as last told."""

    epoch: str
    rev: int
    seq: int
    head: int
    current_at: datetime
    watermark: datetime | None
    document: Any

    @property
    def position(self) -> dict[str, Any]:
        """Return the place to resume from."""
        return {"epoch": self.epoch, "rev": self.rev}


@dataclass
class _Asked:
    """A subscription whose first answer has not come."""

    position: dict[str, Any] | None
    #: What this client really held there, where it is a true position.
    held: Held | None


class Checker:
    """The protocol of one client, over as many connections as it makes."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.ledger = ledger if ledger is not None else Ledger()
        self.held: dict[str, Held] = {}
        self.past: dict[tuple[str, str, int], Held] = {}
        self.messages: list[dict[str, Any]] = []
        #: Subscriptions without an answer. Of two that come together the first
        #: may never get one, so that an answer is for any of them that it fits.
        self._asked: dict[str, list[_Asked]] = {}
        #: Channels that this connection has told something of, and those of them
        #: that were not left.
        self._begun: set[str] = set()
        self._following: set[str] = set()
        self._greeted = False

    def connected(self) -> None:
        """Begin a new connection: nothing is subscribed, what is held stays."""
        self._asked.clear()
        self._begun.clear()
        self._following.clear()
        self._greeted = False

    def asking(self, channel: str, position: dict[str, Any] | None) -> None:
        """Note a subscription that is being sent."""
        held = None
        if position is not None:
            held = self.past.get((channel, str(position.get("epoch")), position.get("rev") or 0))
        self._asked.setdefault(channel, []).append(_Asked(position, held))

    def forget_past(self) -> None:
        """Hold on to the present alone: positions before it are no longer in the window."""
        self.past.clear()

    def leaving(self, channel: str) -> None:
        """Note an unsubscription that is being sent; what is on its way still comes."""
        self._following.discard(channel)

    def told(self, text: str | bytes) -> dict[str, Any]:
        """Check one message against all that was told before."""
        need(isinstance(text, str), "messages are text")
        message: dict[str, Any] = json.loads(text, object_pairs_hook=_strict)
        op = message.get("op")
        need(op in _SCHEMAS, "every op is one of the contract's")
        check(message, _SCHEMAS[str(op)], _COMPONENTS)
        need((op == "hello") is not self._greeted, "hello comes first and once")
        self._greeted = True
        if op in ("snapshot", "resumed", "delta", "heartbeat"):
            getattr(self, f"_{op}")(message)
        self.messages.append(message)
        return message

    def _answered(self, channel: str, fits: Callable[[_Asked], bool]) -> _Asked | None:
        for asked in self._asked.get(channel, []):
            if fits(asked):
                self._asked[channel].remove(asked)
                return asked
        return None

    def _snapshot(self, message: dict[str, Any]) -> None:
        channel, initial = message["channel"], message["reason"] == "initial"
        asked = self._answered(channel, lambda asked: initial is (asked.position is None))
        if asked is not None:
            self._check_first(asked, message)
        else:
            need(channel in self._begun, "a snapshot is of a channel that was asked for")
            self._check_unasked(self.held[channel], message)
        _check_can_be_patched(message["state"])
        self._begin(channel)
        self._hold(channel, message, message["state"])

    def _begin(self, channel: str) -> None:
        self._begun.add(channel)
        self._following.add(channel)

    def _check_first(self, asked: _Asked, message: dict[str, Any]) -> None:
        if asked.held is not None:
            self._check_unasked(asked.held, message)

    def _check_unasked(self, held: Held, message: dict[str, Any]) -> None:
        """Check that a holder of a true position could not have been sent a delta."""
        reason = message["reason"]
        need(reason in UNASKED, f"a position inside the window is resumed, and not {reason}")
        if reason == "epoch":
            need(message["epoch"] != held.epoch, "epoch is said where the epoch changed")
            return
        need(message["epoch"] == held.epoch, "behind is said within an epoch")
        need(message["rev"] > held.rev, "a snapshot never leads back")
        patch, state = patch_between(held.document, message["state"]), message["state"]
        # The delta names two members more than the snapshot and the snapshot its reason.
        longer = len(json.dumps(patch)) + 40 >= len(json.dumps(state))
        need(longer, "behind is said only where the delta would be larger than the state")

    def _resumed(self, message: dict[str, Any]) -> None:
        channel = message["channel"]
        place = {"epoch": message["epoch"], "rev": message["rev"]}
        asked = self._answered(channel, lambda asked: asked.position == place)
        need(asked is not None, "resumed repeats a position that was asked for")
        assert asked is not None
        need(asked.held is not None, "nobody is resumed from what was never told")
        assert asked.held is not None
        self.held[channel] = asked.held
        self._begin(channel)

    def _delta(self, message: dict[str, Any]) -> None:
        channel = message["channel"]
        need(channel in self._begun, "a delta follows a snapshot, or what was resumed")
        held = self.held[channel]
        need(message["epoch"] == held.epoch, "a delta stays within the epoch")
        need(message["from"] == held.rev, "ordered, unique: from is the rev that is held")
        span = message["rev"] - held.rev
        need(span > 0, "a delta leads forward")
        need(message.get("coalesced", 1) == span, "coalesced counts the revs of the delta")
        need(message["seq"] >= held.seq, "seq never goes back")
        document = merge(held.document, message["patch"])
        _check_can_be_patched(document)
        self._hold(channel, message, document)

    def _hold(self, channel: str, message: dict[str, Any], document: Any) -> None:
        self._stand(channel, message, document)
        held = self.held[channel]
        self.ledger.note(channel, held.epoch, held.rev, held.seq, document)

    def _stand(self, channel: str, place: dict[str, Any], document: Any) -> None:
        before = self.held.get(channel)
        mark = place.get("watermark")
        now = Held(
            place["epoch"],
            place["rev"],
            place["seq"],
            place["head"],
            datetime.fromisoformat(place["current_at"]),
            None if mark is None else datetime.fromisoformat(mark),
            document,
        )
        need(now.seq <= now.head, "nothing is folded that is not in the log")
        if before is not None and before.epoch == now.epoch and now.rev >= before.rev:
            need(
                now.current_at >= before.current_at,
                f"a picture never grows older than it was: {channel} {now.rev} as of"
                f" {now.current_at:%T.%f}, {before.rev} as of {before.current_at:%T.%f}",
            )
            if before.watermark is not None:
                need(now.watermark is not None, "the watermark never goes back")
                assert now.watermark is not None
                need(now.watermark >= before.watermark, "the watermark never goes back")
        self.held[channel] = now
        self.past[channel, now.epoch, now.rev] = now

    def _heartbeat(self, message: dict[str, Any]) -> None:
        for channel, place in message["positions"].items():
            if channel not in self._following or self._asked.get(channel):
                continue  # on its way when something else was asked
            held = self.held[channel]
            told = (place["epoch"], place["rev"], place["seq"])
            need(told == (held.epoch, held.rev, held.seq), "a heartbeat tells what is held")
            self._stand(channel, place, held.document)
        untold = self._following - message["positions"].keys()
        need(all(self._asked.get(c) for c in untold), "a heartbeat tells of every channel")


@dataclass
class LiveClient:
    """A checking client on websockets: connects, asks, reads, and comes again."""

    base: str
    key: str | None = None
    ledger: Ledger = field(default_factory=Ledger)
    #: Bytes that the kernel may hold for us; small for a client that is to be slow.
    receive_buffer: int | None = None

    def __post_init__(self) -> None:
        self.checker = Checker(self.ledger)
        self.socket: ClientConnection | None = None
        self.close_code: int | None = None

    @property
    def held(self) -> dict[str, Held]:
        """What is held of each channel."""
        return self.checker.held

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Every message so far, over all connections."""
        return self.checker.messages

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()

    async def connect(self, **options: Any) -> None:
        """Open a connection, with the key or with what ``options`` offer."""
        headers = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        chosen: dict[str, Any] = {
            "subprotocols": [PROTOCOL],
            "additional_headers": headers,
            "compression": None,
            "ping_interval": None,
            "max_size": None,
            # One message ahead at most: a client that does not read is slow at once.
            "max_queue": 1,
            "proxy": None,
            "open_timeout": SOON,
            "close_timeout": 5,
        }
        address = self.base.replace("http", "ws", 1) + "/v1/live"
        if self.receive_buffer is not None:
            chosen["sock"] = await self._narrow()
        self.socket = await connect(address, **(chosen | options))
        self.close_code = None
        self.checker.connected()

    async def _narrow(self) -> socket.socket:
        host, port = self.base.removeprefix("http://").split(":")
        narrow = socket.socket()
        narrow.setblocking(False)
        assert self.receive_buffer is not None
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        await asyncio.get_running_loop().sock_connect(narrow, (host, int(port)))
        return narrow

    async def hang_up(self) -> None:
        """Close in order, and read no more."""
        if self.socket is not None:
            await self.socket.close()
            self.socket = None

    def tear(self) -> None:
        """Lose the connection without a word, as a cable that is pulled."""
        assert self.socket is not None
        self.socket.transport.abort()
        self.socket = None

    async def send(self, message: Any) -> None:
        """Send anything: an object as JSON, text and bytes as they are."""
        assert self.socket is not None
        await self.socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def subscribe(self, channel: str, position: dict[str, Any] | None = None) -> None:
        """Ask for a channel, from a position or afresh."""
        self.checker.asking(channel, position)
        message: dict[str, Any] = {"op": "subscribe", "channel": channel}
        if position is not None:
            message["position"] = position
        await self.send(message)

    async def resume(self, channel: str) -> None:
        """Ask for a channel from where this client stands, if it stands anywhere."""
        held = self.held.get(channel)
        await self.subscribe(channel, None if held is None else held.position)

    async def unsubscribe(self, channel: str) -> None:
        """Leave a channel."""
        self.checker.leaving(channel)
        await self.send({"op": "unsubscribe", "channel": channel})

    async def read(self, within: float = SOON) -> dict[str, Any]:
        """Read and check one message.

        Raises:
            ConnectionClosed: the connection ended; ``close_code`` tells how.
        """
        assert self.socket is not None
        try:
            async with asyncio.timeout(within):
                text = await self.socket.recv()
        except ConnectionClosed as closed:
            self.close_code = closed.rcvd.code if closed.rcvd is not None else None
            raise
        return self.checker.told(text)

    async def until(
        self, so: Callable[[dict[str, Any]], bool], within: float = SOON
    ) -> dict[str, Any]:
        """Read until a message is ``so``, and return it."""
        try:
            async with asyncio.timeout(within):
                while True:
                    message = await self.read(within)
                    if so(message):
                        return message
        except TimeoutError:
            raise AssertionError(f"no such message within {within:g} s") from None

    async def until_op(self, op: str, within: float = SOON) -> dict[str, Any]:
        """Read until a message of this kind, and return it."""
        return await self.until(lambda message: message["op"] == op, within)

    async def follow(self, channel: str, seq: int, within: float = SOON) -> Held:
        """Read until the channel is folded up to ``seq``, and return what is held then."""

        def reached() -> bool:
            return channel in self.held and self.held[channel].seq >= seq

        try:
            async with asyncio.timeout(within):
                while not reached():
                    await self.read(within)
        except TimeoutError:
            raise AssertionError(f"{channel} was not at {seq} within {within:g} s") from None
        return self.held[channel]

    async def closed(self, within: float = SOON) -> int | None:
        """Read to the connection's end, and return its close code."""
        try:
            while True:
                await self.read(within)
        except ConnectionClosed:
            return self.close_code
