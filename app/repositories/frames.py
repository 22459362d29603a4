"""Projections and frames: where each channel stands, and how it came there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from app.repositories.statements import one, run, value

NETWORK = "network"


def region_channel(region: str) -> str:
    """Return the channel that tells of a region."""
    return f"region:{region}"


@dataclass(frozen=True, slots=True)
class Projection:
    """Where a channel stands. ``state`` is its document as JSON text.

    ``head`` is the newest seq of the log now, for the network of all logs.
    """

    channel: str
    region: str | None
    epoch: str
    generation: int
    rev: int
    seq: int
    head: int
    current_at: datetime
    watermark: datetime | None
    state: str
    state_at: datetime
    halted: str | None


@dataclass(frozen=True, slots=True)
class Frame:
    """One change of a channel; ``state`` is kept with keyframes alone."""

    channel: str
    epoch: str
    rev: int
    seq: int
    head: int
    current_at: datetime
    watermark: datetime | None
    patch: str
    state: str | None


# The head of the network is the sum over regions, as is its seq.
_PROJECTION = """
SELECT p.channel, p.region, p.epoch, p.generation, p.rev, p.seq,
       CASE WHEN p.region IS NULL THEN (SELECT coalesce(sum(head), 0)::bigint FROM region_logs)
            ELSE l.head END,
       p.current_at, p.watermark, p.state, p.state_at, p.halted
FROM projections p LEFT JOIN region_logs l ON l.region = p.region
"""


async def read(connection: AsyncConnection, channel: str) -> Projection | None:
    """Return where a channel stands."""
    row = await one(connection, f"{_PROJECTION} WHERE p.channel = $1", (channel,))
    return None if row is None else Projection(*row)


async def read_each(
    connection: AsyncConnection, channels: Collection[str]
) -> dict[str, Projection]:
    """Return where channels stand, those that there are."""
    rows = await run(
        connection, f"{_PROJECTION} WHERE p.channel = ANY ($1::text[])", (list(channels),)
    )
    return {row[0]: Projection(*row) for row in rows}


async def lock(connection: AsyncConnection, channel: str) -> Projection | None:
    """Return where a channel stands and keep others from moving it until the end."""
    row = await one(
        connection, f"{_PROJECTION} WHERE p.channel = $1 FOR NO KEY UPDATE OF p", (channel,)
    )
    return None if row is None else Projection(*row)


async def changed(
    connection: AsyncConnection, known: Mapping[str, tuple[str, int]]
) -> list[Projection]:
    """Return the regions whose (epoch, rev) is not the one known for their channel."""
    rows = await run(
        connection,
        f"{_PROJECTION} WHERE p.region IS NOT NULL AND NOT EXISTS ("  # noqa: S608
        " SELECT 1 FROM unnest($1::text[], $2::text[], $3::bigint[]) AS k (channel, epoch, rev)"
        " WHERE k.channel = p.channel AND k.epoch = p.epoch AND k.rev = p.rev)",
        (list(known), [epoch for epoch, _ in known.values()], [rev for _, rev in known.values()]),
    )
    return [Projection(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a channel stands, without its state."""

    channel: str
    region: str | None
    epoch: str
    rev: int
    seq: int
    head: int
    current_at: datetime
    watermark: datetime | None
    halted: str | None


async def standings(
    connection: AsyncConnection, channels: Collection[str] | None = None
) -> dict[str, Standing]:
    """Return where channels stand, all of them by default."""
    rows = await run(
        connection,
        "SELECT p.channel, p.region, p.epoch, p.rev, p.seq,"
        " CASE WHEN p.region IS NULL THEN (SELECT coalesce(sum(head), 0)::bigint FROM region_logs)"
        " ELSE l.head END, p.current_at, p.watermark, p.halted"
        " FROM projections p LEFT JOIN region_logs l ON l.region = p.region"
        " WHERE $1::text[] IS NULL OR p.channel = ANY ($1::text[])",
        (None if channels is None else list(channels),),
    )
    return {row[0]: Standing(*row) for row in rows}


async def create(connection: AsyncConnection, projection: Projection, now: datetime) -> bool:
    """Begin a channel at rev 1, unless it is there; say whether it was begun."""
    begun = await value(
        connection,
        "INSERT INTO projections (channel, region, epoch, generation, rev, seq, current_at,"
        " watermark, state, state_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " ON CONFLICT DO NOTHING RETURNING channel",
        (
            projection.channel,
            projection.region,
            projection.epoch,
            projection.generation,
            projection.rev,
            projection.seq,
            projection.current_at,
            projection.watermark,
            projection.state,
            projection.state_at,
        ),
    )
    if begun is None:
        return False
    await log(connection, first_frame(projection), now)
    return True


def first_frame(projection: Projection) -> Frame:
    """Return the keyframe with which an epoch begins."""
    return Frame(
        projection.channel,
        projection.epoch,
        projection.rev,
        projection.seq,
        projection.head,
        projection.current_at,
        projection.watermark,
        projection.state,
        projection.state,
    )


async def log(connection: AsyncConnection, frame: Frame, now: datetime) -> None:
    """Keep a frame."""
    await run(
        connection,
        "INSERT INTO frames (channel, epoch, rev, seq, head, current_at, watermark, patch, state,"
        " created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        (
            frame.channel,
            frame.epoch,
            frame.rev,
            frame.seq,
            frame.head,
            frame.current_at,
            frame.watermark,
            frame.patch,
            frame.state,
            now,
        ),
    )


async def advance(
    connection: AsyncConnection, moved: Projection, frame: Frame, now: datetime
) -> None:
    """Set where a channel stands and keep the frame that led there; ``move`` and ``log`` in one."""
    await run(
        connection,
        "WITH moved AS (UPDATE projections SET rev = $2, seq = $3, current_at = $4,"
        " watermark = $5, state = $6, state_at = $7, halted = NULL, halted_at = NULL"
        " WHERE channel = $1)"
        " INSERT INTO frames (channel, epoch, rev, seq, head, current_at, watermark, patch, state,"
        " created_at) VALUES ($1, $8, $2, $3, $9, $4, $5, $10, $11, $12)",
        (
            moved.channel,
            moved.rev,
            moved.seq,
            moved.current_at,
            moved.watermark,
            moved.state,
            moved.state_at,
            frame.epoch,
            frame.head,
            frame.patch,
            frame.state,
            now,
        ),
    )


async def move(connection: AsyncConnection, projection: Projection) -> None:
    """Set where a channel stands; folding that was halted goes on."""
    await run(
        connection,
        "UPDATE projections SET epoch = $2, generation = $3, rev = $4, seq = $5, current_at = $6,"
        " watermark = $7, state = $8, state_at = $9, halted = NULL, halted_at = NULL"
        " WHERE channel = $1",
        (
            projection.channel,
            projection.epoch,
            projection.generation,
            projection.rev,
            projection.seq,
            projection.current_at,
            projection.watermark,
            projection.state,
            projection.state_at,
        ),
    )


async def checked(
    connection: AsyncConnection, revs: Mapping[str, tuple[str, int]], at: datetime
) -> None:
    """Tell that channels still stand where we read them, and were true until ``at``.

    This tells how old a picture is, nothing else: losing it in a crash only
    makes a picture look older than it is, so it need not wait for the disk.
    """
    await run(connection, "SET LOCAL synchronous_commit = off")
    await run(
        connection,
        "UPDATE projections p SET current_at = $4, state_at = $4"
        " FROM unnest($1::text[], $2::text[], $3::bigint[]) AS k (channel, epoch, rev)"
        " WHERE p.channel = k.channel AND p.epoch = k.epoch AND p.rev = k.rev"
        " AND p.halted IS NULL AND p.current_at < $4",
        (
            list(revs),
            [epoch for epoch, _ in revs.values()],
            [rev for _, rev in revs.values()],
            at,
        ),
    )


async def halt(connection: AsyncConnection, channel: str, reason: str, at: datetime) -> None:
    """Write down that a channel's folding stopped, and why."""
    await run(
        connection,
        "UPDATE projections SET halted = $2, halted_at = $3 WHERE channel = $1",
        (channel, reason, at),
    )


async def halted(connection: AsyncConnection) -> dict[str, str]:
    """Return the channels whose folding stopped, and why."""
    rows = await run(
        connection,
        "SELECT channel, halted FROM projections WHERE halted IS NOT NULL ORDER BY channel",
    )
    return {row[0]: row[1] for row in rows}


_FRAME = "channel, epoch, rev, seq, head, current_at, watermark, patch, state"


async def since(
    connection: AsyncConnection, channel: str, epoch: str, rev: int, limit: int
) -> list[Frame]:
    """Return a channel's next frames after ``rev``, in order."""
    rows = await run(
        connection,
        f"SELECT {_FRAME} FROM frames"  # noqa: S608
        " WHERE channel = $1 AND epoch = $2 AND rev > $3 ORDER BY rev LIMIT $4",
        (channel, epoch, rev, limit),
    )
    return [Frame(*row) for row in rows]


async def up_to(connection: AsyncConnection, channel: str, epoch: str, rev: int) -> list[Frame]:
    """Return the frames from the last keyframe at or before ``rev`` up to it.

    Empty when ``rev`` is no longer, or not yet, in the window.
    """
    rows = await run(
        connection,
        f"SELECT {_FRAME} FROM frames"  # noqa: S608
        " WHERE channel = $1 AND epoch = $2 AND rev <= $3 AND rev >= ("
        " SELECT max(rev) FROM frames WHERE channel = $1 AND epoch = $2 AND rev <= $3"
        " AND state IS NOT NULL) ORDER BY rev",
        (channel, epoch, rev),
    )
    frames = [Frame(*row) for row in rows]
    return frames if frames and frames[-1].rev == rev else []


async def forget(connection: AsyncConnection, before: datetime) -> int:
    """Remove frames older than ``before`` that no resumable rev is made from.

    The last keyframe before the limit stays, and what follows it; so does the
    newest frame of every channel. Frames of an epoch that ended go.
    """
    gone = await value(
        connection,
        "WITH gone AS (DELETE FROM frames f USING projections p WHERE p.channel = f.channel"
        " AND f.created_at < $1 AND (f.epoch <> p.epoch OR f.rev < ("
        "  SELECT max(k.rev) FROM frames k WHERE k.channel = f.channel AND k.epoch = f.epoch"
        "  AND k.state IS NOT NULL AND k.created_at < $1))"
        " RETURNING 1) SELECT count(*) FROM gone",
        (before,),
    )
    return int(gone)


async def forget_epoch(connection: AsyncConnection, channel: str, epoch: str) -> None:
    """Remove the frames of an epoch that ended."""
    await run(connection, "DELETE FROM frames WHERE channel = $1 AND epoch = $2", (channel, epoch))
