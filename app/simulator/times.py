"""Instants as JSON spells them, and as the simulator counts them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def instant(at: int) -> str:
    """Return milliseconds since the epoch as RFC 3339, in UTC.

    >>> instant(1795136400000)
    '2026-11-20T01:00:00.000Z'
    """
    return (_EPOCH + at * _MILLISECOND).isoformat(timespec="milliseconds")[:23] + "Z"


def milliseconds(moment: datetime) -> int:
    """Return an aware moment as whole milliseconds since the epoch, rounded down.

    Raises:
        ValueError: the moment is naive.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment must have a zone")
    return (moment - _EPOCH) // _MILLISECOND


def moment(at: int) -> datetime:
    """Return milliseconds since the epoch as an aware moment in UTC."""
    return _EPOCH + at * _MILLISECOND
