"""Operations: readiness, metrics, a region that stopped, and the service's own documents."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from fastapi.openapi.models import OpenAPI
from sqlalchemy import text

from app.clock import now
from app.database import transaction
from app.problems import FRAMEWORK, PROBLEMS
from app.services.rebuild import rebuild
from app.wiring import commands_bus
from tests.api.client import BATCH, STRUCTURED, Api, Place, check_problem, folded, metric, outcomes
from tests.api.conftest import Installation
from tests.api.waiting import eventually
from tests.live_client import LiveClient


async def test_a_program_that_runs_is_alive_and_ready(web: httpx.AsyncClient) -> None:
    assert (await web.get("/livez")).json() == {"status": "alive"}
    answer = await web.get("/readyz")
    assert answer.status_code == 200
    body = answer.json()
    assert body["problems"] == []
    assert body["status"] == ("degraded" if body["halted"] else "ready")


async def test_metrics_count_what_became_of_events(
    web: httpx.AsyncClient, api: Api, place: Place
) -> None:
    event = place.event()
    await api.batch(event, place.event())
    await api.batch(event, event | {"subject": "L-other"})
    counted = {
        outcome: await metric(web, "kentongan_events_total", region=place.region, outcome=outcome)
        for outcome in ("accepted", "duplicate", "conflict")
    }
    assert counted == {"accepted": 2, "duplicate": 1, "conflict": 1}


# --- a region whose folding stopped ------------------------------------------------------


async def test_folding_stops_on_a_broken_number_and_a_rebuild_heals(
    installation: Installation,
    web: httpx.AsyncClient,
    api: Api,
    place: Place,
    wall: LiveClient,
) -> None:
    case = place.event()
    await folded(api, place, wall, case, place.event())
    async with transaction(installation.engine) as connection:
        await connection.execute(
            text("UPDATE gauges SET n = 0 WHERE region = :region AND metric = 'state'"),
            {"region": place.region},
        )
    # The case moves on, and its old contribution cannot be taken away.
    assert outcomes(await api.send(place.report("verified", case["subject"]))) == ["accepted"]

    async def halted() -> dict[str, Any] | None:
        body: dict[str, Any] = (await web.get("/readyz")).json()
        return body if place.channel in body["halted"] else None

    told = await eventually(halted, "the projector stops and says so")
    assert told["status"] == "degraded"
    assert (await web.get("/readyz")).status_code == 200
    assert await metric(web, "kentongan_projector_halted", region=place.region) == 1
    assert await metric(web, "kentongan_projector_lag_events", region=place.region) == 1

    # Ingest goes on, readers see the age of the picture, and other regions are folded.
    stopped = await api.state(place.region)
    assert outcomes(await api.send(place.event())) == ["accepted"]
    answer = await api.get(
        f"/v1/regions/{place.region}/state",
        headers={"If-None-Match": f'"{stopped["epoch"]}.{stopped["rev"]}"'},
    )
    assert answer.status_code == 304
    assert answer.headers["kentongan-head"] == "4"
    assert answer.headers["kentongan-current-at"] == stopped["current_at"]
    assert (await api.state(place.region))["seq"] == 2

    async with commands_bus(installation.url) as bus:
        done = await rebuild(
            installation.engine, installation.url, bus, now, place.region, lambda _: None
        )
    assert (done.seq, done.cases) == (4, 3)
    await wall.until(lambda message: message.get("reason") == "epoch")
    held = wall.held[place.channel]
    assert held.document["apps"]["laksa"]["report"]["by_state"] == {"received": 2, "verified": 1}
    assert held.epoch != stopped["epoch"]
    await folded(api, place, wall, place.event())
    assert place.channel not in (await web.get("/readyz")).json()["halted"]
    assert await metric(web, "kentongan_projector_halted", region=place.region) == 0
    verified = (await api.get(f"/v1/regions/{place.region}/verify")).json()
    assert verified["differences"] == []
    wall.ledger.note_reading(await api.state(place.region))


# --- failures that the framework finds ---------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/RAHASIA", 404, "not-found"),
        ("GET", "/static/RAHASIA", 404, "not-found"),
        ("GET", "/static/../RAHASIA", 404, "not-found"),
        ("GET", "/static/%2e%2e/%2e%2e/RAHASIA", 404, "not-found"),
        ("GET", "/v1/cases/36.71/laksa", 404, "not-found"),
        ("GET", "/v1/live", 426, "upgrade-needed"),
        ("POST", "/v1/quarantine/RAHASIA/replay", 422, "invalid-parameter"),
        ("POST", "/v1/quarantine/0/replay", 422, "invalid-parameter"),
        ("POST", f"/v1/quarantine/{2**63}/replay", 422, "invalid-parameter"),
        ("DELETE", "/v1/regions", 405, "method-not-allowed"),
        ("PUT", "/v1/regions/RAHASIA", 405, "method-not-allowed"),
        ("POST", "/livez", 405, "method-not-allowed"),
        ("POST", "/static/index.html", 405, "method-not-allowed"),
        ("PATCH", "/v1/regions", 405, "method-not-allowed"),
    ],
)
async def test_failures_of_the_framework_are_problems_too(
    city_api: Api, method: str, path: str, status: int, name: str
) -> None:
    headers = {"Authorization": f"Bearer {city_api.key}"}
    answer = await city_api.http.request(method, path, headers=headers)
    check_problem(answer, status, name)
    assert "RAHASIA" not in answer.text


async def test_a_body_where_none_is_read_is_no_failure(city_api: Api) -> None:
    large = b"x" * 6_000_000
    answer = await city_api.post("/v1/live/tickets", content=large)
    assert answer.status_code in (201, 413)


def test_every_problem_has_one_name() -> None:
    named = [error.slug() for error in PROBLEMS]
    assert len(set(named)) == len(named)
    # What the framework finds under a status has our name for the same thing.
    by_status = {error.slug(): int(problem.status) for error, problem in PROBLEMS.items()}
    for status, name in FRAMEWORK.items():
        assert by_status.get(name, status) == status


# --- documents ---------------------------------------------------------------------------


class Links(HTMLParser):
    """Collects what a page asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down addresses of scripts, styles and pictures."""
        del tag
        self.found += [value for name, value in attrs if name in ("src", "href") and value]


async def test_the_documentation_is_shown_without_the_internet(web: httpx.AsyncClient) -> None:
    page = await web.get("/docs")
    assert page.status_code == 200
    assert re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+", page.text) == []
    links = Links()
    links.feed(page.text)
    assert len(links.found) >= 2
    for link in links.found:
        assert link.startswith("/")
        answer = await web.get(link)
        assert answer.status_code == 200, link


async def test_the_wall_is_one_page_that_talks_to_nobody_else(web: httpx.AsyncClient) -> None:
    assert (await web.get("/")).headers["location"] == "/wall"
    for path in ("/wall", "/wall/36.71", "/wall/nowhere?lang=en"):
        page = await web.get(path)
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-cache"
        links = Links()
        links.feed(page.text)
        for link in links.found:
            assert link.startswith("/static/")
            assert (await web.get(link)).status_code == 200, link


def references(document: Any) -> list[str]:
    """Collect every ``$ref`` of a document."""
    if isinstance(document, dict):
        own = [document["$ref"]] if isinstance(document.get("$ref"), str) else []
        return own + [ref for value in document.values() for ref in references(value)]
    if isinstance(document, list):
        return [ref for value in document for ref in references(value)]
    return []


def resolve(document: Any, reference: str) -> Any:
    """Return what a local reference names."""
    assert reference.startswith("#/")
    for step in reference[2:].split("/"):
        document = document[step]
    return document


async def test_openapi_is_valid_and_tells_every_route(web: httpx.AsyncClient) -> None:
    document = (await web.get("/openapi.json")).json()
    assert OpenAPI.model_validate(document).openapi.startswith("3.1")
    for reference in references(document):
        resolve(document, reference)
    told = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert told >= {
        ("POST", "/v1/events"),
        ("OPTIONS", "/v1/events"),
        ("GET", "/v1/events"),
        ("GET", "/v1/quarantine"),
        ("POST", "/v1/quarantine/{entry_id}/replay"),
        ("GET", "/v1/regions"),
        ("GET", "/v1/regions/{code}"),
        ("GET", "/v1/regions/{code}/state"),
        ("GET", "/v1/regions/{code}/verify"),
        ("GET", "/v1/network/state"),
        ("GET", "/v1/cases"),
        ("GET", "/v1/cases/{code}/{app}/{kind}/{case_id}"),
        ("GET", "/v1/sources/{source}/quality"),
        ("POST", "/v1/live/tickets"),
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", "/asyncapi.json"),
    }
    posting = document["paths"]["/v1/events"]["post"]
    assert {STRUCTURED, BATCH} <= posting["requestBody"]["content"].keys()
    assert {"202", "207", "400", "401", "403", "409", "413", "415", "422", "429", "503"} <= (
        posting["responses"].keys()
    )


async def test_asyncapi_tells_every_message_and_close_code(web: httpx.AsyncClient) -> None:
    document = (await web.get("/asyncapi.json")).json()
    assert document["asyncapi"] == "3.0.0"
    for reference in references(document):
        resolve(document, reference)
    ops = {
        schema["properties"]["op"]["const"]
        for schema in document["components"]["schemas"].values()
        if "op" in schema.get("properties", {})
    }
    assert ops == {
        *("hello", "snapshot", "resumed", "delta", "heartbeat", "problem"),
        *("subscribe", "unsubscribe", "seen"),
    }
    for code in (1012, 4401, 4408, 4413, 4429, 4501, 4503, 4504, 4510):
        assert str(code) in json.dumps(document["info"])
