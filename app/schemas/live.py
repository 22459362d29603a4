"""Messages of the websocket subprotocol ``kentongan.v1`` (contract 3.4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.schemas.state import NetworkState, RegionState, Shape


class PositionIn(BaseModel):
    """The place at which a client stopped."""

    model_config = ConfigDict(extra="ignore", strict=True)

    epoch: str = Field(max_length=64)
    rev: int


class Subscribe(BaseModel):
    """Asks for a channel, from a position or from its present state."""

    model_config = ConfigDict(extra="ignore", strict=True)

    op: Literal["subscribe"]
    channel: str = Field(max_length=64)
    position: PositionIn | None = None


class Unsubscribe(BaseModel):
    """Ends a channel's messages."""

    model_config = ConfigDict(extra="ignore", strict=True)

    op: Literal["unsubscribe"]
    channel: str = Field(max_length=64)


class Seen(BaseModel):
    """Tells that a rev is on the glass, and how long it took from the event."""

    model_config = ConfigDict(extra="ignore", strict=True)

    op: Literal["seen"]
    channel: str = Field(max_length=64)
    rev: int = Field(ge=0)
    glass_ms: float = Field(ge=0, le=86_400_000)


ClientMessage = Annotated[Subscribe | Unsubscribe | Seen, Field(discriminator="op")]


class ChannelPosition(Shape):
    """A place in a channel; ``watermark`` is absent while nothing was folded."""

    epoch: str
    rev: int
    seq: int
    head: int
    current_at: str
    watermark: str | None = None


class Hello(Shape):
    """The first message of a connection."""

    op: Literal["hello"]
    server_time: str
    heartbeat_s: int
    resume_window_s: int


class Snapshot(ChannelPosition):
    """The whole state of a channel, and why it is sent whole."""

    op: Literal["snapshot"]
    channel: str
    reason: Literal["initial", "expired", "epoch", "unknown", "behind"]
    state: RegionState | NetworkState


class Resumed(Shape):
    """The client's position holds; what it missed follows as deltas."""

    op: Literal["resumed"]
    channel: str
    epoch: str
    rev: int


class Delta(ChannelPosition):
    """A merge patch from the rev that the client has (``from``) to ``rev``.

    ``coalesced`` says how many revs the patch spans where it is more than one.
    """

    op: Literal["delta"]
    channel: str
    from_: int = Field(alias="from")
    patch: dict[str, Any]
    coalesced: int | None = None


class Heartbeat(Shape):
    """Sent every ``heartbeat_s``: where each subscribed channel stands for this client."""

    op: Literal["heartbeat"]
    server_time: str
    positions: dict[str, ChannelPosition]


class ProblemBody(BaseModel):
    """A problem document (RFC 9457); further members belong to its type."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    retryable: bool


class ProblemMessage(Shape):
    """Tells what was wrong with a message; the connection goes on."""

    op: Literal["problem"]
    problem: ProblemBody


ServerMessage = Annotated[
    Hello | Snapshot | Resumed | Delta | Heartbeat | ProblemMessage, Field(discriminator="op")
]


class TicketOut(Shape):
    """A one-use credential for one websocket connection, for ``expires_in`` seconds."""

    ticket: str
    expires_in: int
