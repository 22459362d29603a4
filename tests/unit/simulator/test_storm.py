"""A flood night: where it falls, what is sent because of it, and the accounts of that."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest

from app.simulator import Event, Options, Source, Summary, simulate
from app.simulator.hours import HOUR, MINUTE
from app.simulator.storm import Kind, StormOutbox, fall_on, sending_of
from app.simulator.times import instant, milliseconds
from tests.unit.simulator.small_server import Server

UNTIL = datetime(2026, 11, 20, 9, tzinfo=UTC)
NOW = milliseconds(UNTIL)
#: Two simulated hours in a fifth of a second.
STORM = Options(rate=120, duration=0.2, speed=36_000, until=UNTIL, storm=True)
AREAS = tuple(f"36.71.{number:02d}" for number in range(1, 14))


def a_report(number: int, verb: str = "submitted") -> Event:
    return {
        "source": "urn:pemda:36.71:laksa",
        "id": f"LK-{number}",
        "type": f"id.go.tangerangkota.laksa.report.{verb}.v1",
        "time": instant(NOW),
    }


def a_source(app: str = "laksa", seed: int = 1, region: str = "36.71") -> Source:
    areas = tuple(area.replace("36.71", region) for area in AREAS)
    return Source(seed, region, app, areas, "Asia/Jakarta", 0.1)


async def run(server: Server, keys: dict[str, str], options: Options = STORM) -> Summary:
    transport = server.transport()
    stop = asyncio.Event()
    return await simulate(options, keys, progress=False, stop=stop, transport=transport)


def told(summary: Summary) -> dict[str, Any]:
    return cast("dict[str, Any]", summary.as_dict()["storm"])


# --- where it falls -------------------------------------------------------------------------------


def test_a_storm_falls_on_neighbouring_kecamatan_of_the_register_by_the_seed_alone() -> None:
    [storm] = fall_on([a_source()], None, NOW)
    assert storm.storm == (NOW // HOUR, NOW // HOUR + 6)
    assert len(storm.storm_areas) == 2
    assert {*storm.storm_areas} < {*AREAS}
    assert fall_on([a_source()], None, NOW) == [storm]
    seeds = {fall_on([a_source(seed=seed)], None, NOW)[0].storm_areas for seed in range(20)}
    assert len(seeds) > 5


def test_a_storm_falls_where_it_was_asked_to_and_on_no_other_app() -> None:
    sources = [a_source(), a_source("perizinan"), a_source(region="33.28")]
    storm = fall_on(sources, ["36.71.05", "36.71.01"], NOW)
    assert [source.storm_areas for source in storm] == [("36.71.01", "36.71.05"), (), ()]
    assert storm[1] == sources[1]


@pytest.mark.parametrize(
    ("app", "wanted"),
    [("laksa", ["36.71.99"]), ("laksa", ["33.28.01"]), ("perizinan", None)],
)
def test_a_storm_that_can_fall_nowhere_is_refused(app: str, wanted: list[str] | None) -> None:
    with pytest.raises(ValueError, match="kecamatan"):
        fall_on([a_source(app)], wanted, NOW)


# --- how it is sent -------------------------------------------------------------------------------


def test_a_report_is_sent_in_one_of_five_ways_that_follows_from_its_name() -> None:
    sendings = [sending_of(a_report(number)) for number in range(4_000)]
    assert sendings == [sending_of(a_report(n) | {"time": "later"}) for n in range(4_000)]
    kinds = Counter(sending.kind for sending in sendings)
    assert kinds[Kind.LATE] == pytest.approx(800, rel=0.15)
    assert kinds[Kind.AT_ONCE] == pytest.approx(600, rel=0.15)
    assert kinds[Kind.LOST_ANSWER] == pytest.approx(400, rel=0.2)
    repeated = [sending for sending in sendings if sending.again]
    assert len(repeated) == pytest.approx(1_000, rel=0.15)
    assert {len(sending.again) for sending in repeated} == {1, 2, 3, 4}
    assert {sending_of(a_report(n, "verified")).kind for n in range(100)} == {Kind.FIRST}


def test_what_waited_for_the_network_comes_together_and_an_hour_or_more_after_it_happened() -> None:
    outbox = StormOutbox()
    for number in range(500):
        outbox.put(NOW + number * 100 + 1, a_report(number))
    at_once = outbox.due(NOW + MINUTE)
    assert Kind.LATE not in at_once
    late = outbox.due(NOW + 2 * MINUTE)[Kind.LATE]
    assert len(late) > 70
    for event in late:
        waited = datetime.fromisoformat(str(event["recordedtime"])) - datetime.fromisoformat(
            str(event["time"])
        )
        assert timedelta(hours=1) <= waited < timedelta(hours=3)
    assert outbox.due(None).keys() <= {Kind.AGAIN}


# --- a run ----------------------------------------------------------------------------------------


async def test_a_storm_tells_what_was_sent_and_what_was_answered(
    server: Server, keys: dict[str, str]
) -> None:
    summary = await run(server, keys)
    storm = told(summary)
    sent, receipts = storm["sent"], storm["receipts"]
    assert min(sent.values()) > 0
    assert storm["late_batches"] > 0
    assert summary.conflicts == summary.rejected == 0
    # Each of two posts at the same moment has its answer; of two after a loss only the second.
    assert receipts["at_once"] == {"accepted": sent["at_once"], "duplicate": sent["at_once"]}
    assert receipts["lost_answer"] == {"duplicate": sent["lost_answer"]}
    assert receipts["again"] == {"duplicate": sent["again"]}
    assert receipts["late"] == {"accepted": sent["late"]}
    assert receipts["first"] == {"accepted": sent["first"]}
    assert summary.posted == summary.accepted + summary.duplicates
    assert len(server.deliveries) == summary.posted + sent["lost_answer"]
    assert len(server.log) == summary.accepted + sent["lost_answer"]
    flooded = {
        cast("dict[str, Any]", event["data"]).get("area")
        for event in server.log.values()
        if "-f" in event["id"] and event["type"].endswith("submitted.v1")
    }
    assert flooded == {*storm["areas"]}


async def test_the_same_seed_gives_the_same_storm(keys: dict[str, str]) -> None:
    logs = []
    for _ in range(2):
        server = Server()
        await run(server, keys, replace(STORM, storm_areas=["36.71.02"]))
        logs.append(
            {
                name: {member: v for member, v in event.items() if member != "recordedtime"}
                for name, event in server.log.items()
            }
        )
    assert logs[0] == logs[1]
    assert len(logs[0]) > 100


async def test_a_full_server_is_asked_again_when_it_said_and_nothing_is_lost(
    server: Server, keys: dict[str, str]
) -> None:
    calm = Server()
    await run(calm, keys)
    refusals = [httpx.Response(status, headers={"Retry-After": "0"}) for status in (503, 429)]

    def once() -> None:
        """When the storm has begun, have the next posts meet refusals and a broken line."""
        server.on_post = lambda: None
        server.answers.extend([*refusals, httpx.ConnectError("away")])

    server.on_post = once
    summary = await run(server, keys)
    assert summary.retries >= 1
    assert server.answers == []
    assert server.log.keys() == calm.log.keys()
    assert summary.conflicts == summary.rejected == 0


async def test_without_a_storm_nothing_is_told_of_one(server: Server, keys: dict[str, str]) -> None:
    summary = await run(server, keys, replace(STORM, storm=False))
    assert "storm" not in summary.as_dict()
