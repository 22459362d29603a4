"""Posting events as an app does: over HTTP, with its key."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from app.domain.times import format_instant
from tests.e2e.program import Program

#: Gives clients of programs, closed at the test's end.
Client = Callable[[Program], httpx.AsyncClient]

PREFIX = "id.go.tangerangkota."
REPORT = f"{PREFIX}laksa.report."
BATCH = "application/cloudevents-batch+json"
SINGLE = "application/cloudevents+json"


@dataclass(frozen=True)
class Credential:
    """A key and the source that it is for."""

    source: str
    key: str

    @property
    def region(self) -> str:
        """The region of the source."""
        return self.source.split(":")[2]

    @property
    def headers(self) -> dict[str, str]:
        """The headers that carry the key."""
        return {"Authorization": f"Bearer {self.key}"}


def a_report(
    source: str,
    name: str,
    verb: str = "submitted",
    *,
    case: str | None = None,
    minutes: float = 0,
    **data: Any,
) -> dict[str, Any]:
    """Make an event of a LAKSA report, some minutes after an hour ago."""
    time = datetime.now(UTC) - timedelta(hours=1) + timedelta(minutes=minutes)
    return {
        "specversion": "1.0",
        "id": name,
        "source": source,
        "type": f"{REPORT}{verb}.v1",
        "subject": case or name,
        "time": format_instant(time),
        "datacontenttype": "application/json",
        "data": data,
    }


async def post(
    client: httpx.AsyncClient, credential: Credential, events: Any, *, status: int | None = None
) -> httpx.Response:
    """Post one event, or a list of them as a batch; ``status`` is the answer it must get."""
    media_type = BATCH if isinstance(events, list) else SINGLE
    answer = await client.post(
        "/v1/events",
        content=json.dumps(events),
        headers=credential.headers | {"Content-Type": media_type},
    )
    assert status in (None, answer.status_code), answer.text
    return answer
