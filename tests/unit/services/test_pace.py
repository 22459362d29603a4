"""The pace of frames, against a clock of the test's own."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.pace import MOST_AHEAD_S, PACE_S, Pace

#: What adding up seconds as floats may be wrong by.
TINY = 1e-9


class Time:
    """A clock that stands still but for sleeping."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def steps(durations: list[float], idle: list[float]) -> list[tuple[float, float]]:
    """Step at the pace, after some time without work each; return beginnings and frames."""
    time = Time()
    pace = Pace(time, time.sleep)
    found = []

    async def run() -> None:
        for takes, waits in zip(durations, idle, strict=True):
            time.now += waits
            begun = time.now
            pace.begun()
            time.now += takes
            await pace.due()
            pace.kept()
            found.append((begun, time.now))
            await pace.begin()

    asyncio.run(run())
    assert pace.frames == len(found)
    return found


durations = st.lists(st.floats(0, 0.5), min_size=2, max_size=40)


@given(durations, st.data())
def test_frames_are_never_closer_than_the_pace(takes: list[float], data: st.DataObject) -> None:
    idle = data.draw(st.lists(st.floats(0, 0.3), min_size=len(takes), max_size=len(takes)))
    found = steps(takes, idle)
    for (_, before), (begun, kept) in pairwise(found):
        assert kept - before >= PACE_S - TINY
        assert begun - before >= PACE_S - MOST_AHEAD_S - TINY


@given(st.floats(0, 10))
def test_the_first_change_goes_at_once(takes: float) -> None:
    ((begun, kept),) = steps([takes], [0.0])
    assert kept - begun == pytest.approx(takes)


@given(st.floats(0, MOST_AHEAD_S))
def test_steps_that_take_their_time_do_not_make_the_frames_late(takes: float) -> None:
    found = steps([takes] * 40, [0.0] * 40)
    assert found[-1][1] - found[-2][1] == pytest.approx(PACE_S, abs=1e-4)
    assert found[-1][1] - found[-1][0] == pytest.approx(takes, abs=1e-4)
