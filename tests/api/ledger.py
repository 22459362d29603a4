"""What a careful app expects of the log: its receipts against what readers see of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.api.client import Api
from tests.api.waiting import GLANCE


class Lost(AssertionError):
    """An acknowledged event is missing, doubled, or was passed over by a reader."""


class Receipts:
    """Every acknowledgement that apps were given, by (source, id)."""

    def __init__(self) -> None:
        self.acknowledged: dict[tuple[str, str], set[int]] = defaultdict(set)
        self.accepted: list[tuple[str, str]] = []

    def note(self, answer: httpx.Response) -> None:
        """Take down what an answer acknowledges."""
        if answer.status_code not in (202, 207, 409):
            return
        for line in answer.json()["receipts"]:
            name = line["source"], line["id"]
            if line["outcome"] in ("accepted", "duplicate"):
                self.acknowledged[name].add(line["seq"])
            if line["outcome"] == "accepted":
                self.accepted.append(name)

    def check(self, feed: list[dict[str, Any]]) -> None:
        """Compare with a region's whole log as a reader has it.

        Raises:
            Lost: an acknowledged event is not in it, or anything is in it twice.
        """
        seqs = [event["seq"] for event in feed]
        if seqs != list(range(1, len(seqs) + 1)):
            raise Lost(f"the log is not 1, 2, 3 …: {seqs}")
        kept = [(event["source"], event["id"]) for event in feed]
        if len(set(kept)) != len(kept):
            raise Lost("an event is in the log twice")
        if len(set(self.accepted)) != len(self.accepted):
            raise Lost("an event was accepted twice")
        for name, told in self.acknowledged.items():
            if len(told) != 1:
                raise Lost(f"an event was told several places: {told}")
            (seq,) = told
            if seq > len(kept) or kept[seq - 1] != name:
                raise Lost("an acknowledged event is not where its receipt says")


@asynccontextmanager
async def following(
    api: Api, region: str, moved: asyncio.Event
) -> AsyncIterator[list[dict[str, Any]]]:
    """Follow a region's feed by its cursor while the body runs, and once more at its end.

    ``moved`` is set once the cursor has moved.
    """
    seen: list[dict[str, Any]] = []
    done = asyncio.Event()

    async def follow() -> None:
        while True:
            last = done.is_set()
            after = seen[-1]["seq"] if seen else 0
            seen.extend(await api.feed(region, after))
            if seen:
                moved.set()
            if last:
                return
            await asyncio.sleep(GLANCE)

    task = asyncio.create_task(follow())
    try:
        yield seen
    finally:
        done.set()
        await task
