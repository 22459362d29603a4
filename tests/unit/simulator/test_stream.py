"""The stream is a pure function of seed, source and time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.families import FAMILIES, STATELESS_VERBS
from app.simulator import Event, Source, events_between
from app.simulator.hours import HOUR, MINUTE
from app.simulator.life import share_of
from app.simulator.source import PLANS, Slot, event_of, steps_of
from app.simulator.stream import Stream
from app.simulator.times import milliseconds

AREAS = tuple(f"36.71.{number:02d}" for number in range(1, 14))
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
APPS = st.sampled_from(sorted(PLANS))
FAMILY_OF = {family.segment: family for family in FAMILIES.values()}


def a_source(
    app: str = "laksa", seed: int = 7, intensity: float = 0.02, region: str = "36.71"
) -> Source:
    return Source(seed, region, app, AREAS, "Asia/Jakarta", intensity)


def of_cases(events: Iterator[Event]) -> dict[str, list[Event]]:
    """Return the events of cases by case, kind and id, tests apart."""
    cases = defaultdict(list)
    for event in events:
        if "subject" in event and "test" not in event:
            cases[f"{kind_of(event)}/{event['subject']}"].append(event)
    return cases


def kind_of(event: Event) -> str:
    return str(event["type"]).split(".")[4]


def verb_of(event: Event) -> str:
    return str(event["type"]).split(".")[-2]


def data_of(event: Event) -> dict[str, Any]:
    return cast("dict[str, Any]", event["data"])


@pytest.mark.parametrize("app", sorted(PLANS))
def test_the_same_seed_gives_the_same_events(app: str) -> None:
    day = MONDAY, MONDAY + timedelta(days=1)
    once = list(events_between(a_source(app), *day))
    assert once == list(events_between(a_source(app), *day))
    assert len(once) > 500


def test_another_seed_region_or_app_gives_other_events() -> None:
    day = MONDAY, MONDAY + timedelta(days=1)
    times = [
        {event["time"] for event in events_between(source, *day)}
        for source in (a_source(), a_source(seed=8), a_source(region="33.28"))
    ]
    assert all(len(left & right) < len(left) / 20 for left, right in pairwise(times))


@settings(max_examples=8, deadline=None)
@given(
    app=APPS,
    start=st.integers(0, 14 * 24 * 60),
    first=st.integers(0, 30_000),
    second=st.integers(0, 30_000),
)
def test_windows_compose(app: str, start: int, first: int, second: int) -> None:
    source = a_source(app, intensity=0.005)
    a = MONDAY + timedelta(minutes=start)
    b = a + timedelta(seconds=first, milliseconds=first)
    c = b + timedelta(seconds=second)
    parts = [*events_between(source, a, b), *events_between(source, b, c)]
    assert parts == list(events_between(source, a, c))


@settings(max_examples=8, deadline=None)
@given(app=APPS, seed=st.integers(0, 10**6), hours=st.integers(1, 48))
def test_times_lie_in_the_window_in_order_and_ids_are_unique(
    app: str, seed: int, hours: int
) -> None:
    end = MONDAY + timedelta(hours=hours)
    events = list(events_between(a_source(app, seed, 0.01), MONDAY, end))
    moments = [datetime.fromisoformat(str(event["time"])) for event in events]
    assert moments == sorted(moments)
    assert all(MONDAY <= moment < end for moment in moments)
    assert len({event["id"] for event in events}) == len(events)


def test_more_intensity_adds_cases_and_changes_none() -> None:
    day = MONDAY, MONDAY + timedelta(days=1)
    quiet = {event["id"]: event for event in events_between(a_source(intensity=0.01), *day)}
    busy = {event["id"]: event for event in events_between(a_source(intensity=0.03), *day)}
    assert quiet.items() <= busy.items()
    assert len(busy) > 2 * len(quiet)


@pytest.mark.parametrize("app", sorted(PLANS))
def test_the_mean_rate_of_a_fortnight_is_the_intensity(app: str) -> None:
    intensity = 0.012
    fortnight = MONDAY, MONDAY + timedelta(days=14)
    cases = of_cases(events_between(a_source(app, intensity=intensity), *fortnight))
    events = sum(map(len, cases.values()))
    assert events == pytest.approx(intensity * 14 * 86_400, rel=0.1)


@pytest.mark.parametrize("app", sorted(PLANS))
def test_every_life_is_legal_under_the_table_of_families(app: str) -> None:
    family = FAMILY_OF[app]
    for steps in the_lives(app).values():
        kind = family.kinds[kind_of(steps[0])]
        verbs = [verb_of(step) for step in steps if verb_of(step) not in STATELESS_VERBS]
        assert verbs[0] == next(iter(kind.verbs))
        states = [kind.verbs[verb] for verb in verbs]
        for before, after, verb in zip(states, states[1:], verbs[1:], strict=False):
            assert before.open or verb == "reopened"
            assert before != after
        assert not states[-1].open, "every case comes to an end"
        assert all(verb in kind.verbs or verb in STATELESS_VERBS for verb in map(verb_of, steps))


@pytest.mark.parametrize("app", sorted(PLANS))
def test_every_verb_of_the_table_is_played(app: str) -> None:
    played = {(kind_of(step), verb_of(step)) for life in the_lives(app).values() for step in life}
    family = FAMILY_OF[app]
    assert played >= {(kind.code, verb) for kind in family.kinds.values() for verb in kind.verbs}


def test_branches_tell_what_they_must() -> None:
    lives = the_lives("laksa")
    subjects = {str(life[0]["subject"]) for life in lives.values()}
    for event in (step for life in lives.values() for step in life):
        match verb_of(event):
            case "rejected":
                assert data_of(event)["reason"] in {"not_authority", "unclear", "out_of_scope"}
            case "duplicated":
                assert data_of(event)["duplicate_of"] in subjects - {event["subject"]}
            case "rated":
                assert 1 <= data_of(event)["rating"] <= 4
            case "submitted":
                assert data_of(event)["area"] in AREAS
                assert len(data_of(event)["summary"]) < 120


def test_cases_are_promised_and_some_of_them_late() -> None:
    promised = late = 0
    for life in the_lives("laksa").values():
        dues = [data_of(step)["due_at"] for step in life if "due_at" in data_of(step)]
        if dues:
            promised += 1
            late += str(life[-1]["time"]) > dues[-1]
    assert promised > 100
    assert 0.03 < late / promised < 0.5


def test_a_fee_is_told_by_the_bill_and_seldom_above_the_tariff() -> None:
    billed = above = 0
    for life in the_lives("perizinan").values():
        facts = {name: value for step in life for name, value in data_of(step).items()}
        if facts.get("fee_idr"):
            billed += 1
            above += facts["fee_idr"] > facts["tariff_idr"]
    assert 0 < above < billed / 5


@pytest.mark.parametrize("app", sorted(PLANS))
def test_officials_keep_office_hours(app: str) -> None:
    duty = {
        "accepted",
        "reviewed",
        "inspected",
        "issued",
        "billed",
        "card_issued",
        "filled",
        "hired",
    }
    moments = [
        datetime.fromisoformat(str(step["time"])) + timedelta(hours=7)
        for life in the_lives(app).values()
        for step in life
        if verb_of(step) in duty
    ]
    assert all(moment.weekday() < 5 for moment in moments)
    assert all("07:30" <= f"{moment:%H:%M}" < "16:00" for moment in moments)


def test_the_city_is_busier_by_day_than_by_night_and_at_work_than_on_sunday() -> None:
    week = MONDAY - timedelta(hours=7), MONDAY + timedelta(days=7, hours=-7)
    submitted = Counter[tuple[int, bool]]()
    for event in events_between(a_source("perizinan", intensity=0.015), *week):
        if verb_of(event) == "submitted":
            local = datetime.fromisoformat(str(event["time"])) + timedelta(hours=7)
            submitted[local.weekday(), 7 <= local.hour < 19] += 1
    assert submitted[0, True] > 3 * submitted[0, False]
    assert submitted[0, True] > 3 * submitted[6, True]


@pytest.mark.parametrize("flooded", [AREAS[:1], AREAS[4:7], AREAS], ids=len)
def test_where_a_storm_falls_there_is_forty_times_as_much_and_elsewhere_as_always(
    flooded: tuple[str, ...],
) -> None:
    hours = milliseconds(MONDAY) // HOUR
    calm = a_source(intensity=0.03)
    night = MONDAY, MONDAY + timedelta(hours=6)
    usual = {event["id"]: event for event in events_between(calm, *night)}
    stormy = replace(calm, storm=(hours, hours + 6), storm_areas=flooded)
    night_of_the_flood = {event["id"]: event for event in events_between(stormy, *night)}
    assert usual.items() <= night_of_the_flood.items()
    more = [night_of_the_flood[name] for name in night_of_the_flood.keys() - usual.keys()]
    opened = [event for event in more if verb_of(event) == "submitted"]
    assert {data_of(event)["area"] for event in opened} == {*flooded}
    assert {data_of(event)["service"] for event in opened} == {"genangan", "pohon"}
    expected = sum(
        verb_of(event) == "submitted" and "test" not in event for event in usual.values()
    )
    assert len(opened) == pytest.approx(39 * expected * share_of(flooded, AREAS), rel=0.3)


def test_storms_of_one_hour_in_different_places_never_give_one_id_to_two_events() -> None:
    hours = milliseconds(MONDAY) // HOUR
    night = MONDAY, MONDAY + timedelta(hours=3)
    storms = [
        replace(a_source(), storm=(hours, hours + 6), storm_areas=areas)
        for areas in (AREAS[:2], AREAS[2:4])
    ]
    first, second = ({e["id"]: e for e in events_between(storm, *night)} for storm in storms)
    assert all(first[name] == second[name] for name in first.keys() & second.keys())
    assert first.keys() != second.keys()


def test_the_past_gives_whole_cases_and_the_present_goes_on_with_them() -> None:
    source = a_source(intensity=0.004)
    start = milliseconds(MONDAY)
    stream = Stream(source, start)
    past = [happening.event for told in stream.settle(start - 36 * HOUR) for happening in told]
    future = [happening.event for happening in stream.until(start + 45 * 24 * HOUR)]
    window = events_between(source, MONDAY - timedelta(hours=36), MONDAY)
    assert {str(event["id"]) for event in window} <= {str(event["id"]) for event in past}
    assert max(str(event["time"]) for event in past) < "2026-11-16T00:00:00.000Z"
    for steps in of_cases(iter(past + future)).values():
        assert [str(step["id"])[-2:] for step in steps] == [
            f"{number:02d}" for number in range(1, len(steps) + 1)
        ]


def test_a_founded_city_has_no_case_from_before() -> None:
    start = milliseconds(MONDAY) + 17 * MINUTE
    stream = Stream(a_source(intensity=0.1), start, founded=start)
    cases = of_cases(happening.event for happening in stream.until(start + 2 * HOUR))
    assert len(cases) > 50
    assert all(str(steps[0]["id"]).endswith("-01") for steps in cases.values())


def test_a_source_says_that_it_lives_four_times_an_hour() -> None:
    events = events_between(a_source(intensity=1e-6), MONDAY, MONDAY + timedelta(days=1))
    beats = [event for event in events if verb_of(event) == "heartbeat"]
    assert 80 <= len(beats) <= 110
    assert beats[0]["type"] == "id.go.tangerangkota.app.heartbeat.v1"
    assert "subject" not in beats[0]


def test_a_test_event_says_so() -> None:
    month = MONDAY, MONDAY + timedelta(days=30)
    tests = [event for event in events_between(a_source(intensity=1e-6), *month) if "test" in event]
    assert 5 <= len(tests) <= 30
    assert all(event["test"] is True for event in tests)


@cache
def the_lives(app: str) -> dict[str, list[Event]]:
    """Return the whole lives of the cases opened in a week."""
    source = a_source(app)
    monday = milliseconds(MONDAY) // HOUR
    return {
        f"{plan.kind}/{slot.case_id(index)}": [
            event_of(source, plan, slot.case_id(index), number, step)
            for number, step in enumerate(steps_of(source, plan, slot, index))
        ]
        for plan in PLANS[app]
        if plan.share
        for slot in (Slot(source, plan, hour) for hour in range(monday, monday + 7 * 24))
        for index in range(slot.count)
    }
