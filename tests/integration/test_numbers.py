"""Numbers against their log: at every rev, after a rebuild, and after tampering."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import Any

import pytest

from app.bus import MemoryBus
from app.database import Engine, connect_raw, snapshot, transaction, try_lock
from app.domain.errors import InvariantBroken, RebuildUnderWay
from app.domain.patches import apply
from app.domain.region_state import RegionParts, build
from app.domain.times import format_instant
from app.repositories import cells, register
from app.repositories.statements import run
from app.services import verification
from app.services.rebuild import rebuild
from app.services.recomputation import recompute, subjects
from app.services.region_projector import KEYFRAME_EVERY, RegionProjector
from tests.builders import a_report
from tests.city import City, a_city, comparable
from tests.conftest import Database

VERBS = ["submitted", "verified", "assigned", "held", "resolved", "reopened", "rejected", "rated"]


def some_reports(chance: random.Random, count: int) -> list[dict[str, Any]]:
    """Make events of a dozen cases, in no order."""
    return [
        a_report(
            chance.choice(VERBS),
            f"L-{chance.randrange(12)}",
            minutes=chance.randrange(-90, 60),
            data={"service": chance.choice(["jalan", "lampu"]), "area": "36.71.05"},
        )
        for _ in range(count)
    ]


async def rebuilt(database: Database, city: City) -> None:
    """Rebuild the city's region as the command does."""
    await rebuild(database.engine, database.url, MemoryBus(), city.clock, "36.71", lambda _: None)


async def test_at_every_rev_the_state_is_the_fold_of_the_log_up_to_its_seq(engine: Engine) -> None:
    chance = random.Random(3)
    async with a_city(engine) as city:
        for _ in range(12):
            await city.post(*some_reports(chance, chance.randint(1, 6)))
            await city.fold()
        document: dict[str, Any] = {}
        for frame in await city.frames():
            document = apply(document, json.loads(frame.patch))
            if frame.seq:
                assert document["apps"] == await _recomputed_apps(city, frame.seq)


async def _recomputed_apps(city: City, seq: int) -> dict[str, Any]:
    async with transaction(city.engine) as connection:
        families = await register.families(connection)
        tenant = (await register.tenants(connection, "36.71"))[0]
        parts = RegionParts(
            tenant.region,
            await cells.load(connection, "36.71", 99, city.clock()),
            families,
        )
        parts.cells.since = city.clock().replace(year=2000)
        runs = [so_far async for so_far, _ in recompute(connection, "36.71", seq, families)]
        parts.cells.apply(runs[-1].cells)
    apps: dict[str, Any] = build(parts, city.clock())["apps"]
    return apps


async def test_frames_are_numbered_without_gaps_and_keyframes_hold_the_state(
    engine: Engine,
) -> None:
    chance = random.Random(5)
    async with a_city(engine) as city:
        for _ in range(KEYFRAME_EVERY + 3):
            await city.post(*some_reports(chance, 1))
            await city.fold()
        frames = await city.frames()
        last = await city.projection()
    assert [frame.rev for frame in frames] == list(range(1, last.rev + 1))
    assert [f.rev for f in frames if f.state is not None] == [1, 1 + KEYFRAME_EVERY]
    document: Any = None
    for frame in frames:
        document = apply(document, json.loads(frame.patch))
        assert frame.state is None or json.loads(frame.state) == document
    assert json.loads(last.state) == document


async def test_a_rebuild_gives_the_same_numbers_under_a_new_epoch(database: Database) -> None:
    async with a_city(database.engine) as city:
        await city.post(*some_reports(random.Random(1), 60))
        before = await city.fold()
        old = await city.projection()
        await rebuilt(database, city)
        after = await city.state()
        new = await city.projection()
        found = await verification.verify(database.engine, "36.71")
        await city.post(*some_reports(random.Random(2), 20))
        await city.fold()
        later = await verification.verify(database.engine, "36.71")
    assert after == before
    assert (new.epoch != old.epoch, new.rev, new.seq) == (True, 1, old.seq)
    assert found.differences == later.differences == []


async def test_a_rebuild_folds_what_the_projector_has_not(database: Database) -> None:
    async with a_city(database.engine) as city:
        await city.post(*some_reports(random.Random(1), 30))
        await city.fold()
        await city.post(*some_reports(random.Random(2), 30))
        await rebuilt(database, city)
        projection = await city.projection()
        state = comparable(await city.state())
        assert comparable(await city.fold()) == state
    assert projection.seq == projection.head == 60


async def test_a_rebuild_leaves_nothing_of_the_old_generation(database: Database) -> None:
    async with a_city(database.engine) as city:
        await city.post(*some_reports(random.Random(1), 30))
        await city.fold()
        await rebuilt(database, city)
        async with transaction(database.engine) as connection:
            for table in ("cases", "gauges", "flows", "source_activity"):
                rows = await run(connection, f"SELECT DISTINCT generation FROM {table}")
                assert [row[0] for row in rows] == [2]


async def test_two_rebuilds_of_a_region_do_not_meet(database: Database) -> None:
    holder = await connect_raw(database.url)
    assert await try_lock(holder, "rebuild:36.71")
    async with a_city(database.engine) as city:
        with pytest.raises(RebuildUnderWay):
            await rebuilt(database, city)
    await holder.close()


@pytest.mark.parametrize(
    ("tampering", "where"),
    [
        ("UPDATE gauges SET n = n + 1 WHERE metric = 'state'", "cell laksa/report/state"),
        ("UPDATE flows SET n = n + 1 WHERE metric = 'opened'", "cell laksa/report/opened"),
        ("UPDATE cases SET service = 'x'", "case laksa/report"),
        ("DELETE FROM cases WHERE case_id = 'L-1'", "case laksa/report/L-1"),
        (
            "INSERT INTO gauges SELECT region, generation, 'siapkerja', 'seeker', metric, key, 1"
            " FROM gauges LIMIT 1",
            "cell siapkerja/seeker",
        ),
        (
            "UPDATE projections SET state = replace(state, '\"open\":1', '\"open\":7')"
            " WHERE region IS NOT NULL",
            "state apps",
        ),
        ("DELETE FROM events WHERE seq = 1", "log:"),
    ],
)
async def test_verify_tells_what_was_tampered_with(
    engine: Engine, tampering: str, where: str
) -> None:
    async with a_city(engine) as city:
        await city.post(a_report("submitted"), a_report("verified", minutes=2))
        await city.fold()
        assert (await verification.verify(engine, "36.71")).differences == []
        async with transaction(engine) as connection:
            await run(connection, tampering)
        found = await verification.verify(engine, "36.71")
    assert any(difference["where"].startswith(where) for difference in found.differences)


@pytest.mark.parametrize("page", [1, 2, 7])
async def test_cases_are_folded_whole_wherever_a_page_of_the_log_ends(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr("app.repositories.statements.PAGE", page)
    async with a_city(engine) as city:
        await city.post(*some_reports(random.Random(4), 60))
        await city.fold()
        async with snapshot(engine) as connection:
            parts = [part async for part in subjects(connection, "36.71", 60)]
        found = await verification.verify(engine, "36.71")
    names = [{(event.app, event.subject) for event in part} for part in parts]
    assert sum(map(len, parts)) == found.events == 60
    assert len(parts) > 1
    assert sum(map(len, names)) == len(set().union(*names)) == found.cases
    assert found.differences == []


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE gauges SET n = 0 WHERE metric = 'state'",
        "UPDATE cases SET state = 'received', open = true, closed_at = NULL, service = 'x'",
        "DELETE FROM events WHERE seq = 2",
    ],
)
async def test_folding_stops_where_numbers_contradict_the_log_and_a_rebuild_heals(
    database: Database, tampering: str
) -> None:
    async with a_city(database.engine) as city:
        await city.post(a_report("submitted"), a_report("resolved", minutes=9))
        await city.fold()
        async with transaction(database.engine) as connection:
            await run(connection, tampering)
        if "events" in tampering:
            # The log lost an event that was not folded: only a gap can show it.
            await city.post(a_report("verified", minutes=10))
            async with transaction(database.engine) as connection:
                await run(connection, "DELETE FROM events WHERE seq = 3")
            await city.post(a_report("verified", minutes=11))
        else:
            await city.post(a_report("verified", minutes=5), a_report("reopened", minutes=12))
        city.restart()
        with pytest.raises(InvariantBroken):
            await city.fold()
        assert (await city.projection()).seq == 2
        if "events" not in tampering:
            await rebuilt(database, city)
            await city.fold()
            assert (await verification.verify(database.engine, "36.71")).differences == []


async def test_a_projector_that_was_replaced_sees_it(engine: Engine) -> None:
    async with a_city(engine) as city:
        one, other = (RegionProjector(engine, "36.71", city.clock) for _ in range(2))
        for turn, projector in enumerate([one, other, one, one, other, other, one]):
            await city.post(a_report("submitted", f"L-{turn}"))
            await projector.step()
        found = await verification.verify(engine, "36.71")
        state = await city.state()
    assert found.differences == []
    assert state["apps"]["laksa"]["report"]["open"] == 7


@pytest.mark.parametrize("seed", range(4))
async def test_what_a_projector_has_in_mind_is_what_the_tables_say(
    engine: Engine, seed: int
) -> None:
    chance = random.Random(seed)
    async with a_city(engine) as city:
        for _ in range(40):
            events = some_reports(chance, chance.randrange(4))
            for event in events:
                due = city.clock.moment + timedelta(minutes=chance.randrange(-90, 90))
                event["data"]["due_at"] = format_instant(due)
            if events:
                await city.post(*events)
            city.clock.move(minutes=chance.choice([0, 1, 20, 40, 300]))
            # The one that has gone on all the time, and one that reads everything now.
            told = await city.fold()
            fresh = RegionProjector(engine, "36.71", city.clock)
            await fresh.step()
            assert await city.state() == told


async def test_a_step_that_fails_leaves_nothing_moved(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_city(engine) as city:
        await city.post(a_report("submitted"))
        await city.fold()
        await city.post(a_report("resolved", minutes=9))

        async def fail(*_: object) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr("app.repositories.frames.advance", fail)
            with pytest.raises(ZeroDivisionError):
                await city.fold()
        assert (await verification.verify(engine, "36.71")).differences == []
        assert (await city.projection()).seq == 1
        state = await city.fold()
    assert state["apps"]["laksa"]["report"]["open"] == 0
