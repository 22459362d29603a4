"""Apps that post without pause and keep a ledger of what was acknowledged to them."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Self

import httpx

from app.domain.times import format_instant
from tests.e2e.posting import REPORT, Credential, post
from tests.e2e.waiting import News, eventually

#: What an overloaded or half-dead server may say. Everything else is a broken promise.
ANSWERS = {202, 429, 503}
#: Seconds until an app gives up: longer than any of the tests keeps its server away.
PATIENCE = 120.0


@dataclass
class Ledger:
    """What was sent and what was acknowledged, by (source, id)."""

    sent: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    acknowledged: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    places: dict[tuple[str, int], tuple[str, str]] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    #: The longest that an answer of 503 took, in seconds.
    slowest_refusal: float = 0.0
    lost_answers: int = 0
    news: News = field(default_factory=News)

    def enter(self, receipt: dict[str, Any]) -> None:
        """Enter a receipt: an id that is acknowledged again has the seq it had."""
        assert receipt["outcome"] in ("accepted", "duplicate"), receipt
        name = receipt["source"], receipt["id"]
        place = receipt["region"], receipt["seq"]
        assert self.acknowledged.setdefault(name, place) == place, f"{name} has two seqs"
        assert self.places.setdefault(place, name) == name, f"two events at {place}"
        self.news.tell()

    def newest(self, region: str) -> int:
        """Return the newest seq that was acknowledged in a region."""
        return max((seq for where, seq in self.places if where == region), default=0)

    async def grown(self, by: int) -> None:
        """Wait until so many more events have been acknowledged."""
        goal = len(self.acknowledged) + by
        await self.news.until(
            lambda: len(self.acknowledged) >= goal,
            lambda: f"{goal} acknowledged, now {len(self.acknowledged)}, {self.answers}",
        )


class App:
    """One app's back end: posts batches and single events, and repeats what was not answered."""

    def __init__(self, url: str, credential: Credential, ledger: Ledger, name: str) -> None:
        self._url, self._credential, self._ledger, self._name = url, credential, ledger, name
        self._numbers = itertools.count(1)
        self._random = Random(name)
        self._open: list[str] = []
        self._begin = datetime.now(UTC) - timedelta(hours=1)

    async def run(self) -> None:
        """Post until cancelled."""
        async with httpx.AsyncClient(base_url=self._url, timeout=30, trust_env=False) as client:
            while True:
                events = self._next()
                for event in events:
                    self._ledger.sent[event["source"], event["id"]] = event
                await eventually(
                    partial(self._post, client, events), "an acknowledgement", PATIENCE
                )

    def _next(self) -> list[dict[str, Any]]:
        size = 1 if self._random.random() < 0.3 else self._random.randrange(2, 60)
        return [self._event() for _ in range(size)]

    def _event(self) -> dict[str, Any]:
        number = next(self._numbers)
        closing = len(self._open) > 3 and self._random.random() < 0.4
        case = self._open.pop(self._random.randrange(len(self._open))) if closing else ""
        verb = "resolved" if case else "submitted"
        case = case or f"{self._name}-{number}"
        if not closing:
            self._open.append(case)
        return {
            "specversion": "1.0",
            "id": f"{self._name}-{number}",
            "source": self._credential.source,
            "type": f"{REPORT}{verb}.v1",
            "subject": case,
            "time": format_instant(self._begin + timedelta(milliseconds=number)),
            "datacontenttype": "application/json",
            "data": {"service": f"layanan-{number % 7}"},
        }

    async def _post(self, client: httpx.AsyncClient, events: list[dict[str, Any]]) -> bool:
        """Post once; say whether it was acknowledged."""
        ledger, clock = self._ledger, asyncio.get_running_loop().time
        began = clock()
        try:
            answer = await post(client, self._credential, events[0] if len(events) == 1 else events)
        except httpx.TransportError:
            ledger.lost_answers += 1
            return False
        ledger.answers[answer.status_code] += 1
        assert answer.status_code in ANSWERS, answer.text
        if answer.status_code != 202:
            assert int(answer.headers["Retry-After"]) > 0
            ledger.slowest_refusal = max(ledger.slowest_refusal, clock() - began)
            return False
        receipts = answer.json()["receipts"]
        assert [receipt["id"] for receipt in receipts] == [event["id"] for event in events]
        for receipt in receipts:
            ledger.enter(receipt)
        return True


class Load:
    """Several apps that post at once, until the end of the block."""

    def __init__(self, url: str, credentials: list[Credential], apps: int, name: str) -> None:
        self.ledger = Ledger()
        self._apps = [
            App(url, credentials[number % len(credentials)], self.ledger, f"{name}{number}")
            for number in range(apps)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(app.run()) for app in self._apps]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def end(self) -> None:
        """End posting; what an app had met with that no server may do is raised."""
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for result in results:
            if result is not None and not isinstance(result, asyncio.CancelledError):
                raise result


async def read_log(client: httpx.AsyncClient, credential: Credential) -> list[dict[str, Any]]:
    """Read all of a region's log."""
    lines: list[dict[str, Any]] = []
    while True:
        answer = await client.get(
            "/v1/events",
            params={"region": credential.region, "after": len(lines), "limit": 10_000},
            headers=credential.headers,
        )
        assert answer.status_code == 200, answer.text
        page = [json.loads(line) for line in answer.text.splitlines()]
        if not page:
            return lines
        lines += page


def check_log(log: list[dict[str, Any]], region: str, ledger: Ledger) -> None:
    """Check that a log is 1, 2, 3 …, and keeps every acknowledged event once, as it was sent."""
    assert [event["seq"] for event in log] == list(range(1, len(log) + 1)), "the log has a gap"
    kept = {(event["source"], event["id"]): event for event in log}
    assert len(kept) == len(log), "an event is there twice"
    promised = {name: seq for name, (where, seq) in ledger.acknowledged.items() if where == region}
    missing = promised.keys() - kept.keys()
    assert not missing, f"{len(missing)} acknowledged events are missing"
    moved = [name for name, seq in promised.items() if kept[name]["seq"] != seq]
    assert not moved, f"{len(moved)} events are at another seq than was acknowledged"
    for name in kept.keys() & ledger.sent.keys():
        assert kept[name] == ledger.sent[name] | {"region": region, "seq": kept[name]["seq"]}


def expected_reports(log: list[dict[str, Any]]) -> dict[str, Any]:
    """Count reports from a log that an ``App`` wrote, without any of the program's code."""
    last = {}
    for event in sorted(log, key=lambda event: (event["time"], event["id"])):
        last[event["subject"]] = event["type"].removeprefix(REPORT).removesuffix(".v1")
    states = Counter({"submitted": "received", "resolved": "resolved"}[v] for v in last.values())
    return {"open": states["received"], "by_state": dict(states)}
