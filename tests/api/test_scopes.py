"""Every route says which scope it needs, and every credential is tried on every route."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from app.dependencies import PUBLIC
from app.main import create_app
from app.services.access import SCOPES
from app.settings import Settings
from tests.api.client import Place, check_problem, slug
from tests.api.conftest import MakePlace

#: What is open to all: facts that are public, and signs of life.
OPEN = {
    "get /v1/regions",
    "get /v1/regions/{code}",
    "options /v1/events",
    "get /livez",
    "get /readyz",
    "get /metrics",
    "get /asyncapi.json",
}
#: Pages show nothing by themselves; what they ask for has a scope.
PAGES = {"/", "/wall", "/wall/{region}", "/docs", "/v1/live"}
MEMBERS = {"metric": "opened", "app": "laksa", "kind": "report", "case_id": "T-1", "entry_id": "1"}


@dataclass(frozen=True)
class Operation:
    """A route as the documents tell of it."""

    method: str
    path: str
    document: dict[str, Any]

    @property
    def name(self) -> str:
        """What it is called here."""
        return f"{self.method} {self.path}"

    @property
    def scopes(self) -> set[str]:
        """The scopes of which it needs one."""
        return {scope for way in self.document["security"] for scope in way["key"]}

    def request(self, place: Place) -> dict[str, Any]:
        """Return a request that lacks nothing but a right."""
        known = MEMBERS | {"code": place.region, "region": place.region, "source": place.source}
        known["channel"] = "network" if self.scopes == {"network:read"} else place.channel
        wanted = [one for one in self.document.get("parameters", []) if one["required"]]
        path = self.path
        for one in wanted:
            if one["in"] == "path":
                path = path.replace("{" + one["name"] + "}", known[one["name"]])
        query = {one["name"]: known[one["name"]] for one in wanted if one["in"] == "query"}
        asked: dict[str, Any] = {"method": self.method.upper(), "url": path, "params": query}
        if "requestBody" in self.document:
            asked["json"] = place.event()
            asked["headers"] = {"Content-Type": "application/cloudevents+json"}
        return asked


def operations() -> Iterator[Operation]:
    """Yield all that the documents tell of."""
    app = create_app(Settings(), "postgresql://nobody@127.0.0.1:1/nowhere")
    for path, methods in app.openapi()["paths"].items():
        for method, document in methods.items():
            yield Operation(method, path, document)


ALL = list(operations())
GUARDED = [one for one in ALL if one.document.get("security")]


def test_every_route_says_who_may_ask() -> None:
    assert [one.name for one in ALL if "security" not in one.document] == []
    assert {one.name for one in ALL if not one.document["security"]} == OPEN
    assert len(GUARDED) > 10
    for one in GUARDED:
        assert one.scopes
        assert one.scopes <= set(SCOPES)
        assert all(way["key"] for way in one.document["security"]), "a key alone is no right"


def test_a_route_that_the_documents_do_not_tell_of_is_a_page() -> None:
    app = create_app(Settings(), "postgresql://nobody@127.0.0.1:1/nowhere")
    untold = {
        route.path
        for route in app.routes
        if isinstance(route, APIRoute) and not route.include_in_schema
    }
    assert untold <= PAGES
    assert PUBLIC == {"security": []}


async def ask(web: httpx.AsyncClient, one: Operation, place: Place, key: str | None) -> Any:
    """Send a request and return its answer, of a stream no more than its head."""
    request = one.request(place)
    headers = request.pop("headers", {})
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    async with web.stream(**request, headers=headers) as answer:
        if answer.headers["content-type"].startswith("text/event-stream"):
            return answer
        await answer.aread()
        return answer


@pytest.fixture
async def keys(places: MakePlace) -> dict[str, Place]:
    """Give a place for each scope, whose key has that one alone."""
    return {scope: await places(scopes=frozenset({scope})) for scope in SCOPES}


@pytest.mark.parametrize("one", GUARDED, ids=lambda one: one.name)
async def test_each_scope_opens_what_it_says_and_nothing_else(
    one: Operation, keys: dict[str, Place], web: httpx.AsyncClient
) -> None:
    nobody = keys["events:write"]
    check_problem(await ask(web, one, nobody, None), 401, "credential-missing")
    check_problem(await ask(web, one, nobody, "nonsense"), 401, "credential-unknown")
    for scope, place in keys.items():
        answer = await ask(web, one, place, place.key)
        if scope in one.scopes:
            refusal = answer.status_code in {401, 403}
            # A channel may need the other of two scopes that a route knows.
            assert not refusal or (len(one.scopes) > 1 and "channel" in str(one.document))
        else:
            check_problem(answer, 403, "scope-missing")


@pytest.mark.parametrize(
    "one",
    [one for one in GUARDED if "{code}" in one.path or "region" in str(one.document)],
    ids=lambda one: one.name,
)
async def test_no_scope_reaches_another_region(
    one: Operation, places: MakePlace, web: httpx.AsyncClient
) -> None:
    if not {"code", "region", "channel"} & {p["name"] for p in one.document.get("parameters", [])}:
        return
    own, foreign = await places(), await places()
    answer = await ask(web, one, foreign, own.key)
    assert answer.status_code in {403, 404}, answer.status_code
    assert slug(answer.json()) in {"scope-missing", "unknown-case"}
