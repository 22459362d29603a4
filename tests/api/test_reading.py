"""Reading: the register, states, the feed of events, and the proof of the numbers (3.2)."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.database import transaction
from app.schemas.state import StateOut
from tests.api.client import Api, Place, check_problem, folded
from tests.api.conftest import Installation, MakePlace
from tests.live_client import LiveClient

#: DOMAIN 1: name, role, year of partnership, population, kecamatan.
REGISTER: dict[str, tuple[str, str, int | None, int, int]] = {
    "36.71": ("Kota Tangerang", "host", None, 1_957_349, 13),
    "33.28": ("Kabupaten Tegal", "partner", 2019, 1_745_278, 18),
    "14.05": ("Kabupaten Pelalawan", "partner", 2019, 446_439, 12),
    "32.13": ("Kabupaten Subang", "partner", 2019, 1_677_628, 30),
    "36.03": ("Kabupaten Tangerang", "partner", 2019, 3_459_706, 29),
    "13.74": ("Kota Padang Panjang", "partner", 2019, 63_895, 2),
    "32.16": ("Kabupaten Bekasi", "partner", 2018, 3_387_601, 23),
    "32.15": ("Kabupaten Karawang", "partner", 2018, 2_612_065, 30),
}
KECAMATAN = (
    *("Tangerang", "Jatiuwung", "Batuceper", "Benda", "Cipondoh", "Ciledug", "Karawaci"),
    *("Periuk", "Cibodas", "Neglasari", "Pinang", "Karang Tengah", "Larangan"),
)


# --- the register ------------------------------------------------------------------------


async def test_the_register_is_open_and_holds_the_facts(web: httpx.AsyncClient) -> None:
    answer = await web.get("/v1/regions")
    assert answer.status_code == 200
    found = {region["code"]: region for region in answer.json()["regions"]}
    for code, (name, role, since, population, kecamatan) in REGISTER.items():
        assert found[code] == {
            "code": code,
            "name": name,
            "level": "kota" if code[3:] >= "71" else "kabupaten",
            "timezone": "Asia/Jakarta",
            "role": role,
            "partner_since": since,
            "population": population,
            "kecamatan": kecamatan,
        }
    assert found["72.02"]["timezone"] == "Asia/Makassar"
    assert found["91.71"]["timezone"] == "Asia/Jayapura"


async def test_a_region_tells_its_kecamatan(web: httpx.AsyncClient) -> None:
    answer = await web.get("/v1/regions/36.71")
    expected = {f"36.71.{n:02}": name for n, name in enumerate(KECAMATAN, 1)}
    assert answer.json()["areas"] == expected
    assert (await web.get("/v1/regions/3671")).json() == answer.json()


@pytest.mark.parametrize("code", ["99.99", "36", "36.71.01", "36.76"])
async def test_a_region_that_is_not_here_is_404(web: httpx.AsyncClient, code: str) -> None:
    check_problem(await web.get(f"/v1/regions/{code}"), 404, "unknown-region")


@pytest.mark.parametrize("code", ["RAHASIA", "36.7x", "36.71.", "٣٦.٧١", "36-71", "3671a"])
async def test_what_is_no_code_is_422(web: httpx.AsyncClient, code: str) -> None:
    problem = check_problem(await web.get(f"/v1/regions/{code}"), 422, "invalid-parameter")
    assert code not in json.dumps(problem, ensure_ascii=False)


# --- states ------------------------------------------------------------------------------


async def test_a_state_tells_its_place_and_its_age(
    api: Api, place: Place, wall: LiveClient
) -> None:
    before = datetime.now(UTC)
    seq = await folded(api, place, wall, place.event(), place.event())
    answer = await api.get(f"/v1/regions/{place.region}/state")
    body = answer.json()
    StateOut.model_validate(body)
    assert list(body) == [
        *("channel", "epoch", "rev", "seq", "head", "current_at", "watermark", "state")
    ]
    assert (body["channel"], body["seq"], body["head"]) == (place.channel, seq, seq)
    assert answer.headers["etag"] == f'"{body["epoch"]}.{body["rev"]}"'
    assert answer.headers["kentongan-head"] == str(seq)
    assert answer.headers["kentongan-current-at"] == body["current_at"]
    assert before <= datetime.fromisoformat(body["current_at"]) <= datetime.now(UTC)
    assert datetime.fromisoformat(body["watermark"]) <= datetime.now(UTC)
    assert body["state"]["apps"]["laksa"]["report"]["by_state"] == {"received": 2}
    wall.ledger.note_reading(body)


async def test_tests_and_signals_are_heard_and_make_no_case(
    api: Api, place: Place, wall: LiveClient
) -> None:
    await wall.subscribe(place.channel)
    await wall.follow(place.channel, 0)
    while place.source not in wall.held[place.channel].document["sources"]:
        await wall.read()
    source = wall.held[place.channel].document["sources"][place.source]
    assert source == {"status": "never", "today": 0}
    trial = place.event(test=True)
    await folded(api, place, wall, trial)
    state = wall.held[place.channel].document
    assert state["sources"][place.source]["status"] == "live"
    assert (state["apps"], state["events_today"], state["latest"]) == ({}, {}, {})
    assert "test" in (await api.feed(place.region))[0]
    heartbeat = place.event(
        type="id.go.tangerangkota.app.heartbeat.v1", subject=..., data=..., datacontenttype=...
    )
    unknown = place.event(type="com.example.unknown")
    await folded(api, place, wall, heartbeat, unknown)
    state = wall.held[place.channel].document
    assert state["apps"] == {}
    assert [line["type"] for line in state["latest"].values()] == [
        heartbeat["type"],
        unknown["type"],
    ]
    quality = (await api.get(f"/v1/sources/{place.source}/quality")).json()
    assert (quality["tests"], quality["new_types"]) == (1, {unknown["type"]: 1})
    check_problem(
        await api.get(f"/v1/cases/{place.region}/laksa/report/{trial['subject']}"),
        404,
        "unknown-case",
    )


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '"x",W/{} ,"y"', "*"])
async def test_an_unchanged_state_is_304_and_still_tells_its_age(
    api: Api, place: Place, wall: LiveClient, form: str
) -> None:
    await folded(api, place, wall, place.event())
    path = f"/v1/regions/{place.region}/state"
    first = await api.get(path)
    offered = {"If-None-Match": form.format(first.headers["etag"])}
    again = await api.get(path, headers=offered)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["kentongan-head"] == "1"
    assert again.headers["kentongan-current-at"] >= first.headers["kentongan-current-at"]
    await folded(api, place, wall, place.event())
    if form != "*":
        changed = await api.get(path, headers=offered)
        assert changed.status_code == 200
        assert changed.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("offered", ['"x"', "", '"', "W/", ",,,", '"a.1"'])
async def test_another_tag_gets_the_whole_state(city_api: Api, city: Place, offered: str) -> None:
    path = f"/v1/regions/{city.region}/state"
    assert (await city_api.get(path, headers={"If-None-Match": offered})).status_code == 200


async def test_an_idle_region_grows_no_older(api: Api, place: Place, wall: LiveClient) -> None:
    await folded(api, place, wall, place.event())
    rev = (await api.state(place.region))["rev"]
    for _ in range(2):
        seen = (await api.state(place.region))["current_at"]
        async with asyncio.timeout(30):
            while (now := await api.state(place.region))["current_at"] <= seen:
                pass
        assert now["rev"] == rev


async def test_regions_of_others_answer_alike_whether_they_are_there_or_not(
    api: Api, place: Place
) -> None:
    paths = ("/v1/regions/{}/state", "/v1/regions/{}/verify", "/v1/cases?region={}")
    for path in (*paths, "/v1/events?region={}", "/v1/cases/{}/laksa/report/L-1"):
        answers = [await api.get(path.format(code)) for code in ("36.71", "99.99", "36", "36.01")]
        found = {json.dumps(check_problem(answer, 403, "scope-missing")) for answer in answers}
        assert len(found) == 1


async def test_every_reading_needs_its_own_scope(web: httpx.AsyncClient, places: MakePlace) -> None:
    writer = await places(scopes=frozenset({"events:write"}))
    for path in (
        f"/v1/regions/{writer.region}/state",
        f"/v1/regions/{writer.region}/verify",
        f"/v1/cases?region={writer.region}",
        f"/v1/cases/{writer.region}/laksa/report/L-1",
        f"/v1/events?region={writer.region}",
        "/v1/network/state",
    ):
        check_problem(await Api(web, writer.key).get(path), 403, "scope-missing")
        check_problem(await Api(web, None).get(path), 401, "credential-missing")


async def test_the_network_is_the_sum_of_its_regions(
    api: Api, place: Place, wall: LiveClient
) -> None:
    seq = await folded(api, place, wall, place.event(), place.event())
    await wall.subscribe("network")

    def told(message: dict[str, Any]) -> bool:
        held = wall.held.get("network")
        return held is not None and held.document["regions"].get(place.region, {}).get("seq") == seq

    await wall.until(told)
    body = (await api.get("/v1/network/state")).json()
    StateOut.model_validate(body)
    lines, totals = body["state"]["regions"], body["state"]["totals"]
    assert lines[place.region]["open"] == 2
    for number in ("open", "overdue", "sources_silent"):
        assert totals[number] == sum(line[number] for line in lines.values())
    assert totals["regions"] == len(lines)
    assert body["seq"] == sum(line["seq"] for line in lines.values())
    assert body["head"] >= body["seq"]
    wall.ledger.note_reading(body)


# --- the feed ----------------------------------------------------------------------------


async def test_the_feed_gives_events_as_they_were_sent_after_a_seq(api: Api, place: Place) -> None:
    sent = [place.event(comexample=n) for n in range(9)]
    await api.batch(*sent)
    kept = await api.feed(place.region)
    assert kept == [event | {"region": place.region, "seq": n} for n, event in enumerate(sent, 1)]
    assert [event["seq"] for event in await api.feed(place.region, 4, 3)] == [5, 6, 7]
    assert await api.feed(place.region, 9) == []
    assert await api.feed(place.region, 2**62) == []


@pytest.mark.parametrize(
    "wanted", [{"after": -1}, {"after": "x"}, {"after": 2**63}, {"limit": 0}, {"limit": 10_001}]
)
async def test_the_feeds_cursor_is_a_seq(
    city_api: Api, city: Place, wanted: dict[str, Any]
) -> None:
    answer = await city_api.get("/v1/events", params={"region": city.region} | wanted)
    check_problem(answer, 422, "invalid-parameter")


# --- verify ------------------------------------------------------------------------------

TAMPERING = {
    "a gauge": "UPDATE gauges SET n = n + 1 WHERE region = :region AND metric = 'state'",
    "a gauge that was never there": (
        "INSERT INTO gauges SELECT region, generation, app, kind, metric, 'invented', 1"
        " FROM gauges WHERE region = :region AND metric = 'state' LIMIT 1"
    ),
    "a flow": "UPDATE flows SET n = n + 1 WHERE region = :region AND metric = 'opened'",
    "a case": "UPDATE cases SET service = 'other' WHERE region = :region AND case_id = 'A'",
    "a case that is missing": "DELETE FROM cases WHERE region = :region AND case_id = 'A'",
    "a case that nobody sent": (
        'INSERT INTO cases SELECT (jsonb_populate_record(c, \'{"case_id": "Z"}\')).*'
        " FROM cases c WHERE region = :region AND case_id = 'A'"
    ),
    "the log": "DELETE FROM events WHERE region = :region AND seq = 1",
    "the log's counter": "UPDATE region_logs SET head = head + 1 WHERE region = :region",
    "the state": (
        "UPDATE projections SET state = replace(state, '\"open\"\\:2', '\"open\"\\:3')"
        " WHERE region = :region"
    ),
}


@pytest.mark.parametrize("statement", TAMPERING.values(), ids=TAMPERING.keys())
async def test_verify_finds_what_was_tampered_with(
    installation: Installation, api: Api, place: Place, wall: LiveClient, statement: str
) -> None:
    events = (place.event(subject="A"), place.event(subject="B"))
    seq = await folded(api, place, wall, *events)
    path = f"/v1/regions/{place.region}/verify"
    clean = (await api.get(path)).json()
    assert (clean["region"], clean["seq"], clean["differences"]) == (place.region, seq, [])
    assert clean["cells"] > 0
    async with transaction(installation.engine) as connection:
        done = await connection.execute(text(statement), {"region": place.region})
        assert done.rowcount >= 1
    assert (await api.get(path)).json()["differences"] != []
