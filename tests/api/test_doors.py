"""Doors answer as the framework's routes would, of which the documents tell."""

from __future__ import annotations

import re
from unittest.mock import patch

import httpx
import pytest

from app.routers import events, live, regions
from tests.api.client import Api, Place
from tests.api.conftest import Installation
from tests.api.running import api_here
from tests.api.waiting import eventually

EVENTS = "application/cloudevents+json"
#: Method, path, headers beside the key (None: no key at all), and body.
ASKED: list[tuple[str, str, dict[str, str] | None, bytes]] = [
    ("GET", "/v1/regions/{own}/state", {}, b""),
    ("GET", "/v1/regions/{own}/state", {"If-None-Match": "*"}, b""),
    ("GET", "/v1/regions/{own}/state?unknown=1", {}, b""),
    ("GET", "/v1/regions/{plain}/state", {}, b""),
    ("GET", "/v1/regions/{own}/state", None, b""),
    ("GET", "/v1/regions/{own}/state", {"Authorization": "Bearer nobody"}, b""),
    ("GET", "/v1/regions/{own}/state/", {}, b""),
    ("GET", "/v1/regions/72.02/state", {}, b""),
    ("GET", "/v1/regions/nowhere/state", {}, b""),
    ("GET", "/v1/regions/%00/state", {}, b""),
    ("GET", f"/v1/regions/{'3' * 21}/state", {}, b""),
    ("GET", "/v1/network/state", {}, b""),
    ("GET", "/v1/network/state", None, b""),
    ("POST", "/v1/regions/{own}/state", {}, b""),
    ("POST", "/v1/events", {"Content-Type": EVENTS}, b"{}"),
    ("POST", "/v1/events", {"Content-Type": EVENTS}, b"{"),
    ("POST", "/v1/events", {"Content-Type": "text/plain"}, b"hello"),
    ("POST", "/v1/events", None, b"{}"),
    ("PUT", "/v1/events", {}, b"{}"),
    ("GET", "/v1/nothing", {}, b""),
]


#: Told anew each second, by whoever looks.
_AGE = re.compile(rb'"current_at":"[^"]+"')
_PASSING = {"date", "kentongan-current-at", "content-length", "location"}


def _told(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    lasting = {name: value for name, value in answer.headers.items() if name not in _PASSING}
    return answer.status_code, _AGE.sub(b"", answer.content), lasting


async def _answers(web: httpx.AsyncClient, place: Place) -> list[tuple[int, bytes, dict[str, str]]]:
    found = []
    for method, path, headers, body in ASKED:
        key = {} if headers is None else {"Authorization": f"Bearer {place.key}"} | headers
        url = path.format(own=place.region, plain=place.region.replace(".", ""))
        found.append(_told(await web.request(method, url, headers=key, content=body)))
    return found


async def test_doors_answer_as_the_routes_do(
    installation: Installation, place: Place, api: Api
) -> None:
    async def told_of() -> bool:
        return place.source in (await api.state(place.region))["state"]["sources"]

    await eventually(told_of, "the region tells of its source, and of nothing more after it")
    async with api_here(installation.url) as base, httpx.AsyncClient(base_url=base) as web:
        by_doors = await _answers(web, place)
    with patch("app.main.Doors", lambda app, doors: app):
        async with api_here(installation.url) as base, httpx.AsyncClient(base_url=base) as web:
            by_routes = await _answers(web, place)
    for asked, door, route in zip(ASKED, by_doors, by_routes, strict=True):
        assert door == route, asked
    seen = {status for status, *_ in by_doors}
    assert seen >= {200, 304, 307, 400, 401, 403, 404, 405, 415, 422}, seen


@pytest.mark.parametrize(
    ("kind", "method", "path", "taken"),
    [
        ("http", "POST", "/v1/events", True),
        ("http", "GET", "/v1/regions/36.71/state", True),
        ("http", "GET", "/v1/network/state", True),
        ("websocket", None, "/v1/live", True),
        ("http", "GET", "/v1/events", False),
        ("http", "HEAD", "/v1/network/state", False),
        ("http", "GET", "/v1/regions/36.71/series", False),
        ("http", "GET", "/v1/regions/36/71/state", False),
        ("http", "GET", "/v1/live", False),
        ("websocket", None, "/v1/events", False),
        ("websocket", None, "/v1/network/state", False),
    ],
)
def test_the_busy_ones_have_doors(kind: str, method: str | None, path: str, *, taken: bool) -> None:
    scope = {"type": kind, "path": path} | ({"method": method} if method else {})
    doors = events.door, live.door, regions.door
    assert any(door(scope) for door in doors) is taken
