"""Series: what flowed, hour by hour and day by day, against the fold of the whole log."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.bus import MemoryBus
from app.database import Engine, snapshot, transaction
from app.domain.cases import FLOW_METRICS
from app.domain.errors import InvalidParameter
from app.domain.times import day_span, hour_of, local_day
from app.repositories import register
from app.repositories.statements import run, value
from app.routers.series import Metric
from app.services.rebuild import rebuild
from app.services.recomputation import recompute
from app.services.series import METRICS, MOST_POINTS, Series, Wanted, read_series
from tests.builders import NOW, PREFIX, a_report
from tests.city import City, a_city
from tests.conftest import Database
from tests.integration.test_properties import run_examples

JAKARTA, MAKASSAR, JAYAPURA = "36.71", "72.02", "91.71"
WINDOW = {"start": "2026-11-18", "end": "2026-11-23"}
VERBS = ["submitted", "verified", "held", "resolved", "rejected", "reopened", "rated"]
_examples = itertools.count(1)

#: One event: its case, verb, minute, service, kecamatan or kelurahan, and test flag.
facts = st.tuples(
    st.sampled_from(["a", "b", "c", "d"]),
    st.sampled_from(VERBS),
    st.integers(-3_500, 55),
    st.sampled_from([None, "jalan", "lampu"]),
    st.sampled_from([None, "36.71.05", "36.71.01.1003", "36.71.01"]),
    st.booleans() | st.just(False),
)


async def series(city: City, region: str = JAKARTA, **wanted: Any) -> Series:
    question = Wanted(**{"metric": "opened", "bucket": "hour"} | WINDOW | wanted)
    return await read_series(city.engine, city.clock, region, question)


def counts(found: Series) -> dict[datetime, int]:
    return {at: value for at, value in found.points if value}


async def recomputed(engine: Engine, region: str, metric: str) -> Counter[datetime]:
    """Count a flow by the hour from the log alone."""
    async with snapshot(engine) as connection:
        families = await register.families(connection)
        runs = [run async for run, _ in recompute(connection, region, 1_000_000, families)]
    found: Counter[datetime] = Counter()
    for key, n in runs[-1].cells.flows.items():
        if key.metric == metric:
            found[key.hour] += n
    return found


def by_day(hours: dict[datetime, int], zone: ZoneInfo) -> dict[datetime, int]:
    found: Counter[datetime] = Counter()
    for hour, n in hours.items():
        found[day_span(local_day(hour, zone), zone)[0]] += n
    return dict(found)


async def test_hours_sum_to_days_and_both_are_what_the_log_says(engine: Engine) -> None:
    async with a_city(engine) as city:

        @settings(
            max_examples=15,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture],
        )
        @given(st.lists(facts, min_size=1, max_size=12), st.sampled_from([JAKARTA, JAYAPURA]))
        async def agree(found: Any, region: str) -> None:
            example = next(_examples)
            for n, (case, verb, minutes, service, _, test) in enumerate(found):
                await city.post(
                    a_report(
                        verb,
                        f"{example}-{case}",
                        minutes=minutes,
                        id=f"{example}-{n}",
                        source=f"urn:pemda:{region}:laksa",
                        data={} if service is None else {"service": service},
                        test=test or None,
                    )
                )
            await city.fold(region)
            zone = ZoneInfo("Asia/Jakarta" if region == JAKARTA else "Asia/Jayapura")
            for metric in METRICS:
                hours = await series(city, region, metric=metric)
                days = await series(city, region, metric=metric, bucket="day")
                assert len(hours.points) == 5 * 24
                assert len(days.points) == 5
                assert counts(hours) == await recomputed(engine, region, metric)
                assert counts(days) == by_day(counts(hours), zone)

        await run_examples(agree)


async def test_services_and_areas_of_a_flow_sum_to_the_whole(engine: Engine) -> None:
    """Every case of this property has a service and an area, so that nothing is in no part."""
    async with a_city(engine) as city:

        @settings(
            max_examples=15,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture],
        )
        @given(st.lists(facts, min_size=1, max_size=12))
        async def parts(found: Any) -> None:
            example = next(_examples)
            for n, (case, verb, minutes, service, area, _) in enumerate(found):
                data = {"service": service or "lampu", "area": area or "36.71.05"}
                subject, key = f"p{example}-{case}", f"p{example}-{n}"
                await city.post(a_report(verb, subject, minutes=minutes, id=key, data=data))
            await city.fold()
            for metric, bucket in itertools.product(FLOW_METRICS, ("hour", "day")):
                whole = counts(await series(city, metric=metric, bucket=bucket))
                for name, values in (
                    ("service", ("jalan", "lampu")),
                    ("area", ("36.71.05", "36.71.01")),
                ):
                    summed: Counter[datetime] = Counter()
                    for value in values:
                        wanted = {"metric": metric, "bucket": bucket, name: value}
                        summed.update(counts(await series(city, **wanted)))
                    assert dict(summed) == whole

        await run_examples(parts)


@pytest.mark.parametrize(
    ("region", "offset"),
    [
        pytest.param(JAKARTA, 7, id="WIB"),
        pytest.param(MAKASSAR, 8, id="WITA"),
        pytest.param(JAYAPURA, 9, id="WIT"),
    ],
)
async def test_a_day_begins_at_the_regions_own_midnight(
    engine: Engine, region: str, offset: int
) -> None:
    midnight = datetime(2026, 11, 21, tzinfo=UTC) - timedelta(hours=offset)
    async with a_city(engine) as city:
        for n, moment in enumerate((midnight - timedelta(milliseconds=1), midnight)):
            time = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            event = a_report("submitted", f"L-{n}", source=f"urn:pemda:{region}:laksa", data={})
            await city.post(event | {"time": time})
        await city.fold(region)
        found = await series(city, region, bucket="day", start="2026-11-20", end="2026-11-22")
        assert found.points == [(midnight - timedelta(days=1), 1), (midnight, 1)]
        assert found.end == midnight + timedelta(days=1)
        narrow = await series(city, region, bucket="day", start="2026-11-21", end="2026-11-22")
        assert narrow.points == [(midnight, 1)]


async def test_a_kelurahan_counts_in_its_kecamatan_and_by_itself(engine: Engine) -> None:
    async with a_city(engine) as city:
        for n, area in enumerate(("36.71.01.1003", "36.71.01", "36.71.05")):
            await city.post(a_report("submitted", f"L-{n}", data={"area": area}))
        await city.fold()
        for area, n in (("36.71.01", 2), ("36.71.01.1003", 1), ("36.71.05", 1), ("3671011003", 1)):
            assert sum(counts(await series(city, area=area)).values()) == n


async def test_apps_and_kinds_narrow(engine: Engine) -> None:
    async with a_city(engine) as city:
        await city.post(a_report("submitted"), a_report("submitted", "L-2"))
        source = "urn:pemda:36.71:siapkerja"
        for kind, verb in (("seeker", "registered"), ("vacancy", "posted")):
            kind_type = f"{PREFIX}siapkerja.{kind}.{verb}.v1"
            await city.post(a_report("", kind, type=kind_type, source=source, data={}))
        await city.fold()
        for wanted, n in (
            ({}, 4),
            ({"app": "laksa"}, 2),
            ({"app": "siapkerja"}, 2),
            ({"kind": "seeker"}, 1),
            ({"app": "siapkerja", "kind": "vacancy"}, 1),
            ({"app": "perizinan"}, 0),
            ({"metric": "events"}, 4),
            ({"metric": "events", "app": "laksa"}, 2),
        ):
            assert sum(counts(await series(city, **wanted)).values()) == n


async def test_a_reopened_case_is_closed_as_often_as_it_was(engine: Engine) -> None:
    async with a_city(engine) as city:
        lives = (("submitted", 0), ("resolved", 1), ("reopened", 2), ("rejected", 3), ("rated", 4))
        for verb, minute in lives:
            await city.post(a_report(verb, minutes=minute))
        await city.fold()
        expected = {"opened": 1, "first_responded": 1, "closed": 2, "resolved": 1, "reopened": 1}
        for narrowing in ({}, {"service": "jalan"}, {"area": "36.71.05", "app": "laksa"}):
            for metric, n in expected.items():
                found = await series(city, metric=metric, **narrowing)
                assert counts(found) == {hour_of(NOW - timedelta(hours=1)): n}
        assert counts(await series(city, metric="closed", service="lampu")) == {}


async def test_a_correction_moves_what_was_counted(engine: Engine) -> None:
    async with a_city(engine) as city:
        await city.post(a_report("submitted"))
        await city.fold()
        before = await series(city, service="jalan")
        await city.post(a_report("corrected", minutes=5, data={"service": "lampu"}))
        await city.fold()
        after = await series(city, service="jalan")
        assert (sum(counts(before).values()), sum(counts(after).values())) == (1, 0)
        assert counts(await series(city, service="lampu")) == counts(before)
        assert (before.seq, after.seq) == (1, 2)


async def test_a_rebuild_changes_the_epoch_and_no_number(database: Database) -> None:
    async with a_city(database.engine) as city:
        for n in range(5):
            await city.post(a_report("submitted", f"L-{n}", minutes=-200 * n))
            await city.post(a_report("resolved", f"L-{n}", minutes=-200 * n + 30))
        await city.fold()

        async def all_of_it() -> list[Series]:
            return [
                await series(city, metric=metric, **narrowing)
                for metric in FLOW_METRICS
                for narrowing in ({}, {"service": "jalan"})
            ]

        before = await all_of_it()
        arguments = (database.engine, database.url, MemoryBus(), city.clock, JAKARTA)
        await rebuild(*arguments, lambda _: None)
        after = await all_of_it()
        assert [found.points for found in after] == [found.points for found in before]
        assert sum(sum(counts(found).values()) for found in before) > 0
        assert {found.seq for found in before} == {found.seq for found in after} == {10}
        assert {found.epoch for found in before} != {found.epoch for found in after}


async def test_what_is_not_folded_yet_is_not_counted(engine: Engine) -> None:
    async with a_city(engine) as city:
        await city.post(a_report("submitted"))
        await city.fold()
        await city.post(a_report("submitted", "L-2"))
        for narrowing in ({}, {"service": "jalan"}):
            found = await series(city, **narrowing)
            assert (sum(counts(found).values()), found.seq, found.head) == (1, 1, 2)


# --- the window --------------------------------------------------------------------------


async def test_without_a_window_it_is_the_last_day_or_month(engine: Engine) -> None:
    async with a_city(engine) as city:
        hours = await series(city, start=None, end=None)
        days = await series(city, start=None, end=None, bucket="day")
    # It is exactly 12.00 in Jakarta: the hour that begins now has not been yet.
    assert (len(hours.points), hours.end) == (24, NOW)
    assert (len(days.points), days.end) == (30, datetime(2026, 11, 21, 17, tzinfo=UTC))


@pytest.mark.parametrize("bucket", ["hour", "day"])
async def test_an_instant_within_a_bucket_takes_the_whole_of_it(
    engine: Engine, bucket: str
) -> None:
    async with a_city(engine) as city:
        found = await series(
            city,
            bucket=bucket,
            start="2026-11-21T03:59:59.999+07:00",
            end="2026-11-20T21:00:00.001Z",
        )
    expected = {
        "hour": [datetime(2026, 11, 20, 20, tzinfo=UTC), datetime(2026, 11, 20, 21, tzinfo=UTC)],
        "day": [datetime(2026, 11, 20, 17, tzinfo=UTC)],
    }
    assert [at for at, _ in found.points] == expected[bucket]


async def test_as_many_points_as_there_may_be_and_not_one_more(engine: Engine) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    end = start + timedelta(hours=MOST_POINTS)
    async with a_city(engine) as city:
        found = await series(city, start=start.isoformat(), end=end.isoformat())
        assert len(found.points) == MOST_POINTS
        with pytest.raises(InvalidParameter) as refused:
            await series(
                city, start=start.isoformat(), end=(end + timedelta(minutes=1)).isoformat()
            )
        assert refused.value.field == "from"
        with pytest.raises(InvalidParameter):
            await series(city, bucket="day", start="2000-01-01", end="9998-12-31")


async def test_too_many_cases_to_fold_are_refused(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.series.MOST_MOVED", 2)
    async with a_city(engine) as city:
        for n in range(3):
            await city.post(a_report("submitted", f"L-{n}"), a_report("resolved", f"L-{n}"))
            await city.fold()
            if n < 2:
                assert sum(counts(await series(city, metric="closed", service="jalan")).values())
        with pytest.raises(InvalidParameter) as refused:
            await series(city, metric="closed", service="jalan")
        assert refused.value.field == "from"
        assert sum(counts(await series(city, metric="closed")).values()) == 3


# --- what it costs -----------------------------------------------------------------------


async def _touched(engine: Engine, statement: str) -> int:
    """Return how many blocks a statement reads, by PostgreSQL's own account."""
    async with transaction(engine) as connection:
        found = await value(connection, f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}")
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


_CELLS = """
INSERT INTO flows SELECT '36.71', 1, 'laksa', 'report', metric, hour, 1
FROM unnest(ARRAY['opened', 'closed', 'events']) AS metric,
     generate_series(timestamptz '2026-11-20 00:00Z' - interval '{} days',
                     timestamptz '2026-11-20 23:00Z', interval '1 hour') AS hour
ON CONFLICT DO NOTHING
"""
_CASES = """
INSERT INTO cases (region, generation, app, kind, case_id, state, open, opened_at,
                   first_response_at, closed_at, reopen_count, last_time, last_sequence,
                   last_id, last_source)
SELECT '36.71', 1, 'laksa', 'report', at::text, 'resolved', false, at, at, at,
       (at >= timestamptz '2026-11-20' AND extract(minute from at) = 0)::int, at, 0, '', ''
FROM generate_series(timestamptz '2026-11-20 00:00Z' - interval '{} days',
                     timestamptz '2026-11-20 23:50Z', interval '10 minutes') AS at
ON CONFLICT DO NOTHING
"""


async def test_history_outside_the_window_costs_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, tuple[Any, ...]]] = []

    async def noted(connection: Any, statement: str, values: Any = ()) -> Any:
        asked.append((statement, tuple(values)))
        return await run(connection, statement, values)

    async def cost(city: City) -> list[int]:
        """Return the blocks that each of the three ways of counting reads for one day."""
        asked.clear()
        for wanted in (
            {"metric": "opened"},
            {"metric": "first_responded", "service": "jalan"},
            {"metric": "closed", "service": "jalan"},
        ):
            await series(city, start="2026-11-20", end="2026-11-21", **wanted)
        return [
            await _touched(engine, _written_out(statement, values)) for statement, values in asked
        ]

    async with a_city(engine) as city:
        await city.fold()
        monkeypatch.setattr("app.repositories.series.run", noted)
        costs = []
        for days in (30, 300):
            async with transaction(engine) as connection:
                await run(connection, _CELLS.format(days))
                await run(connection, _CASES.format(days))
                await run(connection, "ANALYZE flows")
                await run(connection, "ANALYZE cases")
            costs.append(await cost(city))
    little, much = costs
    assert len(little) == len(much) == 3
    # A tree that grew by a level costs a block or two more on the way down, no more.
    assert [after <= before + 12 for before, after in zip(little, much, strict=True)] == [True] * 3


def _written_out(statement: str, values: tuple[Any, ...]) -> str:
    """Return a statement with its values in their places, the last first: $1 begins $10."""
    for place, one in reversed(list(enumerate(values, start=1))):
        text = "NULL" if one is None else f"'{one}'"
        statement = statement.replace(f"${place}", text if not isinstance(one, int) else f"{one}")
    return statement


def test_the_parameter_takes_every_metric_and_no_other() -> None:
    assert get_args(Metric) == METRICS
