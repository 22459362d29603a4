"""Series over HTTP: flows over time, and what cannot be asked (3.2)."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.domain.times import format_hour, hour_of
from app.schemas.http import SeriesOut
from tests.api.client import Api, Place, check_problem, folded
from tests.api.conftest import MakePlace
from tests.live_client import LiveClient


def path(place: Place) -> str:
    return f"/v1/regions/{place.region}/series"


async def test_a_series_tells_its_bounds_and_has_a_point_for_every_hour(
    api: Api, place: Place, wall: LiveClient
) -> None:
    before = hour_of(datetime.now(UTC))
    seq = await folded(api, place, wall, place.event(), place.event(), place.event(test=True))
    answer = await api.get(path(place), params={"metric": "opened"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    SeriesOut.model_validate(body)
    assert list(body) == [
        *("region", "metric", "bucket", "from", "to", "timezone", "epoch", "seq", "points")
    ]
    state = await api.state(place.region)
    assert (body["region"], body["metric"], body["bucket"]) == (place.region, "opened", "hour")
    assert (body["seq"], body["epoch"]) == (seq, state["epoch"])
    assert body["timezone"] == state["state"]["region"]["timezone"]
    starts = [datetime.fromisoformat(point["at"]) for point in body["points"]]
    assert len(starts) == 24
    assert {later - sooner for sooner, later in itertools.pairwise(starts)} == {timedelta(hours=1)}
    assert (body["points"][0]["at"], body["to"]) == (
        body["from"],
        format_hour(starts[-1] + timedelta(hours=1)),
    )
    assert starts[-1] in (before, before + timedelta(hours=1))
    assert sum(point["value"] for point in body["points"]) == 2
    assert answer.headers["kentongan-head"] == str(seq)
    assert datetime.fromisoformat(answer.headers["kentongan-current-at"]) > before


async def test_a_series_agrees_with_today_of_the_state(
    api: Api, place: Place, wall: LiveClient
) -> None:
    lives = [place.report(verb, "L-9") for verb in ("submitted", "verified", "resolved")]
    await folded(api, place, wall, place.event(), *lives)
    state = (await api.state(place.region))["state"]
    window = {"bucket": "day", "from": state["day"]}
    told = {}
    for metric in ("opened", "first_responded", "closed", "resolved", "reopened"):
        body = (await api.get(path(place), params=window | {"metric": metric})).json()
        told[metric] = body["points"][0]["value"]
    today = state["apps"]["laksa"]["report"]["today"]
    assert told == {metric: today.get(metric, 0) for metric in told}
    assert today["closed"] == 1
    events = (await api.get(path(place), params=window | {"metric": "events"})).json()
    assert events["points"][0]["value"] == state["events_today"]["laksa"]


async def test_an_unchanged_series_is_304_until_something_is_folded(
    api: Api, place: Place, wall: LiveClient
) -> None:
    await folded(api, place, wall, place.event())
    wanted = {"metric": "opened", "from": "2026-11-01", "to": "2026-11-02"}
    first = await api.get(path(place), params=wanted)
    held = {"If-None-Match": first.headers["etag"]}
    again = await api.get(path(place), params=wanted, headers=held)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["kentongan-head"] == "1"
    # Another span is another answer, also while nothing is folded.
    longer = await api.get(path(place), params=wanted | {"to": "2026-11-03"}, headers=held)
    assert longer.status_code == 200
    await folded(api, place, wall, place.event())
    changed = await api.get(path(place), params=wanted, headers=held)
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


SECRET = "3671010101900001"


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"metric": ...}, "metric"),
        ({"metric": SECRET}, "metric"),
        ({"bucket": SECRET}, "bucket"),
        ({"bucket": ""}, "bucket"),
        ({"from": SECRET}, "from"),
        ({"from": ""}, "from"),
        ({"from": "2026-02-30"}, "from"),
        ({"from": "0001-01-01"}, "from"),
        ({"from": "1998-12-31T00:00:00Z"}, "from"),
        ({"from": "2026-11-21T00:00:00"}, "from"),
        ({"from": "2026-11-21T00:00:00 07:00"}, "from"),
        ({"from": "٢٠٢٦-11-21"}, "from"),
        ({"from": "9999-01-01"}, "from"),
        ({"from": "2026-11-21", "to": "2026-11-21"}, "from"),
        ({"from": "2026-11-22", "to": "2026-11-21"}, "from"),
        ({"from": "2099-01-01"}, "from"),
        ({"from": "2000-01-01", "to": "2026-01-01"}, "from"),
        ({"bucket": "day", "from": "2000-01-01", "to": "2026-01-01"}, "from"),
        ({"to": SECRET}, "to"),
        ({"to": "9999-12-31T23:59:59.999999Z"}, "to"),
        ({"to": "x" * 41}, "to"),
        ({"app": SECRET}, "app"),
        ({"app": ""}, "app"),
        ({"app": "\0"}, "app"),
        ({"kind": SECRET}, "kind"),
        ({"app": "laksa", "kind": "seeker"}, "kind"),
        ({"service": ""}, "service"),
        ({"service": "x" * 65}, "service"),
        ({"service": "\0"}, "service"),
        ({"area": SECRET}, "area"),
        ({"area": "36.71"}, "area"),
        ({"area": "33.28.01"}, "area"),
        ({"area": "36.71.99"}, "area"),
        ({"metric": "events", "kind": "report"}, "kind"),
        ({"metric": "events", "service": "jalan"}, "service"),
        ({"metric": "events", "area": "36.71.05"}, "area"),
    ],
)
async def test_what_cannot_be_counted_is_refused_by_the_parameters_name(
    city_api: Api, city: Place, wanted: dict[str, Any], field: str
) -> None:
    asked = {"metric": "opened"} | wanted
    sent = {name: value for name, value in asked.items() if value is not ...}
    answer = await city_api.get(path(city), params=sent)
    problem = check_problem(answer, 422, "invalid-parameter")
    assert problem["field"] == field
    assert SECRET not in json.dumps(problem)


@pytest.mark.parametrize("query", [f"{SECRET}=1", "servise=jalan", "app=laksa&app=perizinan"])
async def test_a_filter_misspelt_or_twice_does_not_count_something_else(
    city_api: Api, city: Place, query: str
) -> None:
    answer = await city_api.get(f"{path(city)}?metric=opened&{query}")
    problem = check_problem(answer, 422, "invalid-parameter")
    assert SECRET not in json.dumps(problem)


async def test_a_series_is_for_those_who_may_read_the_regions_state(
    web: httpx.AsyncClient, api: Api, places: MakePlace, city: Place
) -> None:
    wanted = {"metric": "opened"}
    writer = await places(scopes=frozenset({"events:write"}))
    check_problem(await Api(web, writer.key).get(path(writer), params=wanted), 403, "scope-missing")
    check_problem(await api.get(path(city), params=wanted), 403, "scope-missing")
    check_problem(await Api(web, None).get(path(city), params=wanted), 401, "credential-missing")


async def test_the_document_of_the_api_shows_how_to_ask(web: httpx.AsyncClient) -> None:
    document = (await web.get("/openapi.json")).json()
    told = document["paths"]["/v1/regions/{code}/series"]["get"]
    named = {parameter["name"] for parameter in told["parameters"]} - {"code"}
    assert named == {"metric", "bucket", "from", "to", "app", "kind", "service", "area"}
    [example] = document["components"]["schemas"]["SeriesOut"]["examples"]
    SeriesOut.model_validate(example)
