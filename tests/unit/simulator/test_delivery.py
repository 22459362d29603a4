"""When events are delivered, and the simulated time by which they are."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app.simulator import Event, Source
from app.simulator.calibration import founding, rate_scale
from app.simulator.clock import Clock, wait
from app.simulator.delivery import LATEST, Mode, Outbox, habits_of
from app.simulator.hours import DAY, HOUR
from app.simulator.options import Options
from app.simulator.run import span_of
from app.simulator.stream import Stream
from app.simulator.times import instant, milliseconds

NOW = milliseconds(datetime(2026, 11, 20, 3, tzinfo=UTC))


def an_event(number: int) -> Event:
    return {"source": "urn:pemda:36.71:laksa", "id": f"LK-{number}", "data": {}}


def test_a_few_of_a_hundred_come_late_and_a_few_twice() -> None:
    habits = [habits_of(an_event(number)) for number in range(4_000)]
    late = [habit.late for habit in habits if habit.late]
    assert 80 < len(late) < 160
    assert min(late) >= 5 * 60_000
    assert max(late) <= LATEST
    assert 80 < sum(habit.again is not None for habit in habits) < 160
    modes = [habit.mode for habit in habits]
    assert modes.count(Mode.BATCH) > 3_000
    assert min(modes.count(Mode.STRUCTURED), modes.count(Mode.BINARY)) > 100


def test_habits_follow_from_the_event_alone() -> None:
    assert habits_of(an_event(1)) == habits_of(an_event(1) | {"time": "later"})


def test_a_test_event_is_never_binary() -> None:
    events = [an_event(number) | {"test": True} for number in range(1_000)]
    assert Mode.BINARY not in {habits_of(event).mode for event in events}


def test_the_outbox_gives_each_event_at_its_time_and_says_when_it_was_recorded() -> None:
    outbox = Outbox()
    for number in range(1_000):
        outbox.put(NOW, an_event(number))
    at_once = list(outbox.due(NOW))
    assert len(at_once) < 1_000
    assert not any("recordedtime" in event for event in at_once)
    assert (outbox.next_at() or 0) > NOW
    later = list(outbox.due(NOW + LATEST))
    assert len({event["id"] for event in at_once + later}) == 1_000
    assert all(
        str(event["recordedtime"]) > instant(NOW) for event in later if "recordedtime" in event
    )
    assert any("recordedtime" in event for event in later)


def test_at_the_end_all_that_waits_is_given() -> None:
    outbox = Outbox()
    for number in range(500):
        outbox.put(NOW, an_event(number))
    assert len(list(outbox.due(None))) > 500
    assert len(outbox) == 0
    assert outbox.next_at() is None


class Ticks:
    """Real time that passes when told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def wall(self) -> int:
        return NOW + int(self.seconds * 1000)


def test_a_fast_clock_runs_to_its_end_and_no_further() -> None:
    ticks = Ticks()
    clock = Clock(NOW - DAY, 1440, NOW, ticks=ticks)
    assert clock.now() == NOW - DAY
    assert clock.seconds_to(NOW - DAY + HOUR) == pytest.approx(2.5)
    ticks.seconds = 30
    assert clock.now() == NOW - DAY // 2
    assert not clock.over()
    ticks.seconds = 61
    assert clock.now() == NOW
    assert clock.over()


def test_an_endless_fast_clock_goes_on_with_the_present_once_it_is_there() -> None:
    ticks = Ticks()
    clock = Clock(NOW - DAY, 1440, ticks=ticks, wall=ticks.wall)
    ticks.seconds = 3_600
    assert clock.now() == NOW + HOUR
    assert clock.seconds_to(NOW + HOUR + 5_000) == pytest.approx(5)
    assert not clock.over()


async def test_waiting_ends_at_once_when_the_run_is_stopped() -> None:
    stop = asyncio.Event()
    assert not await wait(stop, 0.01)
    stop.set()
    assert await wait(stop, 3_600)


@pytest.mark.parametrize(
    ("options", "since", "start", "end"),
    [
        pytest.param(Options(), 0, 0, None, id="endless, from now on"),
        pytest.param(Options(history=24), -DAY, 0, None, id="endless, the past filled in"),
        pytest.param(Options(duration=60), -60_000, -60_000, 0, id="a minute up to now"),
        pytest.param(Options(duration=60, speed=1440), -DAY, -DAY, 0, id="a day in a minute"),
        pytest.param(
            Options(duration=60, speed=1440, history=1), -DAY - HOUR, -DAY, 0, id="and an hour more"
        ),
        pytest.param(Options(speed=60, history=24), -DAY, -DAY, None, id="a past run through"),
    ],
)
def test_the_span_of_a_run_ends_at_the_present(
    options: Options, since: int, start: int, end: int | None
) -> None:
    span = span_of(options, NOW)
    assert (span.since - NOW, span.start - NOW) == (since, start)
    assert span.end == (None if end is None else NOW + end)


def test_until_takes_the_place_of_the_present() -> None:
    until = datetime(2026, 3, 1, tzinfo=UTC)
    span = span_of(Options(duration=60, speed=1440, until=until), NOW)
    assert span.end == milliseconds(until)
    assert span.start == milliseconds(until - timedelta(days=1))


@pytest.mark.parametrize("hours", [1, 24])
def test_a_run_of_given_length_is_scaled_to_the_rate_asked_for(hours: int) -> None:
    night = NOW - 12 * HOUR
    source = Source(1, "36.71", "laksa", (), "Asia/Jakarta", 0.2)
    scale = rate_scale([source], night, night + hours * HOUR)
    scaled = Source(1, "36.71", "laksa", (), "Asia/Jakarta", 0.2 * scale)
    stream = Stream(scaled, night, founded=night)
    events = list(stream.until(night + hours * HOUR))
    assert len(events) == pytest.approx(0.2 * hours * 3600, rel=0.1)


def test_an_ordinary_city_is_looked_back_upon_and_a_huge_one_is_young() -> None:
    def of(intensity: float) -> list[Source]:
        return [Source(1, "36.71", app, (), "Asia/Jakarta", intensity) for app in ("laksa",)]

    assert founding(of(0.5), NOW) == 0
    assert NOW - 45 * DAY < founding(of(10), NOW) < NOW
    assert founding(of(10_000), NOW) == NOW


@pytest.mark.parametrize(
    "wrong",
    [{"rate": 0}, {"speed": 0}, {"speed": -1}, {"duration": -1}, {"history": -1}, {"seed": -1}],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must|digits"):
        Options(**wrong)  # type: ignore[arg-type]
