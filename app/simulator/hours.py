"""When people act: office hours, citizens' hours, and how a week is filled.

Instants are milliseconds since the Unix epoch; "local" ones are shifted by the
region's offset from UTC. Indonesia's three zones have had no summer time since
1964, so one offset serves the whole life of a case.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

#: Desks of an Indonesian pemda are staffed Monday to Friday, 07.30 to 16.00.
OPENING = 7 * HOUR + 30 * MINUTE
WORKDAY = 8 * HOUR + 30 * MINUTE
WORKWEEK = 5 * WORKDAY
#: 1970-01-01 was a Thursday: shifting by three days makes weeks begin on Monday.
_MONDAY = 3 * DAY

#: Citizens sleep from 22.00 to 05.30: what falls into the night is done later.
_BEDTIME = 22 * HOUR
_NIGHT = 7 * HOUR + 30 * MINUTE


def offset_of(zone: str, moment: datetime) -> int:
    """Return the zone's offset from UTC in milliseconds at the moment.

    >>> from datetime import UTC
    >>> offset_of("Asia/Makassar", datetime(2026, 11, 20, tzinfo=UTC)) // HOUR
    8
    """
    shift = moment.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    return round(shift / timedelta(milliseconds=1))


def worked_until(local: int) -> int:
    """Return the milliseconds of office time from a fixed Monday up to the instant."""
    weeks, within = divmod(local + _MONDAY, WEEK)
    day, time_of_day = divmod(within, DAY)
    if day >= 5:
        return weeks * WORKWEEK + WORKWEEK
    at_desk = time_of_day - OPENING
    if at_desk < 0:
        at_desk = 0
    elif at_desk > WORKDAY:
        at_desk = WORKDAY
    return weeks * WORKWEEK + day * WORKDAY + at_desk


def after_work(local: int, work: int) -> int:
    """Return the instant at which this much office time has passed since ``local``.

    The result is always within office hours: no work at all, asked for in the
    evening, is the next opening of the desk.

    >>> friday_1500 = DAY + 15 * HOUR
    >>> (after_work(friday_1500, 2 * HOUR) + _MONDAY) % WEEK == OPENING + HOUR
    True
    """
    weeks, within = divmod(worked_until(local) + work, WORKWEEK)
    day, time_at_desk = divmod(within, WORKDAY)
    return weeks * WEEK - _MONDAY + day * DAY + OPENING + time_at_desk


def awake(local: int, later: float) -> int:
    """Return the instant, or one of the following morning if it falls into the night.

    ``later`` in [0, 1) spreads the sleepers over the four hours after waking, so
    that they do not all act in the same second.
    """
    night = (local - _BEDTIME) % DAY
    if night >= _NIGHT:
        return local
    return local - night + _NIGHT + int(later * 4 * HOUR)


def _profile(hours: tuple[int, ...], days: tuple[int, ...]) -> tuple[float, ...]:
    """Return the 168 weights of a week from Monday 00.00, with mean 1."""
    weights = [hour * day for day in days for hour in hours]
    mean = sum(weights) / len(weights)
    return tuple(weight / mean for weight in weights)


# Reports come by phone at all hours, with peaks on the way to work and after supper.
_REPORT_HOURS = (
    *(7, 6, 5, 5, 6, 8, 11, 14, 15, 14, 13, 12),
    *(11, 11, 12, 13, 14, 14, 14, 15, 14, 12, 10, 8),
)
_PERMIT_HOURS = (
    *(1, 1, 1, 1, 1, 2, 4, 9, 17, 20, 19, 16),
    *(11, 15, 16, 13, 9, 7, 7, 8, 7, 5, 3, 2),
)
_SEEKER_HOURS = (
    *(2, 1, 1, 1, 1, 2, 4, 8, 14, 16, 15, 13),
    *(11, 13, 13, 12, 10, 9, 10, 12, 12, 9, 6, 4),
)
ROUND_THE_CLOCK = (1.0,) * 168
REPORTS = _profile(_REPORT_HOURS, (11, 10, 10, 10, 10, 10, 9))
PERMITS = _profile(_PERMIT_HOURS, (13, 12, 12, 11, 10, 3, 2))
SEEKERS = _profile(_SEEKER_HOURS, (12, 12, 11, 11, 10, 5, 4))


def hour_of_week(local: int) -> int:
    """Return 0 for Monday 00.00 to 167 for Sunday 23.00."""
    return (local + _MONDAY) % WEEK // HOUR
