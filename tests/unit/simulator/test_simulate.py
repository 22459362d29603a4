"""A run against a small server: posts, retries, accounts."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import httpx
import pytest

from app.simulator import Options, Summary, simulate
from app.simulator.delivery import Mode
from app.simulator.poster import Poster, encode, pause_of
from tests.unit.simulator.small_server import Server

UNTIL = datetime(2026, 11, 20, 9, tzinfo=UTC)
#: Ten simulated hours in a third of a second.
SHORT = Options(rate=900, duration=0.3, speed=120_000, until=UNTIL)


async def run(
    server: Server,
    keys: dict[str, str],
    options: Options = SHORT,
    stop: asyncio.Event | None = None,
) -> Summary:
    return await simulate(
        options,
        keys,
        progress=False,
        stop=stop or asyncio.Event(),
        transport=server.transport(),
    )


async def test_the_same_seed_posts_the_same_events_however_they_are_paced(
    keys: dict[str, str],
) -> None:
    logs = []
    for rate, duration in ((900, 0.3), (450, 0.6)):
        server = Server()
        await run(
            server,
            keys,
            replace(SHORT, rate=rate, duration=duration, speed=120_000 * 0.3 / duration),
        )
        logs.append(server.log)
    assert logs[0] == logs[1]
    assert len(logs[0]) > 150


async def test_the_accounts_agree_with_the_server(server: Server, keys: dict[str, str]) -> None:
    summary = await run(server, keys)
    assert summary.posted == len(server.deliveries)
    assert summary.accepted == len(server.log) == sum(summary.by_region.values())
    assert summary.posted == summary.accepted + summary.duplicates
    assert summary.conflicts == summary.rejected == 0
    told = summary.as_dict()
    assert told["seed"] == SHORT.seed
    assert told["by_region"] == dict(
        sorted(Counter(source.split(":")[2] for source, _ in server.log).items())
    )


async def test_a_run_of_given_length_has_the_rate_asked_for(
    server: Server, keys: dict[str, str]
) -> None:
    await run(server, keys)
    of_cases = sum("heartbeat" not in event["type"] for event in server.log.values())
    assert of_cases == pytest.approx(900 * 0.3, rel=0.25)


async def test_nothing_lies_outside_the_run_and_nothing_in_the_future(
    server: Server, keys: dict[str, str]
) -> None:
    await run(server, keys)
    times = [datetime.fromisoformat(event["time"]) for event in server.deliveries]
    assert min(times) >= UNTIL - timedelta(hours=10)
    assert max(times) < UNTIL


async def test_every_case_is_posted_from_its_opening_on(
    server: Server, keys: dict[str, str]
) -> None:
    await run(server, keys, replace(SHORT, history=12))
    steps = defaultdict(set)
    for (source, _), event in server.log.items():
        if "subject" in event:
            kind = event["type"].split(".")[4]
            steps[source, kind, event["subject"]].add(int(event["id"][-2:]))
    assert len(steps) > 50
    assert max(map(len, steps.values())) > 4
    assert all(numbers == set(range(1, len(numbers) + 1)) for numbers in steps.values())


async def test_all_three_modes_are_used(server: Server, keys: dict[str, str]) -> None:
    await run(server, keys)
    media = Counter(server.types)
    assert media.keys() == {
        "application/cloudevents-batch+json",
        "application/cloudevents+json",
        "application/json",
    }


async def test_only_the_regions_and_apps_asked_for_take_part(
    server: Server, keys: dict[str, str]
) -> None:
    await run(server, keys, replace(SHORT, regions=["36.71"], apps=["laksa"]))
    assert {source for source, _ in server.log} == {"urn:pemda:36.71:laksa"}


async def test_a_run_without_a_key_for_any_source_says_so(server: Server) -> None:
    with pytest.raises(ValueError, match="no source"):
        await run(server, {})


async def test_a_wrong_key_is_told_by_the_type_of_its_problem(
    server: Server, keys: dict[str, str]
) -> None:
    keys["urn:pemda:13.74:laksa"] = "key-of-another"
    summary = await run(server, keys)
    assert summary.rejected == summary.problems["source-forbidden"] > 0
    assert summary.accepted == len(server.log) > 0


async def test_a_server_that_starts_later_is_waited_for(
    server: Server, keys: dict[str, str]
) -> None:
    server.answers = [httpx.ConnectError("refused"), httpx.ConnectError("refused")]
    summary = await run(server, keys)
    assert summary.accepted == len(server.log) > 0


async def test_an_answer_lost_on_the_way_is_asked_for_again_with_the_same_ids(
    server: Server, keys: dict[str, str]
) -> None:
    lost = iter([True] * 3)

    def lose() -> None:
        if next(lost, False):
            raise httpx.ReadError("lost")

    server.on_post = lose
    summary = await run(server, keys)
    assert summary.retries == 3
    assert summary.accepted == len(server.log)
    assert summary.conflicts == 0


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_an_overloaded_server_is_asked_again(
    status: int, server: Server, keys: dict[str, str]
) -> None:
    server.answers = [httpx.Response(status, headers={"Retry-After": "0"})]
    summary = await post_one(server, keys)
    assert (summary.retries, summary.posted, summary.accepted) == (1, 1, 1)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.Response(401, json={"type": "unknown-key"}), id="a problem"),
        pytest.param(httpx.Response(500, text="<html>"), id="no JSON"),
        pytest.param(httpx.Response(400, json=[]), id="no object"),
    ],
)
async def test_an_answer_without_receipts_rejects_what_was_sent(
    answer: httpx.Response, server: Server, keys: dict[str, str]
) -> None:
    server.answers = [answer]
    summary = await post_one(server, keys)
    assert (summary.retries, summary.rejected, summary.accepted) == (0, 1, 0)
    assert sum(summary.problems.values()) == 1


async def post_one(server: Server, keys: dict[str, str]) -> Summary:
    summary = Summary(1)
    urn = "urn:pemda:36.71:laksa"
    async with httpx.AsyncClient(transport=server.transport(), base_url="http://city") as client:
        poster = Poster(client, keys[urn], "36.71", summary, asyncio.Event())
        await poster.post([{"source": urn, "id": "1", "data": {}}])
    return summary


async def test_a_run_ends_at_once_while_the_server_is_away(
    server: Server, keys: dict[str, str]
) -> None:
    stop = asyncio.Event()

    def go_away() -> None:
        if len(server.log) > 20:
            stop.set()
            raise httpx.ConnectError("refused")

    server.on_post = go_away
    async with asyncio.timeout(60):
        summary = await run(server, keys, replace(SHORT, duration=3_600, speed=10), stop)
    assert summary.posted >= 20


async def test_a_signal_ends_an_endless_run_in_order(server: Server, keys: dict[str, str]) -> None:
    def interrupt() -> None:
        if len(server.log) > 20:
            os.kill(os.getpid(), signal.SIGTERM)

    server.on_post = interrupt
    async with asyncio.timeout(60):
        summary = await simulate(
            Options(rate=0.05, history=6), keys, progress=False, transport=server.transport()
        )
    assert summary.accepted == len(server.log) > 20
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


async def test_an_endless_run_makes_up_for_what_was_missed(
    server: Server, keys: dict[str, str]
) -> None:
    now = datetime.now(UTC)
    urn = "urn:pemda:36.71:laksa"
    server.heard = {urn: (now - timedelta(days=1)).isoformat()}
    stop = asyncio.Event()
    # So little happens that the missed day is one batch.
    server.on_post = stop.set
    options = Options(rate=0.001, apps=["laksa"], regions=["36.71"])
    await run(server, keys, options, stop)
    times = [str(event["time"]) for event in server.log.values()]
    assert len({time[:13] for time in times}) >= 24
    assert max(times) <= datetime.now(UTC).isoformat()


def test_retry_after_is_honoured_in_seconds_and_as_a_date_and_never_for_hours() -> None:
    def pause(value: str) -> float:
        return pause_of(httpx.Response(503, headers={"Retry-After": value}), 0, Random(1))

    assert 7 <= pause("7") < 7.5
    assert pause("Wed, 21 Oct 2015 07:28:00 GMT") < 0.5
    assert pause("86400") < 61
    assert pause("soon") < 0.5


def test_pauses_double_up_to_ten_seconds() -> None:
    pauses = [pause_of(None, attempt, Random(1)) for attempt in (0, 1, 2, 3, 10, 5_000)]
    assert pauses == sorted(pauses)
    assert pauses[-1] <= 10


def test_binary_mode_puts_attributes_into_headers_and_encodes_what_they_cannot_carry() -> None:
    request = encode([{"id": 'é "1"', "sequence": "2", "data": {"a": "é"}}], Mode.BINARY)
    assert request.headers == {
        "ce-id": "%C3%A9%20%221%22",
        "ce-sequence": "2",
        "Content-Type": "application/json",
    }
    assert request.body == '{"a":"é"}'.encode()
