"""Builders: each makes one valid thing, to be given one thing changed."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.events import MISSING, Candidate, LoggedEvent, Source, sequence_number
from app.domain.times import format_instant

#: The instant at which tests stand unless they say otherwise: 12.00 WIB.
NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
FAMILIES = {"laksa": "complaint", "perizinan": "permit", "siapkerja": "employment"}
PREFIX = "id.go.tangerangkota."
REPORT = PREFIX + "laksa.report."
AREAS = frozenset({"36.71.01", "36.71.05", "36.71.06", "36.71.01.1003"})

_ids = itertools.count(1)


def an_event(**changes: Any) -> dict[str, Any]:
    """Make a CloudEvent as a JSON object; None takes a member away."""
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"e-{next(_ids)}",
        "source": "urn:pemda:36.71:laksa",
        "type": REPORT + "submitted.v1",
        "subject": "L-1",
        "time": format_instant(NOW - timedelta(hours=1)),
        "datacontenttype": "application/json",
        "data": {"service": "jalan", "area": "36.71.05"},
    }
    event |= changes
    return {name: value for name, value in event.items() if value is not None}


def a_report(verb: str, case: str = "L-1", *, minutes: int = 0, **changes: Any) -> dict[str, Any]:
    """Make an event of a LAKSA report, some minutes after an hour ago."""
    time = format_instant(NOW - timedelta(hours=1) + timedelta(minutes=minutes))
    data = {"service": "jalan", "area": "36.71.05"} if verb == "submitted" else {}
    return an_event(
        **{"type": f"{REPORT}{verb}.v1", "subject": case, "time": time, "data": data} | changes
    )


def a_candidate(**changes: Any) -> Candidate:
    """Make an event as a request carries it."""
    event = an_event(**changes)
    data = event.pop("data", MISSING)
    return Candidate(event, data)


def a_source(**changes: Any) -> Source:
    """Make LAKSA's source of Kota Tangerang."""
    members = {
        "urn": "urn:pemda:36.71:laksa",
        "region": "36.71",
        "app": "laksa",
        "family": "complaint",
    }
    return Source(**members | changes)


def a_logged(event: dict[str, Any], seq: int = 1) -> LoggedEvent:
    """Make the log's record of an event."""
    sequence = event.get("sequence")
    return LoggedEvent(
        seq=seq,
        source=event["source"],
        id=event["id"],
        type=event["type"],
        app=event["source"].split(":")[3],
        subject=event.get("subject"),
        time=datetime.fromisoformat(event["time"]),
        sequence=sequence_number(None if sequence is None else str(sequence)),
        received_at=NOW,
        test=event.get("test", False),
        data=event.get("data", {}),
    )
