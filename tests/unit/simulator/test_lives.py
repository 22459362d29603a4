"""Lives end when they must, and people act when people act."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.simulator.dice import Dice
from app.simulator.hours import (
    DAY,
    HOUR,
    MINUTE,
    OPENING,
    PERMITS,
    REPORTS,
    ROUND_THE_CLOCK,
    SEEKERS,
    WEEK,
    WORKDAY,
    after_work,
    awake,
    hour_of_week,
    worked_until,
)
from app.simulator.life import Life, Place
from app.simulator.plans import Plan
from app.simulator.source import PLANS

WIB = 7 * HOUR
SOME_MONDAY = 20_409 * DAY + 11 * DAY
INSTANTS = st.integers(SOME_MONDAY, SOME_MONDAY + 2 * WEEK)


class SlowDice(Dice):
    """Everything takes as long as it can."""

    __slots__ = ()

    def about(self, median: float, longest: float = 2.5) -> float:
        return median * longest


@pytest.mark.parametrize(
    "plan",
    [pytest.param(plan, id=f"{app}-{plan.code}") for app, plans in PLANS.items() for plan in plans],
)
@settings(deadline=None, max_examples=50)
@given(opened=INSTANTS, seed=st.integers(0, 10**6))
def test_no_life_outlasts_its_plan_even_where_all_take_longest(
    plan: Plan, opened: int, seed: int
) -> None:
    life = Life(SlowDice(f"{seed}"), Place(("36.71.01",), WIB), opened, plan.bound, "LK-1")
    plan.live(life)
    assert opened <= life.steps[0].at
    assert life.steps[-1].at < life.ends


@settings(deadline=None, max_examples=50)
@given(local=INSTANTS, work=st.integers(0, 100 * HOUR))
def test_work_is_done_in_office_hours_and_takes_its_time(local: int, work: int) -> None:
    done = after_work(local, work)
    assert done >= local
    assert worked_until(done) - worked_until(local) == work
    assert OPENING <= done % DAY < OPENING + WORKDAY
    assert hour_of_week(done) < 5 * 24


@settings(deadline=None, max_examples=50)
@given(local=INSTANTS, later=st.floats(0, 1, exclude_max=True))
def test_nobody_acts_at_night_who_may_sleep(local: int, later: float) -> None:
    done = awake(local, later)
    assert local <= done < local + 12 * HOUR
    assert 5 * HOUR + 30 * MINUTE <= done % DAY < 22 * HOUR


@pytest.mark.parametrize("week", [REPORTS, PERMITS, SEEKERS, ROUND_THE_CLOCK])
def test_the_weights_of_a_week_have_mean_one(week: tuple[float, ...]) -> None:
    assert len(week) == 7 * 24
    assert sum(week) / len(week) == pytest.approx(1)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10**6), median=st.integers(1, 100))
def test_durations_stay_between_their_limits(seed: int, median: int) -> None:
    dice = Dice(str(seed))
    assert all(0.3 * median <= dice.about(median, 2.0) <= 2.0 * median for _ in range(20))


def test_half_of_the_durations_are_under_the_median() -> None:
    dice = Dice("median")
    under = sum(dice.about(3.0) < 3.0 for _ in range(4_000))
    assert 1_900 < under < 2_100


def test_dice_fall_evenly_and_differ_by_name() -> None:
    dice = Dice("even")
    falls = [dice.below(6) for _ in range(6_000)]
    assert all(900 < falls.count(number) < 1_100 for number in range(6))
    assert Dice("a").fraction() != Dice("b").fraction()


def test_the_numbers_of_a_name_never_change() -> None:
    # Ids of a kept demo would meet events of other content, and be conflicts.
    dice = Dice("1|36.71|laksa")
    assert [dice.below(1000) for _ in range(4)] == [127, 29, 885, 213]


def test_the_first_kecamatan_have_most_cases_and_none_is_left_out() -> None:
    areas = tuple(f"36.71.{number:02d}" for number in range(1, 14))
    life = Life(Dice("areas"), Place(areas, WIB), SOME_MONDAY, DAY)
    drawn = [life.area() for _ in range(5_000)]
    assert set(drawn) == set(areas)
    assert drawn.count(areas[0]) > drawn.count(areas[-1])


def test_a_region_without_kecamatan_names_none() -> None:
    life = Life(Dice("areas"), Place((), WIB), SOME_MONDAY, DAY)
    assert life.area() is None
    assert life.other_area(None) is None
