"""What makes one source's stream: its names, its place, how much it has to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from app.simulator import complaints, employment, permits
from app.simulator.dice import Dice, digest
from app.simulator.hours import DAY, HOUR, hour_of_week, offset_of
from app.simulator.life import Life, Place, Step, share_of
from app.simulator.plans import TYPE_PREFIX, Plan
from app.simulator.signals import HEARTBEAT, test_plan
from app.simulator.times import instant, moment

#: Event as the API takes it: the JSON object of a structured CloudEvent.
Event = dict[str, object]

_FAMILY_PLANS = {
    "laksa": complaints.PLANS,
    "perizinan": permits.PLANS,
    "siapkerja": employment.PLANS,
}
#: The ways in which cases of an app can go, by the app's code.
PLANS: Mapping[str, tuple[Plan, ...]] = MappingProxyType(
    {
        app: (*plans, HEARTBEAT, *([test_plan(plans[0].kind)] if app != "siapkerja" else []))
        for app, plans in _FAMILY_PLANS.items()
    }
)
#: Mean number of events of a case, by app.
EVENTS_PER_CASE: Mapping[str, float] = MappingProxyType(
    {app: sum(plan.share * plan.events for plan in plans) for app, plans in PLANS.items()}
)

#: It rains on one evening in five; then complaints of water are thirty times as many.
_DRY, _WET = 0.5, 15.0
#: Where a storm falls, so many times as many cases are opened as in another such hour.
STORM = 40.0


@dataclass(frozen=True, slots=True)
class Source:
    """One app of one region, as the simulator plays it.

    Attributes:
        seed: the same seed gives the same events.
        region: code of the pemda, dotted.
        app: ``laksa``, ``perizinan`` or ``siapkerja``.
        areas: the region's kecamatan codes, in order.
        zone: the region's IANA zone.
        intensity: events a second, averaged over the week, heartbeats apart. More
            intensity adds cases and changes none: those of less are among them.
        storm: the hours (since the epoch, half open) of a storm that was asked for.
        storm_areas: the kecamatan on which it falls.
    """

    seed: int
    region: str
    app: str
    areas: tuple[str, ...]
    zone: str
    intensity: float
    storm: tuple[int, int] = (0, 0)
    storm_areas: tuple[str, ...] = ()

    @property
    def urn(self) -> str:
        """Return the source as events name it."""
        return f"urn:pemda:{self.region}:{self.app}"

    def key(self) -> str:
        """Return the name from which all chance of this source follows."""
        return f"{self.seed}|{self.region}|{self.app}"

    def wet(self, slot: int, offset: int) -> bool:
        """Tell whether it rains in this hour, the same in all regions of a province."""
        day, time_of_day = divmod(slot * HOUR + offset, DAY)
        dice = Dice(f"{self.seed}|{self.region[:2]}|rain|{day}")
        if not dice.chance(0.2):
            return False
        starts = 13 + dice.below(7)
        return starts <= time_of_day // HOUR < starts + 2 + dice.below(4)


class Slot:
    """One hour of one plan: how many cases are opened, and in which minute each is.

    The number grows with the intensity, and the cases of a lower one are among
    those of a higher one, with the same ids and the same events. Most hours of a
    small city open none, so what only cases need is made when the first asks.
    """

    __slots__ = ("_chance", "_label", "_minutes", "count", "hour", "name", "offset")

    def __init__(self, source: Source, plan: Plan, hour: int) -> None:
        self.hour = hour
        self.offset = _offset(source.zone, hour)
        self.name = f"{source.key()}|{plan.code}|{hour}"
        self._chance = digest(self.name)
        self._label = f"{plan.prefix}{source.seed}-{{}}-{plan.code}"
        if plan.flood:
            # A storm elsewhere in the same hour has other cases, by other names.
            self._label += digest("|".join(source.storm_areas), 3).hex() + "-"
        self._minutes = b""
        # The busyness of an hour varies by four tenths around what is expected of it.
        busy, part = self._chance[0] / 320 + 0.6, self._chance[1] / 256
        self.count = int(_expected(source, plan, self) * busy + part)

    def minute(self, index: int) -> int:
        """Return in which minute, 0 to 59, the case is opened."""
        return self._order()[index % 60]

    def indexes(self, minute: int) -> range:
        """Return the numbers of the cases that are opened in this minute, 0 to 59."""
        return range(self._order().index(minute), self.count, 60) if self.count else range(0)

    def case_id(self, index: int) -> str:
        """Return the id by which the app calls the case, unique within source and kind."""
        if "{}" in self._label:
            self._label = self._label.format(f"{moment(self.hour * HOUR):%y%m%d%H}")
        return f"{self._label}{index}"

    def _order(self) -> bytes:
        """Return the minutes in the shuffled order in which cases are dealt to them.

        A single minute can so be played without deriving the whole hour.
        """
        if not self._minutes:
            self._minutes = bytes(sorted(range(60), key=self._chance[2:62].__getitem__))
        return self._minutes


@lru_cache(maxsize=4096)
def _offset(zone: str, hour: int) -> int:
    return offset_of(zone, moment(hour * HOUR))


def _expected(source: Source, plan: Plan, slot: Slot) -> float:
    """Return the mean number of cases of the plan in the hour."""
    if plan.per_hour:
        return plan.per_hour
    mean = source.intensity * 3600 / EVENTS_PER_CASE[source.app]
    mean *= plan.week[hour_of_week(slot.hour * HOUR + slot.offset)]
    if plan.flood:
        # Beside the usual ones, which go on.
        return mean * (STORM - 1) * _stormy_share(source, slot.hour)
    if not plan.wet:
        return mean * plan.share
    return mean * plan.share * (_WET if source.wet(slot.hour, slot.offset) else _DRY)


def _stormy_share(source: Source, hour: int) -> float:
    """Return on which part of the region's cases a storm falls in the hour."""
    if not source.storm[0] <= hour < source.storm[1]:
        return 0.0
    return share_of(source.storm_areas, source.areas)


def steps_of(source: Source, plan: Plan, slot: Slot, index: int) -> list[Step]:
    """Return the whole life of one case; it follows from the arguments alone."""
    dice = Dice(f"{slot.name}|{index}")
    minute = slot.minute(index)
    opened = slot.hour * HOUR + minute * 60_000 + int(dice.fraction() * 60_000)
    twin = None
    if index and slot.minute(index - 1) < minute:
        twin = slot.case_id(index - 1)
    areas = source.storm_areas if plan.flood else source.areas
    life = Life(dice, Place(areas, slot.offset), opened, plan.bound, twin)
    plan.live(life)
    return life.steps


def event_of(source: Source, plan: Plan, subject: str, number: int, step: Step) -> Event:
    """Return a step as a CloudEvent; ``number`` counts the steps of the case from 0."""
    event: Event = {
        "specversion": "1.0",
        "id": f"{subject}-{number + 1:02d}",
        "source": source.urn,
        "type": f"{TYPE_PREFIX}{source.app}.{plan.kind}.{step.verb}.v1",
        "subject": subject,
        "time": instant(step.at),
        "datacontenttype": "application/json",
        "data": step.facts,
    }
    if not plan.kind:
        event["type"] = f"{TYPE_PREFIX}app.{step.verb}.v1"
        del event["subject"]
    if source.app == "perizinan":
        # Some back ends number the steps of a file; others leave it to the time.
        event["sequence"] = str(number + 1)
    if plan.test:
        event["test"] = True
    return event
