"""What a run is asked for, and what it tells at its end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is asked for.

    Attributes:
        url: the server's address, without a path.
        rate: mean events a second (real seconds), over all regions together. A run
            of a given duration is scaled to reach it; an endless one has it as the
            mean of the week, so nights are quieter and working hours busier.
        speed: simulated seconds in a real second; 1440 plays a day in a minute.
        duration: real seconds; 0 = until stopped.
        seed: the same seed (and ``until``) gives the same events.
        regions: codes of those that take part; None = all that have a key.
        apps: codes of those that take part; None = all that have a key.
        history: hours before the run that are posted first, as fast as they are taken.
        storm: six simulated hours of flooded streets from the start of the run.
        storm_areas: the kecamatan that are flooded; None = a sixth of each region's.
        until: the simulated present; None = the real one. Nothing later is posted.
    """

    url: str = "http://127.0.0.1:8000"
    rate: float = 2.0
    speed: float = 1.0
    duration: float = 0.0
    seed: int = 1
    regions: Collection[str] | None = None
    apps: Collection[str] | None = None
    history: float = 0.0
    storm: bool = False
    storm_areas: Collection[str] | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if not (self.rate > 0 and self.speed > 0):
            raise ValueError("rate and speed must be positive")
        if self.duration < 0 or self.history < 0:
            raise ValueError("duration and history must not be negative")
        if not 0 <= self.seed < 10**12:
            raise ValueError("a seed has at most twelve digits")


class Accounts(Protocol):
    """Accounts of their own within a summary."""

    def as_dict(self) -> dict[str, object]:
        """Return them as one JSON object."""


@dataclass(slots=True)
class Summary:
    """What a run did. ``posted`` counts deliveries: repeated ones too, retries not."""

    seed: int
    posted: int = 0
    accepted: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0
    retries: int = 0
    seconds: float = 0.0
    #: Accepted events by region.
    by_region: dict[str, int] = field(default_factory=dict)
    #: Events that the server found wrong, by the type of its problem.
    problems: dict[str, int] = field(default_factory=dict)
    #: What a storm had sent, where there was one.
    storm: Accounts | None = None

    def accept(self, region: str, count: int) -> None:
        """Count events of a region that were new to the server."""
        self.accepted += count
        self.by_region[region] = self.by_region.get(region, 0) + count

    def complain(self, problem: str, count: int = 1) -> None:
        """Count events that the server found wrong."""
        self.problems[problem] = self.problems.get(problem, 0) + count

    def as_dict(self) -> dict[str, object]:
        """Return the summary as one JSON object."""
        storm = {"storm": self.storm.as_dict()} if self.storm is not None else {}
        return {
            "posted": self.posted,
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "conflicts": self.conflicts,
            "rejected": self.rejected,
            "retries": self.retries,
            "seconds": round(self.seconds, 3),
            "events_per_s": round(self.posted / self.seconds, 1) if self.seconds else 0.0,
            "by_region": dict(sorted(self.by_region.items())),
            "problems": dict(sorted(self.problems.items())),
            "seed": self.seed,
            **storm,
        }
