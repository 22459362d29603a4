"""Bringing in old events: interrupted anywhere, twice, beside what is live."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.bus import LOG, MemoryBus
from app.database import Engine, transaction
from app.domain.errors import DatabaseAway, MalformedJson
from app.domain.events import MISSING, Candidate
from app.domain.times import format_instant
from app.repositories import cells, event_log, frames, quarantine
from app.services import backfill as module
from app.services import backfill_pace, verification
from app.services.backfill import Backfill, Entry, Refusal
from app.services.backfill_pace import Pace
from tests.builders import NOW, a_report, an_event
from tests.city import City, Hands, a_city, comparable
from tests.overheard import statements

LAKSA = "urn:pemda:36.71:laksa"
TEGAL = "urn:pemda:33.28:laksa"
Log = list[tuple[Any, ...]]


class Killed(Exception):
    """What a kill is to the process that it hits: nothing after it happens."""


@dataclass
class Time:
    """A clock that moves when somebody waits."""

    now: float = 1_000.0
    pauses: list[float] = field(default_factory=list)
    on_pause: Callable[[], None] = lambda: None

    def ticks(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        self.on_pause()


def entries(events: Sequence[dict[str, Any]]) -> list[Entry]:
    """Return events as a file has them, one a line."""
    found = []
    for line, event in enumerate(events, 1):
        members = dict(event)
        data = members.pop("data", MISSING)
        found.append(Entry(line, Candidate(members, data)))
    return found


def an_import(engine: Engine, *, clock: Hands | None = None, register: bool = False) -> Backfill:
    """Make an import that waits without time passing."""
    bus, time = MemoryBus(), Time()
    pace = Pace(engine, bus, ticks=time.ticks, pause=time.pause)
    return Backfill(
        engine, bus, clock or Hands(), register_sources=register, pace=pace, pause=time.pause
    )


async def imported(
    engine: Engine, events: Sequence[dict[str, Any]], *, register: bool = False
) -> tuple[Backfill, list[Refusal]]:
    """Run an import to its end."""
    done = an_import(engine, register=register)
    await done.begin()
    return done, await done.take(entries(events))


async def log_of(engine: Engine) -> Log:
    """Return all that the log holds, region by region."""
    async with transaction(engine) as connection:
        rows = await connection.execute(text("SELECT * FROM events ORDER BY region, seq"))
        return [tuple(row) for row in rows]


async def empty(engine: Engine) -> None:
    """Take all events away again."""
    async with transaction(engine) as connection:
        await connection.execute(text("TRUNCATE events"))
        await connection.execute(text("UPDATE region_logs SET head = 0"))


def old_events(count: int = 60) -> list[dict[str, Any]]:
    """Make a year's reports of two regions, some of them twice."""
    events = []
    for number in range(count):
        urn = LAKSA if number % 3 else TEGAL
        verb = ("submitted", "verified", "resolved")[number % 3]
        at = NOW - timedelta(days=300) + timedelta(hours=7 * number)
        case = f"OLD-{number // 6}-{urn[-11:-6]}"
        events.append(
            an_event(
                id=f"old-{number}",
                source=urn,
                type=f"id.go.tangerangkota.laksa.report.{verb}.v1",
                subject=case,
                time=format_instant(at),
                data={"service": "jalan", "summary": "Hubungi 081234567890"},
            )
        )
    return [*events, events[3], events[10]]


# --- once, twice, and interrupted -----------------------------------------------------------------


@pytest.mark.parametrize("place", ["before the commit", "after the commit"])
@pytest.mark.parametrize("groups", [0, 1, 4, 7])
async def test_an_import_that_was_killed_and_started_again_leaves_the_log_of_one_run(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, groups: int, place: str
) -> None:
    monkeypatch.setattr(module, "GROUP", 7)
    events = old_events()
    await imported(engine, events)
    expected = await log_of(engine)
    assert len(expected) == 60
    await empty(engine)
    append, left = event_log.append, [groups]

    async def until_killed(*given: Any) -> Any:
        if not left[0] and place == "before the commit":
            raise Killed
        answer = await append(*given)
        if not left[0]:
            raise Killed
        left[0] -= 1
        return answer

    monkeypatch.setattr(event_log, "append", until_killed)
    with pytest.raises(Killed):
        await imported(engine, events)
    monkeypatch.setattr(event_log, "append", append)
    assert len(await log_of(engine)) < len(expected)
    again, refused = await imported(engine, events)
    assert await log_of(engine) == expected
    assert refused == []
    assert again.tally.accepted + again.tally.duplicates == len(events)


async def test_a_group_is_one_statement_so_that_it_can_be_a_transaction_by_itself(
    engine: Engine,
) -> None:
    # Numbering and inserting in two statements would leave gaps here, where each commits.
    with statements(engine) as asked:
        await imported(engine, old_events(30)[:30])
    writing = [one for one in asked if "append_events" in one or "INSERT" in one.upper()]
    assert len(writing) == 1
    async with transaction(engine) as connection:
        assert len(await event_log.feed(connection, "36.71", 0, 100)) == 20


async def test_the_same_file_twice_changes_nothing(engine: Engine) -> None:
    events = old_events()
    await imported(engine, events)
    before = await log_of(engine)
    again, refused = await imported(engine, events)
    assert await log_of(engine) == before
    assert (again.tally.accepted, again.tally.duplicates, refused) == (0, len(events), [])


async def test_a_file_that_is_known_is_not_brought_to_the_door(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await imported(engine, old_events())

    async def closed(*_: Any) -> None:
        raise AssertionError("the regions' locks are for what is new")

    monkeypatch.setattr(event_log, "append", closed)
    again, _ = await imported(engine, old_events())
    assert again.tally.duplicates == len(old_events())


async def test_what_our_own_feed_tells_is_there_already_though_it_is_masked(
    engine: Engine,
) -> None:
    events = old_events()
    await imported(engine, events)
    async with transaction(engine) as connection:
        told = await event_log.feed(connection, "36.71", 0, 100)
    lines = [json.loads(line) for _, line in told]
    assert lines
    assert all("081234567890" not in line for _, line in told)
    again, refused = await imported(engine, lines)
    assert (again.tally.duplicates, refused) == (len(lines), [])


async def test_a_database_that_is_away_for_a_while_is_waited_for(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, failures = event_log.append, [3]

    async def at_last(*given: Any) -> Any:
        if failures[0]:
            failures[0] -= 1
            raise DatabaseAway("away")
        return await append(*given)

    monkeypatch.setattr(event_log, "append", at_last)
    done, refused = await imported(engine, old_events())
    assert (done.tally.accepted, failures, refused) == (60, [0], [])


async def test_a_database_that_stays_away_ends_the_import(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any) -> Any:
        raise DatabaseAway("away")

    monkeypatch.setattr(event_log, "append", never)
    with pytest.raises(DatabaseAway):
        await imported(engine, old_events())


# --- what is refused ------------------------------------------------------------------------------


async def test_each_refused_line_is_told_by_number_and_problem_and_never_by_value(
    engine: Engine,
) -> None:
    good = an_event(id="good")
    bad = [
        Entry(2, MalformedJson("the body is not JSON")),
        *entries([an_event(id="far", data={"service": "jalan", "area": "99.99.99"})]),
        *entries([an_event(id="good", subject="other")]),
        *entries([an_event(id="who", source="urn:pemda:33.28:rahasia")]),
    ]
    numbered = [*entries([good]), *(Entry(2 + n, one.event) for n, one in enumerate(bad))]
    run = an_import(engine)
    await run.begin()
    refused = await run.take(numbered)
    assert [(one.line, one.problem, one.id) for one in refused] == [
        (2, "malformed-json", None),
        (3, "area-unknown", "far"),
        (4, "content-conflict", "good"),
        (5, "unknown-source", "who"),
    ]
    assert all("99.99.99" not in one.detail for one in refused)
    assert (run.tally.accepted, run.tally.refused) == (1, 4)
    assert run.tally.problems == Counter(one.problem for one in refused)
    async with transaction(engine) as connection:
        kept = await quarantine.listed(connection, "36.71", LAKSA, None, 10)
    assert [entry.problem for entry in kept] == ["area-unknown"]


async def test_an_unknown_source_is_registered_only_where_that_was_asked_for(
    engine: Engine,
) -> None:
    urns = ["urn:pemda:33.28:damkar", "urn:pemda:3328:damkar", "urn:pemda:99.99:laksa", "rahasia"]
    type_ = "id.go.tangerangkota.damkar.transaction.started.v1"
    events = [an_event(source=urn, type=type_, data=None) for urn in urns]
    first, _ = await imported(engine, events)
    assert (first.tally.rejected, first.tally.registered) == (4, [])
    assert first.tally.unknown_sources == set(urns)
    second, _ = await imported(engine, events, register=True)
    assert (second.tally.accepted, second.tally.registered) == (1, urns[:1])


# --- what it does to the numbers ------------------------------------------------------------------


async def flows(engine: Engine) -> Counter[tuple[str, datetime]]:
    """Return what happened when in Kota Tangerang, by metric and hour."""
    async with transaction(engine) as connection:
        kept = await cells.flows(connection, "36.71", 1)
    return Counter({(key.metric, key.hour): n for key, n in kept.items()})


async def a_live_morning(city: City) -> dict[str, Any]:
    """Let the city live a little, and return the state."""
    await city.post(*(a_report("submitted", f"L-{n}", minutes=n) for n in range(5)))
    await city.post(a_report("resolved", "L-1", minutes=20))
    return await city.fold()


async def test_history_is_restated_and_today_is_not_touched(engine: Engine) -> None:
    async with a_city(engine) as city:
        today = await a_live_morning(city)
        before = await flows(engine)
        events = [event for event in old_events() if event["source"] == LAKSA]
        await imported(engine, events)
        state = await city.fold()
        assert comparable(state)["events_today"] == today["events_today"]
        report, was = (one["apps"]["laksa"]["report"] for one in (state, today))
        assert report["today"] == was["today"]
        assert state["hours"] == today["hours"]
        assert sum(report["by_state"].values()) > sum(was["by_state"].values())
        new = await flows(engine)
        new.subtract(before)
        hours = {hour for (_, hour), n in new.items() if n}
        assert (
            hours
            == {datetime.fromisoformat(event["time"]).replace(minute=0) for event in events} & hours
        )
        assert hours
        assert max(hours) < NOW - timedelta(days=200)
        found = await verification.verify(engine, "36.71")
        assert found.differences == []


async def test_an_event_of_today_counts_today(engine: Engine) -> None:
    async with a_city(engine) as city:
        today = await a_live_morning(city)
        await imported(engine, [a_report("submitted", "L-9", minutes=30)])
        state = await city.fold()
        reports = [one["apps"]["laksa"]["report"]["today"]["opened"] for one in (today, state)]
        assert reports == [5, 6]


async def test_a_source_of_which_only_the_past_was_brought_in_does_not_look_live(
    engine: Engine,
) -> None:
    async with a_city(engine) as city:
        events = [event for event in old_events() if event["source"] == LAKSA]
        await imported(engine, events)
        line = (await city.fold())["sources"][LAKSA]
        newest = max(event["time"] for event in events)
        assert line["status"] == "silent"
        assert datetime.fromisoformat(line["last_event_at"]) == datetime.fromisoformat(newest)
        assert line["today"] == 0
        await city.post(a_report("submitted"))
        line = (await city.fold())["sources"][LAKSA]
        assert (line["status"], line["today"]) == ("live", 1)


async def test_a_source_that_lives_was_heard_no_later_for_an_import(engine: Engine) -> None:
    async with a_city(engine) as city:
        lived = (await a_live_morning(city))["sources"][LAKSA]
        city.clock.move(hours=3)
        await imported(engine, old_events())
        assert (await city.fold())["sources"][LAKSA] == lived


# --- giving way -----------------------------------------------------------------------------------


@dataclass
class Fed:
    """A pace whose time is in hand, on a log whose ends are set by hand."""

    engine: Engine
    time: Time
    rung: list[set[str]]
    pace: Pace

    async def grown(self, region: str, events: int) -> None:
        """Let a region's log grow, whoever it was."""
        async with transaction(self.engine) as connection:
            await connection.execute(
                text("UPDATE region_logs SET head = head + :n WHERE region = :r"),
                {"n": events, "r": region},
            )

    async def folded(self, region: str, events: int) -> None:
        """Let so many more events be folded."""
        async with transaction(self.engine) as connection:
            await connection.execute(
                text("UPDATE projections SET seq = seq + :n WHERE region = :r"),
                {"n": events, "r": region},
            )

    async def took(self, region: str, events: int, seconds: float = 0.05) -> list[float]:
        """Bring events in, and return the pauses that were made after it."""
        await self.grown(region, events)
        self.time.now += seconds
        before = len(self.time.pauses)
        await self.pace.give_way({region: events})
        return self.time.pauses[before:]


@pytest.fixture
async def fed(engine: Engine) -> Fed:
    bus, time = MemoryBus(), Time()
    rung: list[set[str]] = []
    bus.listen(LOG, rung.append)
    pace = Pace(engine, bus, ticks=time.ticks, pause=time.pause)
    await pace.begin()
    return Fed(engine, time, rung, pace)


async def test_where_nobody_else_posts_nothing_is_waited_for(fed: Fed) -> None:
    for _ in range(8):
        assert await fed.took("36.71", 100) == []
    assert fed.rung == []


async def test_while_others_post_it_rests_longer_than_it_works(fed: Fed) -> None:
    await fed.grown("33.28", 1)
    [rest] = await fed.took("36.71", 10, 0.5)
    assert rest == pytest.approx(0.5 * backfill_pace.REST_LIVE)
    assert fed.pace.is_live
    fed.time.now += backfill_pace.LIVE_FOR_S
    assert await fed.took("36.71", 10) == []
    assert not fed.pace.is_live


async def test_it_rings_and_waits_while_the_projectors_are_behind(
    fed: Fed, monkeypatch: pytest.MonkeyPatch
) -> None:
    standings, looks = frames.standings, [0]

    async def folding(connection: Any) -> Any:
        looks[0] += 1
        if looks[0] == 4:
            await connection.execute(
                text("UPDATE projections SET seq = seq + 900 WHERE region = '36.71'")
            )
        return await standings(connection)

    monkeypatch.setattr(frames, "standings", folding)
    pauses = await fed.took("36.71", backfill_pace.BACKLOG_QUIET + 1)
    assert pauses == [backfill_pace.WAIT_S] * 3
    assert fed.rung == [{"36.71"}] * 3


async def test_a_projector_that_does_not_run_is_not_waited_for_without_end(fed: Fed) -> None:
    pauses = await fed.took("36.71", 5_000)
    assert sum(pauses) == pytest.approx(backfill_pace.STALLED_AFTER_S, abs=0.2)
    assert await fed.took("36.71", 5_000) == []
    # It runs again, and is waited for again.
    await fed.folded("36.71", 1)
    assert await fed.took("36.71", 5_000) != []


async def test_what_was_not_rung_for_is_rung_for_at_the_end(fed: Fed) -> None:
    await fed.took("36.71", 3)
    fed.pace.finish()
    assert fed.rung == [{"36.71"}]
