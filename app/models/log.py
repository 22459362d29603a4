"""The event log, its counters, and the events that were refused."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class RegionLogRow(Base):
    """How far a region's log reaches; its row lock is what makes seq gap-free."""

    __tablename__ = "region_logs"
    __table_args__ = (CheckConstraint("head >= 0", name="head_starts_at_zero"),)

    region: Mapped[str] = mapped_column(ForeignKey("regions.code"), primary_key=True)
    head: Mapped[int] = mapped_column(server_default="0")


class EventRow(Base):
    """The log: append-only, numbered 1, 2, 3 … within each region.

    ``envelope`` is the masked event as JSON text; the columns beside it are
    what is searched by. There is no foreign key to the register on purpose: the
    log is the truth, and each key would cost every insert a look-up.
    """

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("region", "source", "id", name="one_effect_per_event"),
        CheckConstraint("seq > 0", name="seq_starts_at_one"),
        Index(
            "events_of_case",
            "region",
            "app",
            "subject",
            postgresql_where=text("subject IS NOT NULL"),
        ),
    )

    region: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    received_at: Mapped[datetime]
    time: Mapped[datetime]
    source: Mapped[str]
    id: Mapped[str]
    type: Mapped[str]
    app: Mapped[str]
    subject: Mapped[str | None]
    sequence: Mapped[str | None]
    test: Mapped[bool]
    digest: Mapped[bytes]
    envelope: Mapped[str]


class QuarantineRow(Base):
    """A refused event of a known source, masked, with the reason."""

    __tablename__ = "quarantine"
    __table_args__ = (
        UniqueConstraint("region", "source", "digest", name="refused_once_per_content"),
        CheckConstraint("times > 0", name="refused_at_least_once"),
        Index("quarantine_newest", "region", "source", "id"),
        Index("quarantine_number", "id"),
    )

    region: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    source: Mapped[str]
    first_refused_at: Mapped[datetime]
    last_refused_at: Mapped[datetime]
    times: Mapped[int] = mapped_column(server_default="1")
    problem: Mapped[str]
    detail: Mapped[str]
    field: Mapped[str | None]
    digest: Mapped[bytes]
    event: Mapped[str]
    replayed_at: Mapped[datetime | None]
