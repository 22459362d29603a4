"""What the projector makes of the log: cases, cells, states and frames.

Every table but the frames carries a ``generation``. A rebuild folds a new
generation beside the living one; the swap is one number in ``projections``.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, Numeric, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class ProjectionRow(Base):
    """A channel's present: its epoch, rev, place in the log, and state document.

    ``region`` is absent for the network. ``current_at`` is when the projector
    last read the region's log to its end, ``state_at`` the last instant for
    which ``state`` is known to be true; ``halted`` says why folding stopped.
    """

    __tablename__ = "projections"
    __table_args__ = (
        UniqueConstraint("region", name="one_projection_per_region"),
        CheckConstraint("rev > 0", name="rev_starts_at_one"),
        CheckConstraint("seq >= 0", name="projection_seq_is_not_negative"),
    )

    channel: Mapped[str] = mapped_column(primary_key=True)
    region: Mapped[str | None]
    epoch: Mapped[str]
    generation: Mapped[int]
    rev: Mapped[int]
    seq: Mapped[int]
    current_at: Mapped[datetime]
    watermark: Mapped[datetime | None]
    state: Mapped[str]
    state_at: Mapped[datetime]
    halted: Mapped[str | None]
    halted_at: Mapped[datetime | None]


class FrameRow(Base):
    """One change of a channel's state, numbered 1, 2, 3 … within its epoch.

    ``state`` is kept with some frames only (keyframes): from the nearest one
    before it, any rev inside the window can be made again.
    """

    __tablename__ = "frames"
    __table_args__ = (
        CheckConstraint("rev > 0", name="frame_rev_starts_at_one"),
        CheckConstraint("rev > 1 OR state IS NOT NULL", name="first_frame_is_a_keyframe"),
        Index("frames_age", "created_at"),
        Index("frames_key", "channel", "epoch", "rev", postgresql_where=text("state IS NOT NULL")),
    )

    channel: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[str] = mapped_column(primary_key=True)
    rev: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int]
    head: Mapped[int]
    current_at: Mapped[datetime]
    watermark: Mapped[datetime | None]
    patch: Mapped[str]
    state: Mapped[str | None]
    created_at: Mapped[datetime]


class CaseRow(Base):
    """A case as its events tell it. ``state`` is absent before any state event.

    ``last_*`` is the order of the last event folded: a later event continues
    from this row, an earlier one makes the case be read again from the log.
    """

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint("state IS NOT NULL OR NOT open", name="open_case_has_a_state"),
        CheckConstraint("(state IS NULL) = (opened_at IS NULL)", name="case_was_opened"),
        CheckConstraint(
            "state IS NULL OR open = (closed_at IS NULL)", name="closed_case_has_a_closing"
        ),
        Index(
            "cases_due",
            "region",
            "generation",
            "due_at",
            postgresql_where=text("open AND due_at IS NOT NULL"),
        ),
        Index("cases_newest", "region", "generation", "opened_at", "app", "kind", "case_id"),
        Index(
            "cases_responded",
            "region",
            "generation",
            "first_response_at",
            postgresql_where=text("first_response_at IS NOT NULL"),
        ),
        Index(
            "cases_closed",
            "region",
            "generation",
            "closed_at",
            postgresql_where=text("closed_at IS NOT NULL"),
        ),
        Index(
            "cases_reopened",
            "region",
            "generation",
            "opened_at",
            postgresql_where=text("reopen_count > 0"),
        ),
    )

    region: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    app: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str | None]
    open: Mapped[bool]
    opened_at: Mapped[datetime | None]
    first_response_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    reopen_count: Mapped[int]
    service: Mapped[str | None]
    area: Mapped[str | None]
    agency: Mapped[str | None]
    channel: Mapped[str | None]
    reason: Mapped[str | None]
    due_at: Mapped[datetime | None]
    fee_idr: Mapped[int | None]
    tariff_idr: Mapped[int | None]
    rating: Mapped[int | None]
    duplicate_of: Mapped[str | None]
    last_time: Mapped[datetime]
    last_sequence: Mapped[int] = mapped_column(Numeric(400, 0))
    last_id: Mapped[str]
    last_source: Mapped[str]


class GaugeRow(Base):
    """How many cases stand so: ``key`` is a state, a service or a kecamatan."""

    __tablename__ = "gauges"

    region: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    app: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]


class FlowRow(Base):
    """How often something happened in an hour (its start, in UTC)."""

    __tablename__ = "flows"
    __table_args__ = (Index("flows_recent", "region", "generation", "hour"),)

    region: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    app: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    n: Mapped[int]


class SourceActivityRow(Base):
    """When a source was last heard, and how much on ``day`` (local, by receipt)."""

    __tablename__ = "source_activity"

    region: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(primary_key=True)
    last_event_at: Mapped[datetime]
    day: Mapped[date]
    today: Mapped[int]
