"""Answers over HTTP, beside the state documents."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.domain.times import format_instant


def instant(moment: datetime | None) -> str | None:
    """Write an instant, or nothing where there is none."""
    return None if moment is None else format_instant(moment)


class ProblemOut(BaseModel):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    retryable: bool
    field: str | None = None


class ReceiptOut(BaseModel):
    """What became of one event, by its place in the request."""

    index: int
    source: str | None
    id: str | None
    outcome: Literal["accepted", "duplicate", "conflict", "rejected"]
    region: str | None
    seq: int | None
    problem: ProblemOut | None = None


class ReceiptsOut(BaseModel):
    """What became of the events of a request."""

    accepted: int
    duplicates: int
    conflicts: int
    rejected: int
    receipts: list[ReceiptOut]


class RegionOut(BaseModel):
    """A region of this installation; ``kecamatan`` is how many it has."""

    code: str
    name: str
    level: str
    timezone: str
    role: str | None
    partner_since: int | None
    population: int | None
    kecamatan: int


class RegionsOut(BaseModel):
    """The regions of this installation, by code."""

    regions: list[RegionOut]


class RegionDetailOut(RegionOut):
    """A region and the names of its kecamatan by code."""

    areas: dict[str, str]


class VerificationOut(BaseModel):
    """A recomputation from the log against what is kept; no difference is the aim."""

    region: str
    seq: int
    cells: int
    cases: int
    events: int
    differences: list[dict[str, Any]]


class PointOut(BaseModel):
    """What happened in one bucket, which begins ``at`` this instant."""

    at: str
    value: int


class SeriesOut(BaseModel):
    """A flow in [from, to), a point for each bucket; the numbers are those of ``seq``."""

    model_config = ConfigDict(
        validate_by_name=True,
        json_schema_extra={
            "examples": [
                {
                    "region": "36.71",
                    "metric": "opened",
                    "bucket": "day",
                    "from": "2026-11-19T17:00:00Z",
                    "to": "2026-11-21T17:00:00Z",
                    "timezone": "Asia/Jakarta",
                    "epoch": "67c13db134a4",
                    "seq": 80577,
                    "points": [
                        {"at": "2026-11-19T17:00:00Z", "value": 214},
                        {"at": "2026-11-20T17:00:00Z", "value": 0},
                    ],
                }
            ]
        },
    )

    region: str
    metric: str
    bucket: Literal["hour", "day"]
    start: str = Field(alias="from")
    to: str
    timezone: str
    epoch: str
    seq: int
    points: list[PointOut]


class CaseOut(BaseModel):
    """A case as its events tell it; what they do not tell is null."""

    region: str
    app: str
    kind: str
    case_id: str
    state: str
    open: bool
    overdue: bool
    opened_at: str
    first_response_at: str | None
    closed_at: str | None
    due_at: str | None
    service: str | None
    area: str | None
    agency: str | None
    channel: str | None
    reopen_count: int


class CasesOut(BaseModel):
    """One page of cases, newest opening first; ``next_cursor`` is null on the last."""

    cases: list[CaseOut]
    next_cursor: str | None


class HistoryLineOut(BaseModel):
    """One event of a case and the state it led to, if any."""

    seq: int
    id: str
    source: str
    type: str
    time: str
    received_at: str
    state: str | None


class CaseDetailOut(BaseModel):
    """A case and its events in the order in which they are folded."""

    case: CaseOut
    history: list[HistoryLineOut]


class RefusedOut(BaseModel):
    """A refused event, masked, and why it was refused."""

    id: int
    source: str
    first_refused_at: str
    last_refused_at: str
    times: int
    problem: str
    detail: str
    field: str | None
    event: dict[str, Any]
    replayed_at: str | None


class QuarantineOut(BaseModel):
    """One page of refused events, newest first."""

    entries: list[RefusedOut]
    next_cursor: int | None


class QualityOut(BaseModel):
    """How well a source keeps to the contract."""

    source: str
    events: int
    tests: int
    refused: dict[str, int]
    new_types: dict[str, int]
    anomalies: dict[str, int]


class ReadinessOut(BaseModel):
    """Whether this process can do its work, and what stands in the way."""

    status: Literal["ready", "degraded", "not-ready"]
    problems: list[str]
    halted: dict[str, str]
