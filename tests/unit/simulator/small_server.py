"""A small server of the public API, for what posts to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

REGIONS = {
    "36.71": {"name": "Kota Tangerang", "population": 1_957_349, "role": "host"},
    "13.74": {"name": "Kota Padang Panjang", "population": 63_895, "role": "partner"},
}
KEYS = {
    f"urn:pemda:{region}:{app}": f"key-{region}-{app}"
    for region in REGIONS
    for app in ("laksa", "perizinan", "siapkerja")
}


@dataclass
class Server:
    """Keeps each event once; ``answers`` are given instead, one a request, while there are any."""

    answers: list[httpx.Response | Exception] = field(default_factory=list)
    log: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    heard: dict[str, str] = field(default_factory=dict)
    on_post: Callable[[], None] = lambda: None

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        if request.url.path == "/v1/events":
            self.on_post()
            return self._take(request)
        return self._tell(request.url.path)

    def _tell(self, path: str) -> httpx.Response:
        match path.split("/"):
            case ["", "v1", "regions", code, "state"]:
                sources = {
                    urn: {"status": "live", "last_event_at": at} for urn, at in self.heard.items()
                }
                return httpx.Response(200, json={"state": {"sources": sources}})
            case ["", "v1", "regions", code] if code in REGIONS:
                areas = {f"{code}.{number:02d}": "Kecamatan" for number in range(1, 5)}
                register = REGIONS[code] | {"code": code, "timezone": "Asia/Jakarta"}
                return httpx.Response(200, json=register | {"areas": areas})
        return httpx.Response(404, json={"type": "not-found"})

    def _take(self, request: httpx.Request) -> httpx.Response:
        media = request.headers["Content-Type"]
        self.types.append(media)
        receipts = [self._receipt(event, request) for event in events_of(request, media)]
        outcomes = [receipt["outcome"] for receipt in receipts]
        return httpx.Response(
            202,
            json={
                "accepted": outcomes.count("accepted"),
                "duplicates": outcomes.count("duplicate"),
                "conflicts": outcomes.count("conflict"),
                "rejected": outcomes.count("rejected"),
                "receipts": receipts,
            },
        )

    def _receipt(self, event: dict[str, Any], request: httpx.Request) -> dict[str, Any]:
        self.deliveries.append(event)
        if request.headers["Authorization"] != f"Bearer {KEYS[event['source']]}":
            return {"outcome": "rejected", "problem": {"type": "source-forbidden"}}
        known = self.log.setdefault((event["source"], event["id"]), event)
        if known is event:
            return {"outcome": "accepted"}
        same = known | {"recordedtime": ""} == event | {"recordedtime": ""}
        return {"outcome": "duplicate" if same else "conflict"}


def events_of(request: httpx.Request, media: str) -> list[dict[str, Any]]:
    """Return the events of a request in any of the three modes."""
    body = json.loads(request.content)
    if media == "application/cloudevents-batch+json":
        return list(body)
    if media == "application/cloudevents+json":
        return [body]
    attributes = {
        name.removeprefix("ce-"): value
        for name, value in request.headers.items()
        if name.startswith("ce-")
    }
    return [attributes | {"datacontenttype": media, "data": body}]
