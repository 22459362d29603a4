"""Tables and their constraints: what must never be false is written here."""

from app.models.base import Base
from app.models.log import EventRow, QuarantineRow, RegionLogRow
from app.models.numbers import (
    CaseRow,
    FlowRow,
    FrameRow,
    GaugeRow,
    ProjectionRow,
    SourceActivityRow,
)
from app.models.register import AdoptionRow, AppRow, InstallationRow, KeyRow, RegionRow, SourceRow
from app.models.tickets import TicketRow

__all__ = [
    "AdoptionRow",
    "AppRow",
    "Base",
    "CaseRow",
    "EventRow",
    "FlowRow",
    "FrameRow",
    "GaugeRow",
    "InstallationRow",
    "KeyRow",
    "ProjectionRow",
    "QuarantineRow",
    "RegionLogRow",
    "RegionRow",
    "SourceActivityRow",
    "SourceRow",
    "TicketRow",
]
