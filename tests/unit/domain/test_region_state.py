"""The state document: bounded, without nulls and arrays, and true to the clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.cells import Delta, FlowKey, GaugeKey, RegionCells
from app.domain.errors import InvariantBroken
from app.domain.region_state import (
    Region,
    RegionParts,
    SourceActivity,
    bounded,
    build,
    network,
    next_change,
    summary,
)
from app.domain.times import hour_of
from app.schemas.state import NetworkState, RegionState
from tests.builders import FAMILIES, NOW

REGION = Region("36.71", "Kota Tangerang", "kota", "Asia/Jakarta")


def parts_with(**changes: Any) -> RegionParts:
    delta = Delta()
    delta.gauges[GaugeKey("laksa", "report", "state", "received")] = 3
    delta.gauges[GaugeKey("laksa", "report", "state", "resolved")] = 2
    delta.gauges[GaugeKey("laksa", "report", "open_service", "jalan")] = 2
    delta.gauges[GaugeKey("laksa", "report", "open_area", "36.71.05")] = 3
    delta.flows[FlowKey("laksa", "report", "opened", hour_of(NOW))] = 5
    delta.flows[FlowKey("laksa", "report", "opened", hour_of(NOW) - timedelta(hours=20))] = 1
    delta.flows[FlowKey("laksa", "", "events", hour_of(NOW))] = 9
    cells = RegionCells(since=hour_of(NOW) - timedelta(hours=26))
    cells.apply(delta)
    return RegionParts(REGION, cells, FAMILIES, **changes)


def test_open_is_the_sum_of_the_open_states() -> None:
    report = build(parts_with(), NOW)["apps"]["laksa"]["report"]
    assert report["open"] == 3
    assert sum(report["by_state"].values()) == 5


def test_yesterdays_flows_are_in_the_hours_and_not_in_today() -> None:
    state = build(parts_with(), NOW)
    assert state["apps"]["laksa"]["report"]["today"] == {"opened": 5}
    assert state["hours"]["2026-11-20T09:00:00Z"] == {"opened": 1}
    assert state["events_today"] == {"laksa": 9}


def test_a_state_document_is_of_the_contracts_shape() -> None:
    sources = {"urn:pemda:36.71:laksa": SourceActivity(timedelta(hours=24))}
    state = build(parts_with(sources=sources, demo=True), NOW)
    RegionState.model_validate(state)
    NetworkState.model_validate(network({"36.71": summary(state, 7)}, demo=False))
    assert list(_odd(state)) == []


def _odd(value: Any) -> Any:
    """Give what no state document may hold."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _odd(inner)
    elif value is None or isinstance(value, list | float):
        yield value


@given(st.dictionaries(st.text(max_size=4), st.integers(1, 5), max_size=120))
def test_a_bounded_map_loses_no_count(counts: dict[str, int]) -> None:
    kept = bounded(counts, most=50)
    assert sum(kept.values()) == sum(counts.values())
    assert len(kept) <= 51
    rest = min((n for name, n in kept.items() if name != "_rest"), default=0)
    assert all(n <= rest for name, n in counts.items() if name not in kept)


def test_the_clock_changes_nothing_before_the_next_change() -> None:
    heard = SourceActivity(timedelta(minutes=30), last_event_at=NOW - timedelta(minutes=12))
    parts = parts_with(sources={"urn:pemda:36.71:laksa": heard})
    change = next_change(parts, NOW, NOW + timedelta(minutes=40))
    assert change == NOW + timedelta(minutes=18, microseconds=1)
    assert build(parts, change - timedelta(microseconds=1)) == build(parts, NOW)
    assert build(parts, change) != build(parts, NOW)


def test_cells_below_zero_are_refused() -> None:
    delta = Delta()
    delta.gauges[GaugeKey("laksa", "report", "state", "received")] = -4
    with pytest.raises(InvariantBroken):
        parts_with().cells.apply(delta)
