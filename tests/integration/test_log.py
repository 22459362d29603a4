"""The log: gap-free under concurrency, where a plain sequence is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from app.database import Connection, Engine, transaction
from app.domain.events import Submission, accept
from app.repositories import event_log
from app.repositories.statements import run, value
from tests.builders import AREAS, NOW, a_candidate, a_source

WRITERS, EACH = 4, 25


def a_submission(name: str) -> Submission:
    return accept(a_candidate(id=name), a_source(), AREAS, NOW, b"key")


async def append(connection: Connection, events: list[Submission]) -> None:
    await event_log.append(connection, events, [NOW] * len(events))


async def append_in_bulk(connection: Connection, events: list[Submission]) -> None:
    assert await event_log.append_new(connection, events, [NOW] * len(events)) is not None


async def append_by_sequence(connection: Connection, events: list[Submission]) -> None:
    """The known-broken variant: numbers come from a sequence, outside any transaction."""
    for event in events:
        number = await value(connection, "SELECT nextval('plain')")
        await run(
            connection,
            "INSERT INTO events VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, false, $10, $11)",
            (
                event.region,
                number,
                NOW,
                event.time,
                event.source,
                event.id,
                event.type,
                event.app,
                event.subject,
                event.digest,
                event.envelope,
            ),
        )
        # What a busy server does by itself: others commit first.
        await asyncio.sleep(0)


async def followed(
    engine: Engine, writes: Callable[[Connection, list[Submission]], Awaitable[None]]
) -> int:
    """Follow the log by a cursor while several write; return how many events were seen."""
    done = 0

    async def write(writer: int) -> None:
        nonlocal done
        for n in range(EACH):
            async with transaction(engine) as connection:
                await writes(connection, [a_submission(f"{writer}-{n}-{i}") for i in range(2)])
        done += 1

    async def follow() -> int:
        cursor = seen = 0
        while True:
            finished = done == WRITERS
            async with transaction(engine) as connection:
                events = await event_log.after(connection, "36.71", cursor, 1_000)
            if events:
                cursor, seen = events[-1].seq, seen + len(events)
            elif finished:
                return seen

    following = asyncio.create_task(follow())
    await asyncio.gather(*(write(n) for n in range(WRITERS)))
    return await following


@pytest.mark.parametrize("writes", [append, append_in_bulk])
async def test_a_cursor_over_seq_misses_nothing(
    engine: Engine, writes: Callable[[Connection, list[Submission]], Awaitable[None]]
) -> None:
    assert await followed(engine, writes) == WRITERS * EACH * 2
    async with transaction(engine) as connection:
        assert await event_log.extent(connection, "36.71") == (200, 200)


async def test_a_cursor_over_a_plain_sequence_is_found_out(engine: Engine) -> None:
    async with transaction(engine) as connection:
        await run(connection, "CREATE SEQUENCE plain")
    async with transaction(engine) as slow:
        await append_by_sequence(slow, [a_submission("slow")])
        async with transaction(engine) as quick:
            await append_by_sequence(quick, [a_submission("quick")])
        async with transaction(engine) as connection:
            first = await event_log.after(connection, "36.71", 0, 10)
    async with transaction(engine) as connection:
        rest = await event_log.after(connection, "36.71", first[-1].seq, 10)
    assert [event.id for event in (*first, *rest)] == ["quick"]


async def test_known_ids_take_no_number(engine: Engine) -> None:
    async with transaction(engine) as connection:
        first = await event_log.append(connection, [a_submission("a")], [NOW])
        both = [a_submission("b"), a_submission("a"), a_submission("c")]
        again = await event_log.append(connection, both, [NOW] * 3)
    assert [(result.seq, result.known) for result in first] == [(1, False)]
    assert [(result.seq, result.known) for result in again] == [(2, False), (1, True), (3, False)]


async def test_both_ways_into_the_log_keep_the_same(engine: Engine) -> None:
    events = [a_submission(name) for name in "abc"]
    other = [event._replace(region="33.28", source="urn:pemda:33.28:laksa") for event in events]
    async with transaction(engine) as connection:
        one = await event_log.append(connection, events, [NOW] * 3)
        two = await event_log.append_new(connection, other, [NOW] * 3)
        assert one == two == [(seq, False, events[seq - 1].digest) for seq in (1, 2, 3)]
        rows = await run(
            connection,
            "SELECT seq, received_at, time, id, type, app, subject, sequence, test, digest,"
            " envelope FROM events ORDER BY seq, region",
        )
        kept = [tuple(row) for row in rows]
    assert kept[::2] == kept[1::2]
    assert len(kept) == 6


async def test_what_is_known_is_not_taken_in_bulk_and_numbers_nothing(engine: Engine) -> None:
    async with transaction(engine) as connection:
        await append(connection, [a_submission("a")])
    async with transaction(engine) as connection:
        both = [a_submission("b"), a_submission("a")]
        assert await event_log.append_new(connection, both, [NOW] * 2) is None
    async with transaction(engine) as connection:
        assert await event_log.head(connection, "36.71") == 1
        assert await event_log.extent(connection, "36.71") == (1, 1)


async def test_the_log_refuses_a_second_event_under_one_id(engine: Engine) -> None:
    async with transaction(engine) as connection:
        await append(connection, [a_submission("a")])
        with pytest.raises(asyncpg.UniqueViolationError, match="one_effect_per_event"):
            await run(
                connection,
                "INSERT INTO events SELECT region, seq + 1, received_at, time, source, id, type,"
                " app, subject, sequence, test, digest, envelope FROM events",
            )
