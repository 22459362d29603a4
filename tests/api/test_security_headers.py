"""What browsers are told: with every answer, whoever gives it, and once."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
from pydantic import ValidationError

from app.routers.pages import DOCS_POLICY, POLICY
from app.services.health import Health
from app.settings import Settings
from tests.api.client import STRUCTURED, Api, Place
from tests.api.conftest import Installation
from tests.api.running import api_here
from tests.api.waiting import SOON

WEB = Path(__file__).parents[2] / "web"
ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
NO_PAGE = "default-src 'none'; frame-ancestors 'none'"


def check(headers: httpx.Headers, policy: str = NO_PAGE, cache: str = "no-store") -> None:
    """Check that an answer tells all of it, and nothing twice."""
    told = ALWAYS | {"content-security-policy": policy, "cache-control": cache}
    assert {name: headers.get_list(name) for name in told} == {
        name: [value] for name, value in told.items()
    }
    [denied] = headers.get_list("permissions-policy")
    for feature in ("camera", "geolocation", "microphone", "payment", "usb"):
        assert f"{feature}=()" in denied.split(", ")
    assert "strict-transport-security" not in headers


async def head_of(base: str, raw: bytes) -> tuple[int, httpx.Headers]:
    """Send bytes over a connection of their own, and return the head of what is answered."""
    host, port = base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(raw)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SOON)
    writer.close()
    status, *lines = head.decode("latin-1").strip().split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    return int(status.split()[1]), httpx.Headers([(name, value) for name, value in pairs])


def address(path: str, place: Place) -> str:
    """Fill in a route's path with something that is there."""
    known = {"code": place.region, "app": "laksa", "kind": "report", "source": place.source}
    filled = re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], "1"), path)
    return f"{filled}?region={place.region}&channel={place.channel}&metric=opened"


async def test_every_route_tells_it_with_a_key_and_without(city_api: Api, city: Place) -> None:
    web, found = city_api.http, set()
    document = (await web.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method in operations:
            for headers in ({}, {"Authorization": f"Bearer {city.key}"}):
                # Not read to the end: one of them has none.
                async with web.stream(method, address(path, city), headers=headers) as answer:
                    own = "etag" in answer.headers
                    check(answer.headers, cache="no-cache" if own else "no-store")
                    found.add(answer.status_code)
    assert {200, 201, 401, 404, 415, 422} <= found
    assert 500 not in found


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/regions/99.99", 404),
        ("DELETE", "/v1/regions", 405),
        ("GET", "/v1/live", 426),
        ("GET", "/v1/cases?region=36.71&limit=x", 422),
        ("GET", "/", 307),
        ("HEAD", "/metrics", 405),
        ("GET", "/openapi.json", 200),
        ("GET", "/asyncapi.json", 200),
    ],
)
async def test_answers_of_the_framework_tell_it(
    city_api: Api, method: str, path: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {city_api.key}"}
    answer = await city_api.http.request(method, path, headers=headers)
    assert answer.status_code == status
    check(answer.headers)


async def test_answers_of_the_doors_tell_it(api: Api, place: Place) -> None:
    answers = [
        await api.send(place.event()),
        await api.batch(place.event(), place.event(time="x")),
        await api.send(b"{"),
        await api.send(place.event(), "text/plain"),
        await Api(api.http, None).send(place.event()),
    ]
    assert [answer.status_code for answer in answers] == [202, 207, 400, 415, 401]
    for answer in answers:
        check(answer.headers)
    state = f"/v1/regions/{place.region}/state"
    first = await api.get(state)
    again = await api.get(state, headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    for answer in (first, again):
        check(answer.headers, cache="no-cache")


async def test_a_failure_of_our_own_tells_it(installation: Installation) -> None:
    broken = patch.object(Health, "readiness", side_effect=RuntimeError("on purpose"))
    async with api_here(installation.url) as base, httpx.AsyncClient(base_url=base) as web:
        with broken:
            answer = await web.get("/readyz")
    assert answer.status_code == 500
    check(answer.headers)


async def test_files_tell_it_and_are_asked_after(web: httpx.AsyncClient) -> None:
    page = (await web.get("/docs")).text + (await web.get("/wall")).text
    files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    assert {Path(file).suffix for file in files} == {".js", ".css", ".svg"}
    for file in files:
        answer = await web.get(file)
        assert answer.status_code == 200
        check(answer.headers, cache="no-cache")
        again = await web.get(file, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        check(again.headers, cache="no-cache")
    for method, path, status in [("GET", "nowhere.js", 404), ("POST", "index.html", 405)]:
        answer = await web.request(method, f"/static/{path}")
        assert answer.status_code == status
        check(answer.headers, cache="no-cache")


@pytest.mark.parametrize(
    ("path", "policy"),
    [("/wall", POLICY), ("/wall/36.71", POLICY), ("/wall/x", POLICY), ("/docs", DOCS_POLICY)],
)
async def test_pages_run_their_own_files_and_nothing_else(
    web: httpx.AsyncClient, path: str, policy: str
) -> None:
    page = await web.get(path)
    assert page.status_code == 200
    check(page.headers, policy, "no-cache")
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives.pop("img-src") in ("'self'", "'self' data:")
    assert directives == {
        "default-src": "'none'",
        **{f"{kind}-src": "'self'" for kind in ("script", "style", "font", "connect")},
        **dict.fromkeys(("base-uri", "form-action", "frame-ancestors"), "'none'"),
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    # A tag with a script or a style in it, or an attribute with one.
    assert re.findall(r"<script[^>]*>[^<]|<style|\son\w+=|\sstyle=|https?:|//", page.text) == []


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"halo\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA\x00: b\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nX: " + b"x" * 66_000, 431),
        (b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 6000000\r\n\r\n", 401),
    ],
)
async def test_refusals_before_there_is_a_request_tell_it(
    installation: Installation, raw: bytes, status: int
) -> None:
    found, headers = await head_of(installation.api.base, raw)
    assert found == status
    check(headers)


async def test_a_body_that_is_too_long_tells_it(installation: Installation, city: Place) -> None:
    lines = [
        "POST /v1/events HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {city.key}",
        f"Content-Type: {STRUCTURED}",
        "Content-Length: 6000000",
    ]
    status, headers = await head_of(installation.api.base, "\r\n".join([*lines, "", ""]).encode())
    assert status == 413
    check(headers)


async def test_the_refusal_of_a_websocket_tells_it(installation: Installation) -> None:
    lines = [
        "GET /v1/live HTTP/1.1",
        "Host: x",
        "Origin: http://kota.invalid",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: kentongan.v1",
    ]
    status, headers = await head_of(installation.api.base, "\r\n".join([*lines, "", ""]).encode())
    assert status == 403
    check(headers)


@pytest.mark.parametrize("path", ["/wall", "/v1/events", "/static/favicon.svg", "/nowhere"])
async def test_a_browser_that_came_by_https_is_to_come_by_it_again(
    installation: Installation, web: httpx.AsyncClient, path: str
) -> None:
    told = {"X-Forwarded-Proto": "https"}
    # Anybody could say so.
    assert "strict-transport-security" not in (await web.get(path, headers=told)).headers
    async with (
        api_here(installation.url, trusted_proxies=["127.0.0.0/8"]) as base,
        httpx.AsyncClient(base_url=base, trust_env=False) as proxy,
    ):
        secure = await proxy.get(path, headers=told)
        assert secure.headers.get_list("strict-transport-security") == ["max-age=31536000"]
        assert "strict-transport-security" not in (await proxy.get(path)).headers


@pytest.mark.parametrize("proxy", ["*", "proxy.example.go.id", "10.0.0.0/40", ""])
def test_a_proxy_is_trusted_by_its_address_alone(proxy: str) -> None:
    with pytest.raises(ValidationError):
        Settings(trusted_proxies=[proxy])


def test_walls_are_drawn_under_the_same_policy_while_they_are_made() -> None:
    source = (WEB / "dev" / "server.ts").read_text()
    [array] = re.findall(r"const POLICY = \[(.*?)\]\.join", source, re.DOTALL)
    assert " ".join(re.findall(r'"(.*?)"', array)) == POLICY
