"""Posting events: receipts to the letter, and the table of statuses (3.1)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.api.client import (
    BATCH,
    STRUCTURED,
    Api,
    Place,
    check_problem,
    outcomes,
    receipt,
    slug,
)
from tests.api.conftest import MakePlace


async def test_an_accepted_event_has_a_receipt_to_the_letter(api: Api, place: Place) -> None:
    event = place.event()
    answer = await api.send(event)
    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "accepted": 1,
        "duplicates": 0,
        "conflicts": 0,
        "rejected": 0,
        "receipts": [
            {
                "index": 0,
                "source": place.source,
                "id": event["id"],
                "outcome": "accepted",
                "region": place.region,
                "seq": 1,
            }
        ],
    }


async def test_the_same_event_again_has_the_first_receipt(api: Api, place: Place) -> None:
    event = place.event()
    first = receipt(await api.send(event))
    again = await api.send(event)
    assert again.status_code == 202
    assert again.json()["duplicates"] == 1
    assert receipt(again) == first | {"outcome": "duplicate"}


async def test_other_content_under_an_id_is_a_conflict_and_changes_nothing(
    api: Api, place: Place
) -> None:
    event = place.event()
    await api.send(event)
    other = event | {"data": {"service": "lampu"}}
    answer = await api.send(other)
    assert answer.status_code == 409
    conflict = receipt(answer)
    assert (conflict["outcome"], conflict["seq"]) == ("conflict", 1)
    assert slug(conflict["problem"]) == "content-conflict"
    assert [kept["data"] for kept in await api.feed(place.region)] == [event["data"]]
    assert (await api.send(event)).status_code == 202


@pytest.mark.parametrize(
    "change",
    [
        {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
        {"tracestate": "congo=t61rcWkgMzE"},
        {"recordedtime": "2026-11-20T01:00:00Z"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_what_a_retry_changes_on_the_way_is_no_other_content(
    api: Api, place: Place, change: dict[str, Any]
) -> None:
    event = place.event()
    await api.send(event)
    assert outcomes(await api.send(event | change)) == ["duplicate"]


@pytest.mark.parametrize(
    "change",
    [
        {"time": "2026-11-20T01:00:00.000Z"},
        {"subject": "L-other"},
        {"correlationid": "c-1"},
        {"data": {"service": "jalan", "summary": "x"}},
        {"data": None},
    ],
    ids=json.dumps,
)
async def test_any_other_change_is_a_conflict(
    api: Api, place: Place, change: dict[str, Any]
) -> None:
    event = place.event(type="com.example.other")
    await api.send(event)
    assert outcomes(await api.send(event | change)) == ["conflict"]


async def test_one_id_of_two_sources_is_two_events(
    api: Api, place: Place, places: MakePlace, web: httpx.AsyncClient
) -> None:
    permits = await places(place.region, "perizinan")
    assert outcomes(await api.send(place.event(id="one"))) == ["accepted"]
    other = permits.event(id="one", type="id.go.tangerangkota.perizinan.application.submitted.v1")
    assert receipt(await Api(web, permits.key).send(other))["seq"] == 2


# --- statuses ----------------------------------------------------------------------------


async def test_an_empty_batch_is_accepted(api: Api) -> None:
    answer = await api.batch()
    assert answer.status_code == 202
    assert answer.json() == {
        "accepted": 0,
        "duplicates": 0,
        "conflicts": 0,
        "rejected": 0,
        "receipts": [],
    }


async def test_one_bad_event_never_blocks_a_batch(api: Api, place: Place) -> None:
    known = place.event()
    await api.send(known)
    answer = await api.batch(
        place.event(),
        known,
        known | {"subject": "L-other"},
        place.event(source="urn:pemda:36.71:laksa"),
        place.event(time="yesterday"),
        place.event(id=...),
        17,
        place.event(),
    )
    assert answer.status_code == 207
    assert outcomes(answer) == [
        *("accepted", "duplicate", "conflict", "rejected", "rejected", "rejected", "rejected"),
        "accepted",
    ]
    body = answer.json()
    assert [body[name] for name in ("accepted", "duplicates", "conflicts", "rejected")] == [
        *(2, 1, 1, 4)
    ]
    assert [line["index"] for line in body["receipts"]] == list(range(8))
    assert [line["seq"] for line in body["receipts"]] == [2, 1, 1, None, None, None, None, 3]
    assert [slug(line["problem"]) for line in body["receipts"] if "problem" in line] == [
        "content-conflict",
        "source-not-allowed",
        "invalid-attribute",
        "invalid-attribute",
        "malformed-event",
    ]


async def test_an_event_twice_in_one_batch_is_accepted_once(api: Api, place: Place) -> None:
    event = place.event()
    answer = await api.batch(event, event, event | {"subject": "L-other"})
    assert outcomes(answer) == ["accepted", "duplicate", "conflict"]
    assert [line["seq"] for line in answer.json()["receipts"]] == [1, 1, 1]


async def test_a_conflict_among_refusals_is_409(api: Api, place: Place) -> None:
    event = place.event()
    await api.send(event)
    answer = await api.batch(event | {"subject": "L-other"}, place.event(time="yesterday"))
    assert answer.status_code == 409
    assert outcomes(answer) == ["conflict", "rejected"]


async def test_foreign_sources_alone_are_403(api: Api, place: Place) -> None:
    answer = await api.batch(
        place.event(source="urn:pemda:36.71:laksa"), place.event(source="urn:other")
    )
    assert answer.status_code == 403
    assert {slug(line["problem"]) for line in answer.json()["receipts"]} == {"source-not-allowed"}


async def test_mixed_refusals_are_422(api: Api, place: Place) -> None:
    answer = await api.batch(place.event(source="urn:other"), place.event(id=""))
    assert answer.status_code == 422


async def test_an_unknown_key_is_401(web: httpx.AsyncClient, place: Place) -> None:
    check_problem(await Api(web, None).send(place.event()), 401, "credential-missing")
    for key in ("nonsense", "kentongan_" + 72 * "0", place.key[:-1] + "x", place.key + "0"):
        answer = await Api(web, key).send(place.event())
        check_problem(answer, 401, "credential-unknown")
        assert key not in answer.text
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("scheme", ["Basic", "Token", "bearer"])
async def test_a_key_is_a_bearer_token(web: httpx.AsyncClient, place: Place, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {place.key}", "Content-Type": STRUCTURED}
    answer = await web.post("/v1/events", json=place.event(), headers=headers)
    assert answer.status_code == (202 if scheme == "bearer" else 401)


async def test_a_key_without_the_scope_is_403(web: httpx.AsyncClient, places: MakePlace) -> None:
    reader = await places(scopes=frozenset({"state:read"}))
    check_problem(await Api(web, reader.key).send(reader.event()), 403, "scope-missing")


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json",
        "text/plain",
        "application/cloudevents",
        "application/cloudevents+xml",
        "application/cloudevents-batch+avro",
        "application/cloudevents+json; charset=utf-16",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "/",
        ";;;",
    ],
)
async def test_any_other_media_type_is_415(
    api: Api, place: Place, content_type: str | None
) -> None:
    answer = await api.send(place.event(), content_type)
    check_problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/cloudevents+json; charset=utf-8",
        "application/cloudevents+json;charset=UTF-8",
        "APPLICATION/CloudEvents+JSON",
    ],
)
async def test_media_types_are_read_as_http_writes_them(
    api: Api, place: Place, content_type: str
) -> None:
    assert (await api.send(place.event(), content_type)).status_code == 202


async def test_a_thousand_events_are_taken_and_one_more_is_413(api: Api, place: Place) -> None:
    events = [place.event() for _ in range(1_001)]
    check_problem(await api.batch(*events), 413, "batch-too-large")
    assert await api.feed(place.region) == []
    answer = await api.batch(*events[:1_000])
    assert answer.status_code == 202
    assert [line["seq"] for line in answer.json()["receipts"]] == list(range(1, 1_001))


async def test_five_megabytes_are_taken_and_one_byte_more_is_413(api: Api, place: Place) -> None:
    body = json.dumps([place.event()]).encode()
    fits = body + b" " * (5_000_000 - len(body))
    assert (await api.send(fits, BATCH)).status_code == 202
    check_problem(await api.send(fits + b" ", BATCH), 413, "body-too-large")


async def test_a_body_that_does_not_say_its_length_has_the_same_limit(
    api: Api, place: Place
) -> None:
    async def chunks(size: int) -> AsyncIterator[bytes]:
        body = json.dumps([place.event()]).encode()
        yield body
        for _ in range((size - len(body)) // 50_000):
            yield b" " * 50_000
        yield b" " * ((size - len(body)) % 50_000)

    headers = {"Authorization": f"Bearer {place.key}", "Content-Type": BATCH}
    answer = await api.http.post("/v1/events", content=chunks(5_000_000), headers=headers)
    assert answer.status_code == 202
    answer = await api.http.post("/v1/events", content=chunks(5_000_001), headers=headers)
    check_problem(answer, 413, "body-too-large")


async def test_every_failure_before_the_body_keeps_its_own_answer(
    web: httpx.AsyncClient, place: Place
) -> None:
    large = b" " * 5_000_001
    headers = {"Content-Type": BATCH}
    answer = await web.post("/v1/events", content=large, headers=headers)
    assert answer.status_code in (401, 413)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_webhook_handshake_needs_no_key(web: httpx.AsyncClient) -> None:
    asked = {"WebHook-Request-Origin": "eventemitter.example.com", "WebHook-Request-Rate": "120"}
    answer = await web.options("/v1/events", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["webhook-allowed-origin"] in ("*", asked["WebHook-Request-Origin"])
    assert int(answer.headers["webhook-allowed-rate"]) >= 120
    assert "POST" in answer.headers["allow"]


async def test_methods_that_there_are_not_name_those_that_there_are(
    web: httpx.AsyncClient,
) -> None:
    answer = await web.delete("/v1/events")
    check_problem(answer, 405, "method-not-allowed")
    allowed = {word.strip() for word in answer.headers["allow"].split(",")}
    assert {"GET", "POST", "OPTIONS"} <= allowed


async def test_events_are_numbered_in_the_order_of_the_request(api: Api, place: Place) -> None:
    events = [place.event() for _ in range(50)]
    await api.batch(*events)
    answers = await asyncio.gather(*(api.send(place.event()) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {202}
    kept = await api.feed(place.region)
    assert [event["id"] for event in kept[:50]] == [event["id"] for event in events]
    assert [event["seq"] for event in kept] == list(range(1, 59))
