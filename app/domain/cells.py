"""Cells: every number is a sum over cases, changed by the difference of contributions.

A gauge cell counts cases as they stand now; a flow cell counts what happened in
an hour. When the events of a case change, its old contribution is subtracted
and its new one added, so that late events, corrections and erasure are one
mechanism.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from app.domain.cases import Case, Flow, is_open_state
from app.domain.errors import InvariantBroken
from app.domain.events import LoggedEvent
from app.domain.regions import kecamatan_of

_K = TypeVar("_K")

#: Gauges: all cases by state; open cases by service and by kecamatan.
STATE, OPEN_SERVICE, OPEN_AREA = "state", "open_service", "open_area"
#: The flow that counts events of every type but tests; it has no kind.
EVENTS = "events"
NO_KIND = ""


class GaugeKey(NamedTuple):
    """A gauge cell within a region: ``key`` is a state, service or kecamatan."""

    app: str
    kind: str
    metric: str
    key: str


class FlowKey(NamedTuple):
    """A flow cell within a region: ``hour`` is the start of a UTC hour."""

    app: str
    kind: str
    metric: str
    hour: datetime


@dataclass(slots=True)
class Delta:
    """A change of cells; a missing key counts as zero."""

    gauges: Counter[GaugeKey] = field(default_factory=Counter)
    flows: Counter[FlowKey] = field(default_factory=Counter)

    def count_events(self, events: Iterable[LoggedEvent]) -> None:
        """Count events of every type but test."""
        # By the number of the hour: to make the hour itself takes longer than all the rest.
        counts: dict[tuple[str, float], int] = {}
        for event in events:
            if not event.test:
                place = (event.app, event.time.timestamp() // 3600)
                counts[place] = counts.get(place, 0) + 1
        for (app, number), n in counts.items():
            hour = datetime.fromtimestamp(number * 3600, UTC)
            self.flows[FlowKey(app, NO_KIND, EVENTS, hour)] += n

    def count_case(self, case: Case, sign: int) -> None:
        """Add a case's gauges (``sign`` 1), or take them away (-1)."""
        for key in gauges_of(case):
            self.gauges[key] = self.gauges.get(key, 0) + sign

    def count_flows(self, app: str, kind: str, flows: Iterable[Flow], sign: int) -> None:
        """Add flows of a case of this kind, or take them away."""
        for metric, hour in flows:
            key = FlowKey(app, kind, metric, hour)
            self.flows[key] = self.flows.get(key, 0) + sign

    def without_zeros(self) -> Delta:
        """Return the same change with the cells that cancel out left away."""
        return Delta(
            Counter({key: n for key, n in self.gauges.items() if n}),
            Counter({key: n for key, n in self.flows.items() if n}),
        )


def gauges_of(case: Case) -> list[GaugeKey]:
    """Return the gauge cells in which a case counts, each once."""
    if case.state is None:
        return []
    app, kind, _ = case.key
    keys = [GaugeKey(app, kind, STATE, case.state)]
    if case.open and case.service is not None:
        keys.append(GaugeKey(app, kind, OPEN_SERVICE, case.service))
    if case.open and case.area is not None:
        keys.append(GaugeKey(app, kind, OPEN_AREA, kecamatan_of(case.area)))
    return keys


#: How far back flow cells are kept at hand: the local day, at most 24 h old, or
#: the last 24 hours, whichever reaches further; one hour of margin.
RECENT = timedelta(hours=26)


@dataclass(slots=True)
class RegionCells:
    """The cells that a region's state is made of: all gauges and the recent flows.

    ``gauges[(app, kind)][metric][key]`` and ``flows[(app, kind, metric)][hour]``
    are counts; zeros are not kept. ``since`` is the first hour of which flows
    are held: older ones live in the tables alone.
    """

    since: datetime
    gauges: dict[tuple[str, str], dict[str, dict[str, int]]] = field(default_factory=dict)
    flows: dict[tuple[str, str, str], dict[datetime, int]] = field(default_factory=dict)

    def apply(self, delta: Delta) -> None:
        """Add a change.

        Raises:
            InvariantBroken: a count would fall below zero, so that the cells do
                not come from the log they claim to come from.
        """
        for gauge, n in delta.gauges.items():
            metrics = self.gauges.setdefault((gauge.app, gauge.kind), {})
            _add(metrics.setdefault(gauge.metric, {}), gauge.key, n)
        for flow, n in delta.flows.items():
            if flow.hour >= self.since:
                hours = self.flows.setdefault((flow.app, flow.kind, flow.metric), {})
                _add(hours, flow.hour, n)

    def forget_before(self, hour: datetime) -> None:
        """Let go of flows older than ``hour``; the tables keep them."""
        if hour <= self.since:
            return
        self.since = hour
        for hours in self.flows.values():
            for old in [h for h in hours if h < hour]:
                del hours[old]

    def flow_sum(self, app: str, kind: str, metric: str, start: datetime, end: datetime) -> int:
        """Sum a flow over the hours in [start, end)."""
        hours = self.flows.get((app, kind, metric), {})
        return sum(n for hour, n in hours.items() if start <= hour < end)


def _add(counts: dict[_K, int], key: _K, n: int) -> None:
    total = counts.get(key, 0) + n
    if total < 0:
        raise InvariantBroken("a cell would fall below zero")
    if total:
        counts[key] = total
    else:
        counts.pop(key, None)


def check_conservation(delta: Delta, families: Mapping[str, str]) -> None:
    """Check that a change keeps opened - closed + reopened = open, per app and kind.

    ``families`` is the family of each app.

    Raises:
        InvariantBroken: the flows and the states part.
    """
    open_change: dict[tuple[str, str], int] = defaultdict(int)
    signs = {"opened": 1, "closed": -1, "reopened": 1}
    for flow, n in delta.flows.items():
        open_change[flow.app, flow.kind] += signs.get(flow.metric, 0) * n
    for gauge, n in delta.gauges.items():
        if gauge.metric == STATE and is_open_state(families[gauge.app], gauge.kind, gauge.key):
            open_change[gauge.app, gauge.kind] -= n
    if any(open_change.values()):
        raise InvariantBroken("opened - closed + reopened parts from the open cases")
