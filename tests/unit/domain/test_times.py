"""Instants and local days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.times import day_span, format_instant, hour_of, local_day, parse_instant

ZONES = ["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"]
instants = st.integers(946_684_800_000_000, 4_102_444_800_000_000).map(
    lambda micros: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
)


@given(instants)
def test_what_is_written_is_read_back(moment: datetime) -> None:
    assert parse_instant(format_instant(moment)) == moment


@given(instants, st.sampled_from(ZONES))
def test_a_moment_lies_in_the_span_of_its_day(moment: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    start, end = day_span(local_day(moment, zone), zone)
    assert start <= moment < end
    assert end - start == timedelta(days=1)
    assert hour_of(start) == start


def test_the_zones_of_indonesia_stand_whole_hours_apart() -> None:
    midnights = [day_span(date(2026, 11, 21), ZoneInfo(name))[0].hour for name in ZONES]
    assert midnights == [17, 16, 15]


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T08:00:00",
        "2026-11-21 08:00:00Z",
        "20261121T080000Z",
        "2026-13-01T00:00:00Z",
        "2026-11-21T24:00:01Z",
        "2026-11-21T23:59:60Z",
        "2026-11-21T08:00:00+25:00",
        "٢026-11-21T08:00:00Z",
        "2026-11-21T08:00:00.Z",
        "0001-01-01T00:00:00+23:59",
        "x",
    ],
)
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_instant(text)
