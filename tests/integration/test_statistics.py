"""Statistics of the planner follow the log as it grows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from app.database import Connection, Engine, transaction
from app.domain.cases import CaseKey
from app.repositories import cases, schema
from app.repositories.statements import run, value
from app.services import statistics
from app.services.statistics import Statistics
from tests.builders import a_report
from tests.city import a_city


async def _known(engine: Engine) -> float:
    async with transaction(engine) as connection:
        return await schema.events_when_analyzed(connection)


async def test_statistics_are_made_as_soon_as_the_log_has_doubled(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "FIRST", 10)
    made = Statistics(engine)
    async with a_city(engine) as city:
        for had, has, known in [(0, 9, 0), (9, 10, 10), (10, 19, 10), (19, 20, 20)]:
            await city.post(*(a_report("submitted", f"L-{n}") for n in range(had, has)))
            await made.grown(has)
            assert await _known(engine) == known


async def test_a_projector_that_starts_goes_on_where_statistics_are(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "FIRST", 1)
    async with a_city(engine) as city:
        await city.post(*(a_report("submitted", f"L-{n}") for n in range(10)))
        await Statistics(engine).grown(10)
        await city.post(*(a_report("submitted", f"M-{n}") for n in range(9)))
        await Statistics(engine).grown(19)
        assert await _known(engine) == 10
        await Statistics(engine).grown(20)
        assert await _known(engine) == 19


async def test_three_cases_of_many_are_found_by_their_keys(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Sequence[Any]]] = []

    async def note(connection: Connection, statement: str, values: Sequence[Any]) -> Any:
        asked.append((statement, values))
        return await run(connection, statement, values)

    monkeypatch.setattr(cases, "run", note)
    keys = [CaseKey("laksa", "report", f"L-{n}") for n in (1, 700, 1_900)]
    async with a_city(engine) as city:
        for begin in range(0, 2_000, 500):
            await city.post(*(a_report("submitted", f"L-{n}") for n in range(begin, begin + 500)))
        await city.fold()
        await Statistics(engine).grown(2_000)
        async with transaction(engine) as connection:
            asked.clear()
            assert set(await cases.of_keys(connection, "36.71", 1, keys)) == set(keys)
            ((statement, values),) = asked
            explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
            plan = (await value(connection, explain, values))[0]["Plan"]
    # Two thousand cases are a hundred blocks.
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 30
    assert plan["Actual Rows"] == 3
