"""A plan is a way a case can go; an app's plans with their shares make its traffic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.simulator.hours import DAY
from app.simulator.life import Life

#: The organisation that defines the meaning of the types, also for its partners.
TYPE_PREFIX = "id.go.tangerangkota."


@dataclass(frozen=True, slots=True)
class Plan:
    """A way a case can go.

    Attributes:
        code: one or two letters, unique in its app: part of every case id.
        kind: the kind of case, as types spell it.
        prefix: how the app's own case numbers begin.
        share: of the app's cases, 0 to 1.
        events: mean number of events of a case (a test holds it to the truth).
        bound: milliseconds after which every case of the plan is over.
        week: 168 weights of the hours of a week in which cases are opened, mean 1.
        live: writes the steps of one case.
        per_hour: a fixed number of cases an hour, instead of a share.
        wet: opened mostly on rainy evenings.
        flood: opened in a storm alone, where it falls.
    """

    code: str
    kind: str
    prefix: str
    share: float
    events: float
    bound: int
    week: tuple[float, ...]
    live: Callable[[Life], None]
    per_hour: float = 0.0
    wet: bool = False
    flood: bool = False
    test: bool = False


def days(count: int) -> int:
    """Return so many days in milliseconds."""
    return count * DAY
