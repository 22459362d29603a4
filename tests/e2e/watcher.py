"""A client of the live protocol that believes nothing: it checks every promise of contract 3.4."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import rfc8785
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.e2e.waiting import GLANCE, SOON, News

PROTOCOL = "kentongan.v1"
REASONS = {"initial", "expired", "epoch", "unknown", "behind"}


def merge(target: Any, patch: Any) -> Any:
    """Apply a merge patch, word for word as RFC 7396 section 2 has it."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def digest(document: Any) -> str:
    """Return what is equal where two documents are equal as RFC 8785 bytes."""
    return hashlib.sha256(rfc8785.dumps(document)).hexdigest()


def check_members(document: Any) -> None:
    """Check that nothing in a state is null or an array: every change could be told."""
    if isinstance(document, dict):
        for value in document.values():
            check_members(value)
    else:
        assert isinstance(document, str | int | float | bool), type(document)


@dataclass
class Agreement:
    """What anybody ever held at a rev: whoever holds the same rev must hold the same."""

    seen: dict[tuple[str, str, int], tuple[str, int]] = field(default_factory=dict)

    def note(self, picture: dict[str, Any]) -> None:
        """Compare a picture with what others held at its rev."""
        place = picture["channel"], picture["epoch"], picture["rev"]
        found = digest(picture["state"]), picture["seq"]
        assert self.seen.setdefault(place, found) == found, f"two pictures at {place}"


@dataclass(eq=False)
class Watcher:
    """A wall without glass: subscribes, follows, reconnects and resumes until it is closed.

    ``snapshots`` are the reasons of the snapshots it was sent, ``closes`` the
    codes with which sockets ended, ``resumed`` how often its position held.
    """

    url: str
    key: str
    channel: str
    agreement: Agreement = field(default_factory=Agreement)
    picture: dict[str, Any] | None = None
    snapshots: list[str] = field(default_factory=list)
    closes: list[int] = field(default_factory=list)
    messages: Counter[str] = field(default_factory=Counter)
    resumed: int = 0

    def __post_init__(self) -> None:
        self.news = News()
        self.failure: BaseException | None = None
        #: What each picture must be, beside what the contract says.
        self.demand: Callable[[dict[str, Any]], bool] = lambda state: True
        #: Cleared, the watcher reads no further message.
        self.reading = asyncio.Event()
        self.reading.set()
        self._socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._asked: tuple[str, int] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._live())
        await self.until(lambda picture: True)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self.failure is not None:
            raise self.failure

    @property
    def state(self) -> dict[str, Any]:
        """The state as this client holds it."""
        assert self.picture is not None
        state: dict[str, Any] = self.picture["state"]
        return state

    def hang_up(self) -> None:
        """Lose the connection without a word, as a cable that is pulled."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def until(self, so: Any, within: float = SOON) -> None:
        """Wait until the picture is ``so``; what broke the contract meanwhile is raised."""

        def done() -> bool:
            return self.failure is not None or (self.picture is not None and bool(so(self.picture)))

        await self.news.until(done, self._told, within)
        if self.failure is not None:
            raise self.failure

    async def folded(self, seq: int) -> None:
        """Wait until the picture tells of all events up to ``seq``."""
        await self.until(lambda picture: picture["seq"] >= seq)

    async def closed(self, code: int) -> None:
        """Wait until a socket of this client was closed with the code."""
        await self.news.until(lambda: code in self.closes, lambda: f"{code} in {self.closes}")

    def _told(self) -> str:
        place = {k: v for k, v in (self.picture or {}).items() if k != "state"}
        return f"{self.channel} at {place}, {dict(self.messages)}, closed with {self.closes}"

    async def _live(self) -> None:
        try:
            while True:
                with contextlib.suppress(OSError, InvalidHandshake, EOFError, TimeoutError):
                    await self._connect()
                # As impatient as a server that comes back may meet them.
                await asyncio.sleep(GLANCE)
        except asyncio.CancelledError:
            raise
        except BaseException as broken:
            self.failure = broken
            self.news.tell()

    async def _connect(self) -> None:
        async with connect(
            self.url,
            subprotocols=[PROTOCOL],  # type: ignore[list-item]
            additional_headers={"Authorization": f"Bearer {self.key}"},
            compression=None,
            ping_interval=None,
            max_size=None,
            close_timeout=1,
            proxy=None,
        ) as socket:
            self._socket = socket
            try:
                await self._follow(socket)
            except ConnectionClosed as closed:
                self.closes.append(closed.rcvd.code if closed.rcvd else 1006)
                self.news.tell()

    async def _follow(self, socket: ClientConnection) -> None:
        assert json.loads(await socket.recv())["op"] == "hello"
        ask: dict[str, Any] = {"op": "subscribe", "channel": self.channel}
        self._asked = None
        if self.picture is not None:
            self._asked = self.picture["epoch"], self.picture["rev"]
            ask["position"] = dict(zip(("epoch", "rev"), self._asked, strict=True))
        await socket.send(json.dumps(ask))
        self._answered = False
        while True:
            await self.reading.wait()
            message = json.loads(await socket.recv())
            self.messages[message["op"]] += 1
            self._take(message)
            self.news.tell()

    def _take(self, message: dict[str, Any]) -> None:
        match message["op"]:
            case "snapshot":
                self._snapshot(message)
            case "resumed":
                assert not self._answered
                assert self._asked == (message["epoch"], message["rev"])
                self._answered = True
                self.resumed += 1
            case "delta":
                self._delta(message)
            case "heartbeat":
                self._heartbeat(message)
            case _:
                raise AssertionError(f"unexpected {message}")

    def _snapshot(self, message: dict[str, Any]) -> None:
        assert message["reason"] in REASONS
        if not self._answered:
            assert (message["reason"] == "initial") == (self._asked is None), message["reason"]
        self._answered = True
        self.snapshots.append(message["reason"])
        held = self.picture
        if held is not None and held["epoch"] == message["epoch"]:
            assert message["rev"] >= held["rev"], "the channel went back"
        self._hold(message, message["state"])

    def _delta(self, message: dict[str, Any]) -> None:
        held = self.picture
        assert self._answered
        assert held is not None
        assert message["epoch"] == held["epoch"]
        assert message["from"] == held["rev"] < message["rev"], "a gap, a repetition or no move"
        assert message["seq"] >= held["seq"]
        step = message["rev"] - message["from"]
        assert message.get("coalesced", 1) == step
        self._hold(message, merge(held["state"], message["patch"]))

    def _hold(self, message: dict[str, Any], state: dict[str, Any]) -> None:
        assert message["channel"] == self.channel
        assert message["head"] >= message["seq"]
        check_members(state)
        assert self.demand(state), "a picture that must not be"
        members = ("channel", "epoch", "rev", "seq", "head", "current_at")
        self.picture = {name: message[name] for name in members} | {"state": state}
        self.agreement.note(self.picture)

    def _heartbeat(self, message: dict[str, Any]) -> None:
        if self.picture is None or not self._answered:
            return
        at = message["positions"][self.channel]
        held = self.picture
        assert (at["epoch"], at["rev"], at["seq"]) == (held["epoch"], held["rev"], held["seq"])
