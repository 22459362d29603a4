"""Posts events as an app's back end should: batches, retries, receipts."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from random import Random
from time import time
from typing import Any, NamedTuple

import httpx

from app.simulator.clock import wait
from app.simulator.delivery import Mode
from app.simulator.options import Summary
from app.simulator.source import Event

#: The server away or full: the same events again, whose ids make that safe.
RETRIED = frozenset({429, 502, 503, 504})
#: The first pause and the longest one, in seconds.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
#: A server that asks for more patience than this is asked again earlier, not later.
_PATIENCE = 60.0


#: How many events met each outcome.
Receipts = Mapping[str, int]


class Stopped(Exception):
    """The run was stopped while events waited for a server that is away."""


class Request(NamedTuple):
    """The body and the headers of one post."""

    body: bytes
    headers: dict[str, str]


def encode(events: Sequence[Event], mode: Mode) -> Request:
    """Return the request of a batch, or of the single event of the other modes."""
    if mode is Mode.BATCH:
        return Request(_json(events), {"Content-Type": "application/cloudevents-batch+json"})
    (event,) = events
    if mode is Mode.STRUCTURED:
        return Request(_json(event), {"Content-Type": "application/cloudevents+json"})
    headers = {
        f"ce-{name}": _header(str(value))
        for name, value in event.items()
        if name not in ("data", "datacontenttype")
    }
    return Request(_json(event["data"]), headers | {"Content-Type": "application/json"})


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _header(value: str) -> str:
    """Percent-encode what a header cannot carry (CloudEvents HTTP binding 3.1.3.2)."""
    return "".join(
        char
        if " " < char <= "~" and char not in '"%'
        else "".join(f"%{byte:02X}" for byte in char.encode())
        for char in value
    )


def pause_of(response: httpx.Response | None, attempt: int, chance: Random) -> float:
    """Return how many seconds to wait before the next attempt; ``attempt`` counts from 0.

    ``Retry-After`` is honoured, in seconds or as a date; otherwise the pauses
    double, and chance keeps the sources from coming back in step.
    """
    asked = None if response is None else _retry_after(response.headers.get("Retry-After"))
    if asked is not None:
        return min(max(asked, 0.0), _PATIENCE) + chance.random() * _FIRST_PAUSE
    doubled: float = _FIRST_PAUSE * (1 << min(attempt, 10))
    return min(doubled, _LONGEST_PAUSE) * (0.5 + chance.random() / 2)


def _retry_after(value: str | None) -> float | None:
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        asked: datetime = parsedate_to_datetime(value)
    except ValueError:
        return None
    return asked.timestamp() - time()


class Poster:
    """Posts with one source's key and keeps the run's accounts.

    Args:
        client: bound to the server's address.
        key: the source's API key.
        region: whose accepted events are counted.
        summary: the run's accounts, shared by all posters.
        stop: set when the run is to end.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        key: str,
        region: str,
        summary: Summary,
        stop: asyncio.Event,
    ) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}
        self._region = region
        self._summary = summary
        self._stop = stop
        # Only the length of pauses is left to chance, never an event.
        self._chance = Random()  # noqa: S311

    async def post(self, events: Sequence[Event], mode: Mode = Mode.BATCH) -> Receipts:
        """Post until the server has answered; count and return what it answered.

        Raises:
            Stopped: the run ended before an answer came.
        """
        request = encode(events, mode)
        response = await self._insist(request)
        self._summary.posted += len(events)
        return self._count(response, len(events))

    async def post_unheard(self, events: Sequence[Event]) -> None:
        """Post a batch and go before the answer is read, as where a line breaks.

        Whether the server took it nobody knows; it is not counted.
        """
        request = encode(events, Mode.BATCH)
        headers = self._headers | request.headers
        with contextlib.suppress(httpx.TransportError):
            async with self._client.stream(
                "POST", "/v1/events", content=request.body, headers=headers
            ):
                pass

    async def _insist(self, request: Request) -> httpx.Response:
        attempt = 0
        while True:
            response = await self._attempt(request)
            if response is not None and response.status_code not in RETRIED:
                return response
            if await wait(self._stop, pause_of(response, attempt, self._chance)):
                raise Stopped
            self._summary.retries += 1
            attempt += 1

    async def _attempt(self, request: Request) -> httpx.Response | None:
        try:
            return await self._client.post(
                "/v1/events", content=request.body, headers=self._headers | request.headers
            )
        except httpx.TransportError:
            return None

    def _count(self, response: httpx.Response, sent: int) -> Receipts:
        document = _document(response)
        if "receipts" not in document:
            self._summary.rejected += sent
            self._summary.complain(_problem_of(document, response), sent)
            return {"rejected": sent}
        self._summary.accept(self._region, document["accepted"])
        self._summary.duplicates += document["duplicates"]
        self._summary.conflicts += document["conflicts"]
        self._summary.rejected += document["rejected"]
        for receipt in document["receipts"]:
            if problem := receipt.get("problem"):
                self._summary.complain(_problem_of(problem, response))
        return Counter(str(receipt.get("outcome")) for receipt in document["receipts"])


def _document(response: httpx.Response) -> dict[str, Any]:
    """Return the answer's JSON object; empty if it is none (a proxy's page, say)."""
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _problem_of(document: dict[str, Any], response: httpx.Response) -> str:
    return str(document.get("type") or f"status {response.status_code}")
