"""What was refused is kept, masked, and can be let in once the reason is gone (3.1)."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.database import transaction
from tests.api.client import Api, Place, check_problem, outcomes, receipt, slug
from tests.api.conftest import Installation, MakePlace
from tests.api.waiting import eventually

NIK, PHONE, EMAIL = "3671012501900001", "081234567890", "budi.santoso@example.com"
FREE_TEXT = f"Nama Budi, NIK {NIK}, hubungi {PHONE} atau {EMAIL}."
MASKED = "Nama Budi, NIK [NIK], hubungi [PHONE] atau [EMAIL]."


async def refused(api: Api, place: Place, **parameters: Any) -> list[dict[str, Any]]:
    """Return a source's refused events, newest first."""
    answer = await api.get("/v1/quarantine", params={"source": place.source} | parameters)
    assert answer.status_code == 200, answer.text
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


async def test_a_refused_event_is_kept_with_the_reason(api: Api, place: Place) -> None:
    event = place.event(time="kemarin")
    problem = receipt(await api.send(event))["problem"]
    (entry,) = await refused(api, place)
    assert entry["event"] == event
    assert entry["source"] == place.source
    assert (entry["problem"], entry["detail"], entry["field"]) == (
        problem["type"],
        problem["detail"],
        "time",
    )
    assert (entry["times"], entry["replayed_at"]) == (1, None)


async def test_the_same_refusal_again_is_counted_and_not_kept_twice(api: Api, place: Place) -> None:
    event = place.event(time="kemarin")
    for _ in range(3):
        await api.send(event)
    await api.batch(event, place.event())
    (entry,) = await refused(api, place)
    assert entry["times"] == 4


async def test_what_is_foreign_or_accepted_is_not_kept(api: Api, place: Place) -> None:
    event = place.event()
    await api.send(event)
    await api.send(event | {"subject": "L-other"})
    await api.send(place.event(source="urn:pemda:36.71:laksa", time="kemarin"))
    assert await refused(api, place) == []


async def test_pages_of_refusals_have_no_gap(api: Api, place: Place) -> None:
    events = [place.event(time="kemarin") for _ in range(7)]
    for event in events:
        await api.send(event)
    seen: list[str] = []
    cursor: int | None = None
    while True:
        parameters = {"source": place.source, "limit": 3}
        page = await api.get(
            "/v1/quarantine", params=parameters | ({"cursor": cursor} if cursor else {})
        )
        seen += [entry["event"]["id"] for entry in page.json()["entries"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert seen == [event["id"] for event in reversed(events)]


async def test_only_the_source_itself_sees_its_refusals(
    api: Api, place: Place, places: MakePlace, web: httpx.AsyncClient
) -> None:
    await api.send(place.event(time="kemarin"))
    (entry,) = await refused(api, place)
    stranger = Api(web, (await places()).key)
    answer = await stranger.get("/v1/quarantine", params={"source": place.source})
    check_problem(answer, 403, "source-not-allowed")
    # What is another's and what is not there answer alike.
    foreign = await stranger.post(f"/v1/quarantine/{entry['id']}/replay")
    absent = await stranger.post("/v1/quarantine/999999999/replay")
    assert check_problem(foreign, 404, "unknown-quarantine-entry") == check_problem(
        absent, 404, "unknown-quarantine-entry"
    )


async def test_a_replay_whose_reason_stands_is_refused_again(api: Api, place: Place) -> None:
    await api.send(place.event(time="kemarin"))
    (entry,) = await refused(api, place)
    answer = await api.post(f"/v1/quarantine/{entry['id']}/replay")
    assert answer.status_code == 422
    assert slug(receipt(answer)["problem"]) == "invalid-attribute"
    (after,) = await refused(api, place)
    assert after["replayed_at"] is None


@pytest.fixture
async def new_area(installation: Installation, place: Place) -> str:
    """Name a kecamatan of the test's region that no register knows yet."""
    return f"{place.region}.98"


async def register_area(installation: Installation, code: str) -> None:
    """Bring a kecamatan into the register, as a decree does."""
    async with transaction(installation.engine) as connection:
        await connection.execute(
            text(
                "INSERT INTO regions (code, parent, name, level)"
                " VALUES (:code, :parent, 'Baru', 'kecamatan')"
            ),
            {"code": code, "parent": code[:5]},
        )


async def replayed(api: Api, entry: dict[str, Any]) -> httpx.Response:
    """Replay until the register as the server reads it knows the area."""

    async def replay() -> httpx.Response | None:
        answer = await api.post(f"/v1/quarantine/{entry['id']}/replay")
        return answer if answer.status_code == 202 else None

    return await eventually(replay, "the area is known to the server")


async def test_an_event_of_an_area_registered_later_is_let_in_by_replay(
    installation: Installation, api: Api, place: Place, new_area: str
) -> None:
    event = place.event(data={"service": "jalan", "area": new_area, "summary": FREE_TEXT})
    answer = await api.send(event)
    assert slug(receipt(answer)["problem"]) == "area-unknown"
    await register_area(installation, new_area)
    (entry,) = await refused(api, place)
    assert entry["event"]["data"]["summary"] == MASKED
    let_in = await replayed(api, entry)
    assert receipt(let_in) == {
        "index": 0,
        "source": place.source,
        "id": event["id"],
        "outcome": "accepted",
        "region": place.region,
        "seq": 1,
    }
    (kept,) = await api.feed(place.region)
    assert kept["data"] == {"service": "jalan", "area": new_area, "summary": MASKED}
    # The app's own retry, unmasked, is the same event, and so is a second replay.
    assert outcomes(await api.send(event)) == ["duplicate"]
    assert outcomes(await api.post(f"/v1/quarantine/{entry['id']}/replay")) == ["duplicate"]
    (after,) = await refused(api, place)
    assert after["replayed_at"] is not None


async def test_a_replay_of_an_id_that_was_used_meanwhile_is_a_conflict(
    installation: Installation, api: Api, place: Place, new_area: str
) -> None:
    event = place.event(data={"area": new_area})
    await api.send(event)
    await api.send(event | {"data": {}})
    await register_area(installation, new_area)
    (entry,) = await refused(api, place)

    async def conflict() -> bool:
        answer = await api.post(f"/v1/quarantine/{entry['id']}/replay")
        return answer.status_code == 409

    await eventually(conflict, "the area is known to the server")
    assert len(await api.feed(place.region)) == 1


# --- what may not be kept, and what would not come back as it was ------------------------


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"dataclassification": "restricted"}, id="restricted"),
        pytest.param({"dataclassification": "rahasia"}, id="of unknown class"),
    ],
)
async def test_what_may_not_be_here_is_not_kept_in_the_quarantine_either(
    api: Api, place: Place, changes: dict[str, Any]
) -> None:
    event = place.event(data={"summary": "warga bernama Budi"}, **changes)
    assert (await api.send(event)).status_code == 422
    (entry,) = await refused(api, place)
    assert "Budi" not in json.dumps(entry)
    assert entry["event"]["id"] == event["id"]
    assert entry["event"]["data_omitted"] is True


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param('{"n": 1e400}', id="a number that JSON cannot write"),
        pytest.param('{"x": "' + "x" * 300_000 + '"}', id="data too large to keep"),
    ],
)
async def test_data_that_could_not_be_kept_is_not_replayed_as_an_event_without_it(
    api: Api, place: Place, raw: str
) -> None:
    event = place.event(data=0)
    body = json.dumps(event).replace('"data": 0', f'"data": {raw}').encode()
    assert (await api.send(body)).status_code == 422
    (entry,) = await refused(api, place)
    answer = await api.post(f"/v1/quarantine/{entry['id']}/replay")
    assert answer.status_code == 422
    assert await api.feed(place.region) == []


# --- masking -----------------------------------------------------------------------------


async def test_personal_data_in_free_text_is_masked_before_it_is_kept(
    api: Api, place: Place
) -> None:
    data = {
        "service": "jalan",
        "summary": FREE_TEXT,
        "catatan": [FREE_TEXT, {"dalam": FREE_TEXT}],
        "location": {"lat": -6.2, "lon": 106.6, "alamat": FREE_TEXT},
    }
    await api.batch(
        place.event(data=data, keterangan=FREE_TEXT),
        place.event(type="com.example.note", data=FREE_TEXT),
        place.event(type="com.example.note", data=[{"service": FREE_TEXT, "area": PHONE}]),
        place.event(type="com.example.note", data={"service": PHONE, "location": NIK}),
    )
    kept = await api.feed(place.region)
    assert len(kept) == 4
    written = json.dumps(kept)
    for secret in (NIK, PHONE, EMAIL):
        assert secret not in written
    assert kept[0]["data"]["summary"] == MASKED
    assert kept[0]["data"]["location"] == {"lat": -6.2, "lon": 106.6, "alamat": MASKED}
    assert kept[0]["keterangan"] == MASKED
    assert kept[1]["data"] == MASKED


async def test_personal_data_in_a_refused_event_is_masked_too(api: Api, place: Place) -> None:
    await api.batch(
        place.event(time="kemarin", data={"summary": FREE_TEXT}, keterangan=FREE_TEXT),
        place.event(data={"service": FREE_TEXT * 5}),
        place.event(data={"service": {"isi": FREE_TEXT}}),
        place.event(data=FREE_TEXT),
        place.event(type="com.example.note", time="kemarin", data={"service": PHONE}),
        place.event(time=FREE_TEXT),
    )
    entries = await refused(api, place)
    assert len(entries) == 6
    written = json.dumps([entry | {"event": {**entry["event"], "time": ""}} for entry in entries])
    for secret in (NIK, PHONE, EMAIL):
        assert secret not in written


async def test_identifiers_are_never_masked(api: Api, place: Place) -> None:
    event = place.event(
        id=NIK,
        subject=PHONE,
        correlationid=EMAIL,
        sequence="6281234567890",
        data={"service": PHONE, "agency": EMAIL, "channel": NIK, "duplicate_of": NIK},
        traceparent=f"00-{NIK}{NIK}-00f067aa0ba902b7-01",
    )
    await api.send(event)
    (kept,) = await api.feed(place.region)
    assert {name: kept[name] for name in event} == event
    assert outcomes(await api.send(event)) == ["duplicate"]


async def test_a_masked_event_is_compared_as_it_was_sent(api: Api, place: Place) -> None:
    event = place.event(data={"summary": f"NIK {NIK}"})
    await api.send(event)
    other = event | {"data": {"summary": "NIK 3671012501900002"}}
    assert outcomes(await api.send(event)) == ["duplicate"]
    # Both are kept as "[NIK]", and still they are not the same.
    assert outcomes(await api.send(other)) == ["conflict"]
