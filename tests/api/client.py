"""Calling the API as an app or a reader does, and building what they send."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.builders import REPORT
from tests.live_client import LiveClient

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
ALL_SCOPES = frozenset({"events:write", "state:read", "cases:read", "events:read", "network:read"})
PROBLEM = "application/problem+json"
PREFIX = "urn:kentongan:problem:"

_ids = itertools.count(1)


def present() -> str:
    """Return this instant as events write it: servers of tests live by the real clock."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Place:
    """A region, one of its sources, and a key for both with every scope."""

    region: str
    key: str
    app: str = "laksa"

    @property
    def source(self) -> str:
        """The source that the key is bound to."""
        return f"urn:pemda:{self.region}:{self.app}"

    @property
    def channel(self) -> str:
        """The live channel of the region."""
        return f"region:{self.region}"

    def event(self, **changes: Any) -> dict[str, Any]:
        """Make a submitted report of a case of its own; ``...`` takes a member away."""
        number = next(_ids)
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": f"e-{number}",
            "source": self.source,
            "type": f"{REPORT}submitted.v1",
            "subject": f"L-{number}",
            "time": present(),
            "datacontenttype": "application/json",
            "data": {"service": "jalan"},
        }
        event |= changes
        return {name: value for name, value in event.items() if value is not ...}

    def report(self, verb: str, case: str, **changes: Any) -> dict[str, Any]:
        """Make an event of a case."""
        return self.event(**{"type": f"{REPORT}{verb}.v1", "subject": case, "data": {}} | changes)


@dataclass(frozen=True)
class Api:
    """An api process, called with one key."""

    http: httpx.AsyncClient
    key: str | None

    def _headers(self, **more: str) -> dict[str, str]:
        own = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        return own | more

    async def send(self, body: Any, content_type: str | None = STRUCTURED) -> httpx.Response:
        """Post a body: bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = self._headers(**({} if content_type is None else {"Content-Type": content_type}))
        return await self.http.post("/v1/events", content=content, headers=headers)

    async def batch(self, *events: Any) -> httpx.Response:
        """Post events as one batch."""
        return await self.send(list(events), BATCH)

    async def binary(
        self, event: dict[str, Any], body: bytes | None = None, content_type: str | None = None
    ) -> httpx.Response:
        """Post an event in the binary mode: attributes as headers, data as the body."""
        attributes = {k: v for k, v in event.items() if k not in ("data", "datacontenttype")}
        headers = self._headers(**{f"ce-{k}": encoded(v) for k, v in attributes.items()})
        kind = content_type or event.get("datacontenttype")
        if kind is not None:
            headers["Content-Type"] = kind
        if body is None:
            body = json.dumps(event["data"]).encode() if "data" in event else b""
        return await self.http.post("/v1/events", content=body, headers=headers)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """Read something."""
        headers = self._headers(**options.pop("headers", {}))
        return await self.http.get(path, headers=headers, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        """Post to something else than the events."""
        headers = self._headers(**options.pop("headers", {}))
        return await self.http.post(path, headers=headers, **options)

    async def feed(self, region: str, after: int = 0, limit: int = 1_000) -> list[dict[str, Any]]:
        """Read a region's events back."""
        parameters = {"region": region, "after": after, "limit": limit}
        answer = await self.get("/v1/events", params=parameters)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        # Not splitlines: text may hold other signs that count as ends of lines.
        return [json.loads(line) for line in answer.text.split("\n") if line]

    async def state(self, region: str) -> dict[str, Any]:
        """Read a region's state."""
        answer = await self.get(f"/v1/regions/{region}/state")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document


def encoded(value: Any) -> str:
    """Write an attribute as a header (CloudEvents HTTP Protocol Binding, section 3.1.3.2)."""
    text = value if isinstance(value, str) else json.dumps(value)
    return quote(text, safe="!#$&'()*+,-./:;<=>?@[]^_`{|}~")


def receipt(answer: httpx.Response, index: int = 0) -> dict[str, Any]:
    """Return one receipt of an answer."""
    found: dict[str, Any] = answer.json()["receipts"][index]
    return found


def outcomes(answer: httpx.Response) -> list[str]:
    """Return what became of each event of an answer."""
    return [line["outcome"] for line in answer.json()["receipts"]]


def slug(problem: dict[str, Any]) -> str:
    """Return the short name of a problem's type."""
    found: str = problem["type"]
    assert found.startswith(PREFIX)
    return found.removeprefix(PREFIX)


def check_problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """Check that an answer is a problem document of this type, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    problem: dict[str, Any] = answer.json()
    assert slug(problem) == name
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["retryable"] is (status in (429, 503))
    assert ("retry-after" in answer.headers) is problem["retryable"]
    return problem


async def folded(api: Api, place: Place, wall: LiveClient, *events: dict[str, Any]) -> int:
    """Post events, wait until they are folded, and return the newest seq."""
    if place.channel not in wall.held:
        await wall.subscribe(place.channel)
    answer = await api.batch(*events)
    assert answer.status_code == 202, answer.text
    seq = max(line["seq"] for line in answer.json()["receipts"])
    await wall.follow(place.channel, seq)
    return int(seq)


async def metric(web: httpx.AsyncClient, name: str, **labels: str) -> float | None:
    """Read one value of the process's metrics."""
    answer = await web.get("/metrics")
    assert answer.status_code == 200
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return None
