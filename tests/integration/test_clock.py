"""What the clock alone changes: the day, overdue cases, silent sources."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.database import Engine
from app.domain.times import format_instant
from tests.builders import NOW, a_report, an_event
from tests.city import Hands, a_city


@pytest.mark.parametrize(
    ("region", "midnight"),
    [
        pytest.param("36.71", datetime(2026, 11, 21, 17, tzinfo=UTC), id="WIB"),
        pytest.param("72.02", datetime(2026, 11, 21, 16, tzinfo=UTC), id="WITA"),
        pytest.param("91.71", datetime(2026, 11, 21, 15, tzinfo=UTC), id="WIT"),
    ],
)
async def test_day_ends_at_the_regions_midnight_without_any_event(
    engine: Engine, region: str, midnight: datetime
) -> None:
    clock = Hands(midnight - timedelta(seconds=1))
    async with a_city(engine, clock) as city:
        source = f"urn:pemda:{region}:laksa"
        last_second = format_instant(clock())
        await city.post(an_event(source=source, time=last_second, data={}))
        before = await city.fold(region)
        clock.move(seconds=1)
        after = await city.fold(region)
    assert (before["day"], after["day"]) == ("2026-11-21", "2026-11-22")
    assert before["apps"]["laksa"]["report"]["today"] == {"opened": 1}
    assert after["apps"]["laksa"]["report"]["today"] == {}
    assert (before["events_today"], after["events_today"]) == ({"laksa": 1}, {})


async def test_an_event_of_tomorrow_counts_when_tomorrow_comes(engine: Engine) -> None:
    clock = Hands()
    async with a_city(engine, clock) as city:
        await city.post(an_event(time=format_instant(NOW + timedelta(hours=20)), data={}))
        today = await city.fold()
        clock.move(hours=13)
        city.restart()
        tomorrow = await city.fold()
    assert today["events_today"] == {}
    assert tomorrow["events_today"] == {"laksa": 1}


async def test_a_case_becomes_overdue_by_the_clock_alone(engine: Engine) -> None:
    clock = Hands()
    async with a_city(engine, clock) as city:
        due = format_instant(NOW + timedelta(minutes=5))
        await city.post(a_report("submitted", data={"due_at": due}))
        counts = [(await city.fold())["apps"]["laksa"]["report"]["overdue"]]
        clock.move(minutes=5)
        counts.append((await city.fold())["apps"]["laksa"]["report"]["overdue"])
        await city.post(a_report("resolved", minutes=30))
        counts.append((await city.fold())["apps"]["laksa"]["report"]["overdue"])
    assert counts == [0, 1, 0]


async def test_overdue_is_right_when_due_date_and_events_change_together(engine: Engine) -> None:
    clock = Hands()
    async with a_city(engine, clock) as city:
        soon = format_instant(NOW + timedelta(minutes=5))
        late = format_instant(NOW + timedelta(minutes=50))
        await city.post(*(a_report("submitted", c, data={"due_at": soon}) for c in "abc"))
        await city.fold()
        clock.move(minutes=6)
        await city.post(a_report("corrected", "a", minutes=2, data={"due_at": late}))
        await city.post(a_report("resolved", "b", minutes=2))
        await city.post(a_report("submitted", "d", data={"due_at": soon}))
        stepped = await city.fold()
        city.restart()
        clock.move(seconds=1)
        loaded = await city.fold()
    assert stepped["apps"]["laksa"]["report"]["overdue"] == 2
    assert loaded["apps"]["laksa"]["report"]["overdue"] == 2


async def test_a_source_falls_silent_by_the_clock_alone(engine: Engine) -> None:
    clock = Hands()
    async with a_city(engine, clock) as city:
        await city.post(an_event())
        urn = "urn:pemda:36.71:laksa"
        statuses = [(await city.fold())["sources"][urn]["status"]]
        clock.move(hours=24)
        statuses.append((await city.fold())["sources"][urn]["status"])
        clock.move(seconds=1)
        statuses.append((await city.fold())["sources"][urn]["status"])
        network = await city.fold_network()
    assert statuses == ["live", "live", "silent"]
    assert network["totals"]["sources_silent"] == 1


async def test_hours_that_are_over_leave_the_last_day(engine: Engine) -> None:
    clock = Hands()
    async with a_city(engine, clock) as city:
        await city.post(a_report("submitted"))
        before = await city.fold()
        clock.move(hours=23)
        after = await city.fold()
    assert before["hours"] == {"2026-11-21T04:00:00Z": {"opened": 1}}
    assert after["hours"] == {}


async def test_current_at_moves_while_nothing_happens(engine: Engine) -> None:
    clock = Hands()
    async with a_city(engine, clock) as city:
        await city.fold()
        first = await city.projection()
        clock.move(seconds=30)
        await city.fold()
        second = await city.projection()
    assert second.current_at - first.current_at == timedelta(seconds=30)
    assert second.rev == first.rev
