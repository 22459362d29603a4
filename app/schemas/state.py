"""State documents (contract 3.3): what a wall shows.

The server builds them as plain objects in the domain; these models describe
them for clients, and tests hold the two together.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """A shape of the contract: what it does not name is not there."""

    model_config = ConfigDict(extra="forbid")


class RegionHead(Shape):
    """Which region a state belongs to."""

    code: str
    name: str
    timezone: str
    level: Literal["kota", "kabupaten"]


class Flows(Shape):
    """What happened to cases in a span of time; what did not happen is left out."""

    opened: int | None = None
    first_responded: int | None = None
    closed: int | None = None
    resolved: int | None = None
    reopened: int | None = None


class KindState(Shape):
    """The cases of one kind; ``by_state`` counts all, the other maps the open ones."""

    open: int
    overdue: int
    by_state: dict[str, int]
    by_service: dict[str, int]
    by_area: dict[str, int]
    today: Flows


class HourFlows(Shape):
    """What was opened and closed in one hour, over all apps."""

    opened: int | None = None
    closed: int | None = None


class SourceState(Shape):
    """Whether a source is heard; ``today`` counts its events by receipt."""

    status: Literal["live", "silent", "never"]
    today: int
    last_event_at: str | None = None


class LatestLine(Shape):
    """One line of the feed; no free text."""

    type: str
    app: str
    time: str
    case_id: str | None = None
    service: str | None = None
    area: str | None = None
    state: str | None = None


class RegionState(Shape):
    """The state of one region. Absent members are unknown; none is ever null."""

    region: RegionHead
    day: str
    demo: bool | None = None
    apps: dict[str, dict[str, KindState]]
    events_today: dict[str, int]
    hours: dict[str, HourFlows]
    sources: dict[str, SourceState]
    latest: dict[str, LatestLine]


class NetworkLine(Shape):
    """One region as the network sees it."""

    name: str
    open: int
    overdue: int
    today: Flows
    sources_silent: int
    seq: int


class NetworkTotals(Shape):
    """Sums over all regions."""

    regions: int
    open: int
    overdue: int
    today: Flows
    sources_silent: int


class NetworkState(Shape):
    """The state of the network: a line per region code, and the totals."""

    regions: dict[str, NetworkLine]
    totals: NetworkTotals
    demo: bool | None = None


class StateOut(Shape):
    """The answer to a reading of a channel's state, and its place in the log."""

    channel: str
    epoch: str
    rev: int
    seq: int
    head: int
    current_at: str
    watermark: str | None = None
    state: RegionState | NetworkState
