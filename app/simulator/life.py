"""One case as it is lived: who acts when, step after step."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import sqrt
from typing import NamedTuple

from app.simulator.dice import Dice
from app.simulator.hours import HOUR, after_work, awake

#: What a step tells, as the members of an event's ``data``.
Facts = dict[str, object]


class Step(NamedTuple):
    """One event of a case: when (milliseconds since the epoch), which verb, what it tells."""

    at: int
    verb: str
    facts: Facts


class Place(NamedTuple):
    """What a life must know of its region: its kecamatan and its offset from UTC in ms."""

    areas: Sequence[str]
    offset: int


def share_of(areas: Collection[str], of: Sequence[str]) -> float:
    """Return which part of a region's cases lies in some of its areas (see ``Life.area``).

    >>> round(share_of(["36.71.01"], ["36.71.01", "36.71.02"]), 3)
    0.618
    """
    count = len(of)

    def below(index: int) -> float:
        return (sqrt(1 + 8 * index / count) - 1) / 2

    return sum(below(i + 1) - below(i) for i, area in enumerate(of) if area in areas)


class Life:
    """Builds the steps of one case in order of time.

    ``ends`` is the instant by which the case is over for certain; branches that
    have no room left before it are not taken (see ``room``), so that whoever
    looks for the living cases knows how far back to look. ``twin`` is the id of
    a case opened shortly before, which this one may turn out to repeat.
    """

    __slots__ = ("dice", "ends", "now", "opened", "place", "steps", "twin")

    def __init__(
        self, dice: Dice, place: Place, opened: int, bound: int, twin: str | None = None
    ) -> None:
        self.dice = dice
        self.place = place
        self.opened = self.now = opened
        self.ends = opened + bound
        self.twin = twin
        self.steps: list[Step] = []

    def say(self, verb: str, facts: Facts | None = None) -> None:
        """Add a step at the present instant of this life."""
        self.steps.append(Step(self.now, verb, facts or {}))

    def office(self, median_hours: float, longest: float = 2.5) -> None:
        """Let an official take this much office time."""
        work = int(self.dice.about(median_hours, longest) * HOUR)
        self.now = after_work(self.now + self.place.offset, work) - self.place.offset

    def crew(self, median_hours: float, longest: float = 2.5) -> None:
        """Let a crew that works round the clock take this much time."""
        self.now += int(self.dice.about(median_hours, longest) * HOUR)

    def citizen(self, median_hours: float, longest: float = 2.5) -> None:
        """Let the citizen take this much time, and not act at night."""
        done = self.now + int(self.dice.about(median_hours, longest) * HOUR)
        local = awake(done + self.place.offset, self.dice.fraction())
        self.now = local - self.place.offset

    def room(self, hours: float) -> bool:
        """Tell whether so many hours fit before this life must be over."""
        return self.now + hours * HOUR < self.ends

    def area(self) -> str | None:
        """Return a kecamatan; those that come first in the register somewhat more often."""
        if not self.place.areas:
            return None
        share = self.dice.fraction()
        return self.place.areas[int((share + share * share) / 2 * len(self.place.areas))]

    def other_area(self, area: object) -> str | None:
        """Return the kecamatan after this one: what a correction says instead."""
        if area not in self.place.areas:
            return None
        index = self.place.areas.index(str(area))
        return self.place.areas[(index + 1) % len(self.place.areas)]
