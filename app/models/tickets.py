"""Tickets: one-use credentials for one websocket connection each."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class TicketRow(Base):
    """Unlogged: a ticket lost with the database is asked for again in a second."""

    __tablename__ = "live_tickets"
    __table_args__ = (
        CheckConstraint("octet_length(digest) = 32", name="ticket_digest_is_sha256"),
        {"prefixes": ["UNLOGGED"]},
    )

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    reader: Mapped[str]
    expires_at: Mapped[datetime]
