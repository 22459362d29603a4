"""Many at once: several processes, shared transactions, quotas, and too much of it all."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from app import metrics
from app.database import Connection, make_engine, transaction
from app.domain.errors import DatabaseAway
from app.domain.events import Submission
from app.repositories import event_log
from app.repositories.event_log import Appended
from app.repositories.statements import run
from app.services.group_commit import GroupCommit
from tests.api.client import Api, Place, check_problem, outcomes
from tests.api.conftest import Installation, MakePlace, make_place
from tests.api.databases import a_copy
from tests.api.ledger import Lost, Receipts, following
from tests.api.running import Role, api_here
from tests.api.waiting import SOON, eventually, soon

#: Whoever comes has his turn, so that all of a test's requests meet before the log.
EVERYBODY_AT_ONCE = patch.multiple(
    "app.services.admission", TURNS=10_000, SHORT_IN_COMPANY=10_000, LONG_IN_COMPANY=10_000
)


@asynccontextmanager
async def caller(base: str, key: str | None) -> AsyncIterator[Api]:
    """Call an api of the test's own."""
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(
        base_url=base, timeout=SOON, trust_env=False, limits=limits
    ) as web:
        yield Api(web, key)


async def insist(api: Api, events: Sequence[dict[str, Any]]) -> httpx.Response:
    """Post a batch, again while there is no turn for it."""
    while True:
        answer = await api.batch(*events)
        if answer.status_code != 503:
            return answer


# --- several processes (G2) --------------------------------------------------------------


async def test_the_same_events_at_the_same_instant_in_two_processes_are_kept_once(
    installation: Installation, second_api: Role, places: MakePlace
) -> None:
    mine = [await places() for _ in range(3)]
    chance = random.Random(7)
    receipts = {place.region: Receipts() for place in mine}
    statuses: list[int] = []
    async with (
        caller(installation.api.base, None) as first,
        caller(second_api.base, None) as second,
    ):

        async def post(place: Place, events: list[dict[str, Any]]) -> None:
            answers = await asyncio.gather(
                *(insist(Api(api.http, place.key), events) for api in (first, second, first))
            )
            for answer in answers:
                statuses.append(answer.status_code)
                receipts[place.region].note(answer)

        work = []
        for place in mine:
            events = [place.event() for _ in range(120)]
            while events:
                size = min(len(events), chance.choice([1, 1, 2, 7, 20]))
                work.append(post(place, [events.pop() for _ in range(size)]))
        chance.shuffle(work)
        await asyncio.gather(*work)
        for place in mine:
            feed = await Api(first.http, place.key).feed(place.region)
            assert len(feed) == 120
            receipts[place.region].check(feed)
            assert len(receipts[place.region].acknowledged) == 120
    assert set(statuses) == {202}


async def test_large_batches_sent_again_and_again_keep_one_of_each(
    installation: Installation, place: Place, places: MakePlace
) -> None:
    other = await places()
    receipts = Receipts(), Receipts()
    async with caller(installation.api.base, place.key) as api:
        theirs = Api(api.http, other.key)
        events = [place.event() for _ in range(300)]
        for start in (0, 0, 100, 100, 200, 0):
            first, second = await asyncio.gather(
                api.batch(*events[start : start + 100]),
                theirs.batch(*(other.event() for _ in range(100))),
            )
            assert first.status_code == second.status_code == 202
            receipts[0].note(first)
            receipts[1].note(second)
        # Known and new ones in one batch, while the way in bulk is tried again.
        for _ in range(15):
            receipts[0].note(await api.batch(*events[-40:], *(place.event() for _ in range(40))))
        receipts[0].check(await api.feed(place.region))
        receipts[1].check(await theirs.feed(other.region))
        assert len(receipts[0].acknowledged) == 900
        assert len(receipts[1].acknowledged) == 600


async def test_two_contents_under_one_id_at_the_same_instant_keep_one(
    installation: Installation, second_api: Role, place: Place
) -> None:
    async with (
        caller(installation.api.base, place.key) as first,
        caller(second_api.base, place.key) as second,
    ):
        for _ in range(10):
            event = place.event()
            answers = await asyncio.gather(
                first.send(event), second.send(event | {"subject": "L-other"})
            )
            found = sorted(outcome for answer in answers for outcome in outcomes(answer))
            assert found == ["accepted", "conflict"]
            assert len({answer.json()["receipts"][0]["seq"] for answer in answers}) == 1
        assert len(await first.feed(place.region)) == 10


# --- group commit ------------------------------------------------------------------------


class Gate:
    """Stands before the log: holds every transaction until it is opened."""

    def __init__(self, spoiled_by: str | None = None) -> None:
        self.groups: list[list[str]] = []
        self._spoiled_by = spoiled_by
        self._opened = asyncio.Event()
        self._append = event_log.append

    async def append(
        self,
        connection: Connection,
        events: Sequence[Submission],
        received_at: Sequence[datetime],
    ) -> list[Appended]:
        """Append as the log does, but fail for every group with the spoiling event."""
        self.groups.append([event.id for event in events])
        await asyncio.wait_for(self._opened.wait(), SOON)
        if any(event.id == self._spoiled_by for event in events):
            # What PostgreSQL says of a value that no check of ours foresaw.
            await run(connection, "SELECT 1 / 0")
        return await self._append(connection, events, received_at)

    def open(self) -> None:
        """Let all through."""
        self._opened.set()


async def test_a_poisonous_request_fails_no_stranger_of_its_group(
    installation: Installation, place: Place, places: MakePlace
) -> None:
    stranger = await places()
    gate = Gate(spoiled_by="poison")
    with (
        patch("app.services.group_commit.event_log.append", gate.append),
        patch("app.services.group_commit.PATIENCE_S", SOON),
        EVERYBODY_AT_ONCE,
    ):
        async with api_here(installation.url) as base, caller(base, None) as api:
            mine, theirs = Api(api.http, place.key), Api(api.http, stranger.key)
            posts = []
            # The committer has one, so that the rest gather.
            posts.append(asyncio.create_task(mine.send(place.event())))
            await soon(lambda: len(gate.groups) == 1, "one is at the gate")
            poison = asyncio.create_task(mine.send(place.event(id="poison")))
            posts += [asyncio.create_task(mine.send(place.event())) for _ in range(8)]
            posts += [asyncio.create_task(theirs.send(stranger.event())) for _ in range(8)]
            await soon(lambda: waiting_events() >= 18, "all wait")
            gate.open()
            answers = await asyncio.gather(*posts)
            check_problem(await poison, 500, "internal-error")
    assert {answer.status_code for answer in answers} == {202}
    shared = next(group for group in gate.groups if "poison" in group)
    assert len(shared) == 17
    async with caller(installation.api.base, place.key) as api:
        assert [event["seq"] for event in await api.feed(place.region)] == list(range(1, 10))
        again = await Api(api.http, stranger.key).feed(stranger.region)
        assert [event["seq"] for event in again] == list(range(1, 9))


def waiting_events() -> float:
    """Return how many events wait for their commit in this process."""
    value: float = metrics.PENDING._value.get()
    return value


async def test_single_events_wait_not_for_long_for_a_transaction_that_stands_still(
    installation: Installation, place: Place, places: MakePlace
) -> None:
    stranger = await places()
    gate = Gate()
    with patch("app.services.group_commit.event_log.append", gate.append), EVERYBODY_AT_ONCE:
        async with api_here(installation.url) as base, caller(base, place.key) as api:
            held = asyncio.create_task(api.send(place.event()))
            await soon(lambda: len(gate.groups) == 1, "one stands at the gate")
            posts = [asyncio.create_task(Api(api.http, stranger.key).send(stranger.event()))]

            async def another_goes() -> bool:
                # Each asks anew; the gate is reached once one has waited for long enough.
                posts.append(asyncio.create_task(api.send(place.event())))
                return len(gate.groups) == 2

            await eventually(another_goes, "another is at the gate beside it")
            gate.open()
            assert (await held).status_code == 202
            assert {answer.status_code for answer in await asyncio.gather(*posts)} == {202}


async def test_more_than_can_be_answered_in_time_is_503_and_safe_to_send_again(
    installation: Installation, place: Place
) -> None:
    gate = Gate()
    with (
        patch("app.services.group_commit.event_log.append", gate.append),
        patch("app.services.group_commit.PENDING_LIMIT", 10),
    ):
        async with api_here(installation.url) as base, caller(base, place.key) as api:
            waiting = [place.event() for _ in range(10)]
            first = asyncio.create_task(api.batch(*waiting))
            await soon(lambda: len(gate.groups) == 1, "the first is at the gate")
            refused = place.event()
            answer = await api.send(refused)
            check_problem(answer, 503, "overloaded")
            assert int(answer.headers["retry-after"]) >= 1
            gate.open()
            assert (await first).status_code == 202
            assert outcomes(await api.send(refused)) == ["accepted"]


async def test_a_request_works_in_turns_with_others(
    installation: Installation, place: Place
) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with api_here(installation.url) as base, caller(base, place.key) as api:
        with patch("app.services.ingest.STRETCH_S", 0.0):
            counting = asyncio.create_task(count())
            before = turns
            await api.batch(*(place.event() for _ in range(500)))
            counting.cancel()
    assert turns - before >= 500


# --- a noisy neighbour (G9) --------------------------------------------------------------


class Crowded(AssertionError):
    """A quiet sender was not answered because of what a noisy one has."""


async def a_quiet_sender_is_answered_beside_a_noisy_one(
    installation: Installation, noisy: Place, quiet: Place
) -> None:
    """Have more of a noisy sender than is let in stand before the log, and a quiet one post.

    Raises:
        Crowded: the quiet one was not answered meanwhile.
    """
    opened, kept, standing = asyncio.Event(), event_log.append, 0

    async def stand(
        connection: Connection, events: Sequence[Submission], received_at: Sequence[datetime]
    ) -> list[Appended]:
        nonlocal standing
        if any(event.region == noisy.region for event in events):
            standing += 1
            await asyncio.wait_for(opened.wait(), SOON)
        return await kept(connection, events, received_at)

    with (
        patch("app.services.group_commit.event_log.append", stand),
        patch("app.services.group_commit.event_log.append_new", stand),
    ):
        async with api_here(installation.url) as base, caller(base, noisy.key) as api:
            batches = ([noisy.event() for _ in range(30)] for _ in range(50))
            crowd = [asyncio.create_task(api.batch(*batch)) for batch in batches]
            await soon(
                lambda: waiting_events() >= 20, "the first of the crowd stand before the log"
            )
            answer = await Api(api.http, quiet.key).send(quiet.event())
            opened.set()
            await asyncio.gather(*crowd)
    if answer.status_code != 202:
        raise Crowded(f"the quiet sender was told {answer.status_code}")


async def test_a_quiet_sender_does_not_wait_for_a_noisy_ones_crowd(
    installation: Installation, place: Place, places: MakePlace
) -> None:
    await a_quiet_sender_is_answered_beside_a_noisy_one(installation, place, await places())


async def test_single_events_that_wait_for_batches_are_found_out(
    installation: Installation, place: Place, places: MakePlace
) -> None:
    with (
        patch("app.services.group_commit.FEW", 0),
        patch("app.services.group_commit.ANSWER_WITHIN_S", 1.0),
        pytest.raises(Crowded),
    ):
        await a_quiet_sender_is_answered_beside_a_noisy_one(installation, place, await places())


# --- quotas ------------------------------------------------------------------------------


async def test_a_key_that_asks_too_often_is_429_and_others_are_not(
    installation: Installation, place: Place, places: MakePlace
) -> None:
    other = await places()
    async with (
        api_here(installation.url, requests_per_second=5) as base,
        caller(base, place.key) as api,
    ):
        answers = await asyncio.gather(*(api.batch() for _ in range(40)))
        stranger = await Api(api.http, other.key).batch()
    assert {answer.status_code for answer in answers} == {202, 429}
    assert stranger.status_code == 202
    refused = next(answer for answer in answers if answer.status_code == 429)
    check_problem(refused, 429, "quota-exceeded")
    assert int(refused.headers["retry-after"]) >= 1


# --- known-broken variants (G1, G2) ------------------------------------------------------


async def acknowledged_is_kept(installation: Installation, place: Place) -> None:
    """Post while every third commit fails, and compare receipts with the log.

    Raises:
        Lost: an acknowledged event is not in the log.
    """
    receipts, real, count = Receipts(), event_log.append, 0

    async def failing(
        connection: Connection, events: Sequence[Submission], received_at: Sequence[datetime]
    ) -> list[Appended]:
        nonlocal count
        count += 1
        appended = await real(connection, events, received_at)
        if count % 3 == 0:
            # The commit itself fails: as when the server goes away at that moment.
            await run(connection, "CREATE TEMP TABLE t (a int PRIMARY KEY DEFERRABLE)")
            await run(connection, "SET CONSTRAINTS ALL DEFERRED")
            await run(connection, "INSERT INTO t VALUES (1), (1)")
        return appended

    with patch("app.services.group_commit.event_log.append", failing):
        async with api_here(installation.url) as base, caller(base, place.key) as api:
            for _ in range(12):
                receipts.note(await api.send(place.event()))
    async with caller(installation.api.base, place.key) as api:
        receipts.check(await api.feed(place.region))
        assert len(receipts.acknowledged) >= 4


async def test_what_is_acknowledged_is_committed(installation: Installation, place: Place) -> None:
    await acknowledged_is_kept(installation, place)


async def test_an_answer_before_the_commit_is_found_out(
    installation: Installation, place: Place
) -> None:
    async def answers_first(self: GroupCommit, group: list[Any]) -> None:
        events = [event for request in group for event in request.events]
        received = [request.received_at for request in group for _ in request.events]
        places = {(event.source, event.id): at for at, event in enumerate(events)}
        with contextlib.suppress(Exception):  # whoever asked has his answer already
            async with transaction(self._engine) as connection:
                appended = await event_log.append(connection, events, received)
                self._answer(group, places, appended)

    with (
        patch.object(GroupCommit, "_together", answers_first),
        pytest.raises(Lost, match="acknowledged"),
    ):
        await acknowledged_is_kept(installation, place)


async def readers_pass_nothing_over(url: str, place: Place, moved: asyncio.Event) -> None:
    """Post from several sides while a reader follows the feed, and compare.

    Raises:
        Lost: the reader's cursor passed an event over.
    """
    receipts = Receipts()
    async with (
        api_here(url) as base,
        caller(base, place.key) as api,
        following(api, place.region, moved) as seen,
    ):

        async def post() -> None:
            for _ in range(15):
                receipts.note(await api.batch(place.event(), place.event()))

        await asyncio.gather(*(post() for _ in range(6)))
    receipts.check(seen)
    if len(seen) != len(receipts.acknowledged):
        raise Lost("the reader saw less than was acknowledged")


async def test_a_reader_of_the_feed_passes_nothing_over(
    installation: Installation, place: Place
) -> None:
    await readers_pass_nothing_over(installation.url, place, asyncio.Event())


async def test_a_log_numbered_by_a_plain_sequence_is_found_out(template: str) -> None:
    numbers, moved = itertools.count(1), asyncio.Event()

    async def by_sequence(
        connection: Connection, events: Sequence[Submission], received_at: Sequence[datetime]
    ) -> list[Appended]:
        appended: list[Appended] = []
        for event, received in zip(events, received_at, strict=True):
            # Like nextval: taken at once, by whoever asks, whoever commits first.
            seq = next(numbers)
            await run(
                connection,
                "INSERT INTO events VALUES"
                " ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, false, $10, $11)",
                (
                    *(event.region, seq, received, event.time, event.source, event.id),
                    *(event.type, event.app, event.subject, event.digest, event.envelope),
                ),
            )
            appended.append(Appended(seq, known=False, digest=event.digest))
        if appended[0].seq == 1:
            # What a busy server does by itself: whoever came later commits first.
            await asyncio.wait_for(moved.wait(), SOON)
        return appended

    # On a database of its own: what this does to the log is beyond repair.
    async with a_copy(template, "kentongan_sequence") as url:
        engine = make_engine(url, pool_size=1)
        place = await make_place(engine, "36.71")
        await engine.dispose()
        with (
            patch("app.services.group_commit.event_log.append", by_sequence),
            patch("app.services.group_commit.GROUP_LIMIT", 2),  # one request in a transaction
            patch("app.services.group_commit.ONE_CALL", 0),  # one that more can be done in
            patch("app.services.group_commit.event_log.append_new", by_sequence),
            pytest.raises(Lost),
        ):
            await readers_pass_nothing_over(url, place, moved)


# --- requests of the same key do not wait for a region that somebody else holds ----------


async def test_a_neighbour_that_holds_the_region_is_waited_for_and_then_503(
    installation: Installation, place: Place
) -> None:
    event = place.event()
    async with caller(installation.api.base, place.key) as api:
        async with transaction(installation.engine) as neighbour:
            await run(
                neighbour,
                "SELECT 1 FROM region_logs WHERE region = $1 FOR UPDATE",
                (place.region,),
            )
            answer = await api.send(event)
            check_problem(answer, 503, DatabaseAway.slug())
        assert outcomes(await api.send(event)) == ["accepted"]
        assert len(await api.feed(place.region)) == 1
