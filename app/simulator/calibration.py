"""How busy the city must be to reach a rate, and how far back it can be known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.simulator.hours import DAY
from app.simulator.source import EVENTS_PER_CASE, PLANS, Source
from app.simulator.stream import Stream

#: Events of the trial run: its error is about two hundredths.
_TRIAL = 3_000
#: A trial of a shorter window would need more cases than the run itself.
_SHORTEST = 60.0
#: Deriving so many cases takes some ten seconds, once, before the first event.
_LOOK_BACK = 300_000


def rate_scale(sources: Sequence[Source], start: int, end: int) -> float:
    """Return the factor by which intensities must grow for the run to have their sum as rate.

    A run that begins with an empty city has few of the later steps of its cases,
    and its hours may be busy or quiet ones; a small trial of the same hours tells.
    """
    seconds = (end - start) / 1000
    asked = sum(source.intensity for source in sources)
    trial = _TRIAL / max(seconds, _SHORTEST) / asked
    counted = sum(_count(replace(s, intensity=s.intensity * trial), start, end) for s in sources)
    return asked * seconds * trial / counted if counted else 1.0


def _count(source: Source, start: int, end: int) -> int:
    """Return the number of events of cases; heartbeats do not grow with the rate."""
    stream = Stream(source, start, founded=start)
    return sum("subject" in happening.event for happening in stream.until(end))


def founding(sources: Sequence[Source], since: int) -> int:
    """Return before which instant no case was opened; 0 where all can be looked back upon.

    Looking back derives every case that may still have lived at ``since``. For a
    city of ordinary size that takes a second or two; one of a thousand events a
    second is younger instead.
    """
    if _cases(sources, 45) <= _LOOK_BACK:
        return 0
    horizon = max((days for days in range(45) if _cases(sources, days) <= _LOOK_BACK), default=0)
    return since - horizon * DAY


def _cases(sources: Sequence[Source], horizon_days: int) -> float:
    """Return how many cases are derived when looking back at most so many days."""
    return sum(
        source.intensity
        / EVENTS_PER_CASE[source.app]
        * sum(plan.share * min(plan.bound, horizon_days * DAY) for plan in PLANS[source.app])
        / 1000
        for source in sources
    )
