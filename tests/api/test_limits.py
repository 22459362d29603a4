"""What an event may hold: the limits of DOMAIN 3 at their edges."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.client import Api, Place, outcomes, receipt, slug
from tests.api.conftest import Installation, MakePlace
from tests.api.running import api_here
from tests.api.waiting import SOON
from tests.city import Hands

#: Stands for what must never be repeated.
SECRET = "RAHASIA"
NULL_FIELDS = (
    *("service", "area", "location", "agency", "due_at", "fee_idr", "tariff_idr"),
    *("rating", "reason", "channel", "summary", "duplicate_of"),
)


def data(**fields: Any) -> dict[str, Any]:
    """Change the data of a report."""
    return {"data": fields}


def ahead(**span: float) -> str:
    """Write the instant so far from now."""
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


TAKEN: dict[str, dict[str, Any]] = {
    "an id of 256": {"id": "é" * 256},
    "a subject of 256": {"subject": "😀" * 256},
    "a type of 256": {"type": "t" * 256},
    "a subject of one": {"subject": " "},
    "a service of 64": data(service="😀" * 64),
    "names of one": data(service="s", agency="a", channel="c", reason="r"),
    "a summary of 4000": data(summary="x" * 4_000),
    "no summary": data(summary=""),
    "the first instant": {"time": "2000-01-01T00:00:00Z"},
    "an offset": {"time": "2026-01-01T00:00:00.000001+14:00"},
    "lower case": {"time": "2026-01-01t00:00:00z"},
    "nearly a day ahead": {"time": ahead(hours=23, minutes=59)},
    "no time": {"time": ...},
    "null as time": {"time": None},
    "null attributes": {"dataschema": None, "correlationid": None, "test": None},
    "null fields": {"data": dict.fromkeys(NULL_FIELDS)},
    "no data": {"data": ..., "datacontenttype": ...},
    "empty data": {"data": {}},
    "a kecamatan": data(area="36.71.05"),
    "a kecamatan without dots": data(area="367105"),
    "a kelurahan": data(area="36.71.01.1003"),
    "a kelurahan without dots": data(area="3671011003"),
    "the best rating": data(rating=4),
    "the worst rating": data(rating=1),
    "a fee of nothing": data(fee_idr=0, tariff_idr=0),
    "fields that nobody reads": data(nama="Budi", luas=[1, 2.5]),
    "an unknown type": {"type": "com.example.unknown.v9", "data": {"area": "x", "rating": 9}},
    "an unknown type without a subject": {"type": "com.example.unknown", "subject": ...},
    "a type of another family": {
        "type": "id.go.tangerangkota.perizinan.application.submitted.v1",
        "subject": ...,
    },
    "a heartbeat": {"type": "id.go.tangerangkota.app.heartbeat.v1", "subject": ...},
    "a test": {"test": True},
    "public data": {"dataclassification": "public"},
    "internal data": {"dataclassification": "internal"},
    "an extension": {"comexampleext1": "x", "comexampleflag": False, "comexamplenumber": -5},
    "a sequence that is no number": {"sequence": "b-7"},
    "data of 64 KiB": {"type": "com.example.large", "data": "x" * (64 * 1024 - 2)},
}

REFUSED: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "no id": ({"id": ...}, "invalid-attribute", "id"),
    "an empty id": ({"id": ""}, "invalid-attribute", "id"),
    "an id of 257": ({"id": SECRET + "x" * 250}, "invalid-attribute", "id"),
    "a number as id": ({"id": 7}, "invalid-attribute", "id"),
    "no source": ({"source": ...}, "invalid-attribute", "source"),
    "no type": ({"type": ...}, "invalid-attribute", "type"),
    "a type of 257": ({"type": "t" * 257}, "invalid-attribute", "type"),
    "a subject of 257": ({"subject": "s" * 257}, "invalid-attribute", "subject"),
    "an empty subject": ({"subject": ""}, "invalid-attribute", "subject"),
    "a case without a subject": ({"subject": ...}, "invalid-attribute", "subject"),
    "another version": ({"specversion": "0.3"}, "invalid-attribute", "specversion"),
    "a version as a number": ({"specversion": 1.0}, "invalid-attribute", "specversion"),
    "a service of 65": (data(service="s" * 65), "invalid-data", "data.service"),
    "an empty service": (data(service=""), "invalid-data", "data.service"),
    "a number as service": (data(service=7), "invalid-data", "data.service"),
    "an agency of 65": (data(agency="s" * 65), "invalid-data", "data.agency"),
    "a channel of 65": (data(channel="s" * 65), "invalid-data", "data.channel"),
    "a reason of 65": (data(reason="s" * 65), "invalid-data", "data.reason"),
    "a summary of 4001": (data(summary=SECRET + "x" * 3_994), "invalid-data", "data.summary"),
    "before 2000": ({"time": "1999-12-31T23:59:59.999999Z"}, "time-out-of-range", "time"),
    "over a day ahead": ({"time": ahead(hours=26)}, "time-out-of-range", "time"),
    "the year 9999": ({"time": "9999-12-31T23:59:59-23:59"}, "invalid-attribute", "time"),
    "the year 0000": ({"time": "0000-01-01T00:00:00Z"}, "invalid-attribute", "time"),
    "a day that is none": ({"time": "2026-02-29T00:00:00Z"}, "invalid-attribute", "time"),
    "a leap second": ({"time": "2016-12-31T23:59:60Z"}, "invalid-attribute", "time"),
    "no offset": ({"time": "2026-01-01T00:00:00"}, "invalid-attribute", "time"),
    "a day alone": ({"time": "2026-01-01"}, "invalid-attribute", "time"),
    "words as time": ({"time": SECRET}, "invalid-attribute", "time"),
    "a number as time": ({"time": 1_700_000_000}, "invalid-attribute", "time"),
    "digits of Arabic": ({"time": "٢٠٢٦-01-01T00:00:00Z"}, "invalid-attribute", "time"),
    "an area of another region": (data(area="33.28.01"), "area-unknown", "data.area"),
    "an area that is not there": (data(area="36.71.99"), "area-unknown", "data.area"),
    "a kelurahan that is not there": (data(area="36.71.01.1999"), "area-unknown", "data.area"),
    "a whole region as area": (data(area="36.71"), "area-unknown", "data.area"),
    "a province as area": (data(area="36"), "area-unknown", "data.area"),
    "a name as area": (data(area=SECRET), "invalid-data", "data.area"),
    "a number as area": (data(area=367105), "invalid-data", "data.area"),
    "digits of another script": (data(area="36.71.٠٥"), "invalid-data", "data.area"),
    "a rating of 0": (data(rating=0), "invalid-data", "data.rating"),
    "a rating of 5": (data(rating=5), "invalid-data", "data.rating"),
    "a rating with a fraction": (data(rating=2.5), "invalid-data", "data.rating"),
    "true as rating": (data(rating=True), "invalid-data", "data.rating"),
    "a fee below nothing": (data(fee_idr=-1), "invalid-data", "data.fee_idr"),
    "a fee as text": (data(fee_idr="5000"), "invalid-data", "data.fee_idr"),
    "a due date in words": (data(due_at="besok"), "invalid-data", "data.due_at"),
    "a location beyond the pole": (data(location={"lat": 91, "lon": 0}), "invalid-data", None),
    "half a location": (data(location={"lat": 1}), "invalid-data", "data.location"),
    "a list as data": ({"data": []}, "invalid-data", "data"),
    "text as data": ({"data": SECRET}, "invalid-data", "data"),
    "null as data": ({"data": None}, "invalid-data", "data"),
    "bytes as data": ({"data": ..., "data_base64": "AAEC"}, "invalid-data", "data"),
    "data of 64 KiB and a byte": (
        {"type": "com.example.large", "data": "x" * (64 * 1024 - 1)},
        "data-too-large",
        "data",
    ),
    "restricted data": (
        {"dataclassification": "restricted"},
        "classification-refused",
        "dataclassification",
    ),
    "data of unknown class": (
        {"dataclassification": SECRET},
        "classification-refused",
        "dataclassification",
    ),
    "words as test": ({"test": SECRET}, "invalid-attribute", "test"),
    "an object as an extension": ({"ext": {"a": SECRET}}, "invalid-attribute", None),
    "a list as an extension": ({"ext": [SECRET]}, "invalid-attribute", None),
    "a fraction as an extension": ({"ext": 1.5}, "invalid-attribute", None),
    "33 bits as an extension": ({"ext": 2**31}, "invalid-attribute", None),
    "a name in capitals": ({f"{SECRET}Ext": "x"}, "invalid-attribute", None),
    "a name with a sign": ({"my-ext": "x"}, "invalid-attribute", None),
    "an empty name": ({"": "x"}, "invalid-attribute", None),
    "the feed's region": ({"region": "36.71"}, "invalid-attribute", "region"),
    "the feed's seq": ({"seq": 1}, "invalid-attribute", "seq"),
}


async def test_what_lies_within_the_limits_is_taken_in_one_batch(
    city_api: Api, city: Place
) -> None:
    answer = await city_api.batch(*(city.event(**changes) for changes in TAKEN.values()))
    found = dict(zip(TAKEN, outcomes(answer), strict=True))
    assert {name: what for name, what in found.items() if what != "accepted"} == {}


async def test_what_lies_beyond_the_limits_is_refused_with_its_field(
    city_api: Api, city: Place
) -> None:
    events = [city.event(**changes) for changes, _, _ in REFUSED.values()]
    answer = await city_api.batch(*events)
    assert answer.status_code == 422
    for (name, (_, kind, field)), line in zip(
        REFUSED.items(), answer.json()["receipts"], strict=True
    ):
        assert line["outcome"] == "rejected", name
        assert (line["region"], line["seq"]) == (None, None), name
        problem = line["problem"]
        assert slug(problem) in (
            {kind} if kind != "*" else {"invalid-attribute", "time-out-of-range"}
        ), name
        assert field is None or problem.get("field") == field, name
        assert SECRET not in json.dumps(problem), name
        assert problem["retryable"] is False, name


async def test_data_and_bytes_together_are_refused(city_api: Api, city: Place) -> None:
    answer = await city_api.send(city.event(data_base64="AAEC"))
    assert answer.status_code == 422
    assert slug(receipt(answer)["problem"]) == "invalid-data"


@pytest.mark.parametrize("text", ["no base64!", "AAE", 7, ["AAEC"], {"a": 1}, ""])
async def test_bytes_are_base64(city_api: Api, city: Place, text: Any) -> None:
    event = city.event(type="com.example.photo", data=..., data_base64=text)
    answer = await city_api.send(event)
    assert answer.status_code == (202 if text == "" else 422)


async def test_the_edges_of_the_time_are_exact(installation: Installation, city: Place) -> None:
    clock = Hands(datetime(2026, 11, 21, 5, 0, tzinfo=UTC))
    async with (
        api_here(installation.url, clock=clock) as base,
        httpx.AsyncClient(base_url=base, timeout=SOON, trust_env=False) as web,
    ):
        answer = await Api(web, city.key).batch(
            city.event(time="2026-11-22T05:00:00.000000Z"),
            city.event(time="2026-11-22T05:00:00.000001Z"),
            city.event(time="2000-01-01T00:00:00Z"),
            city.event(time="1999-12-31T23:59:59.999999Z"),
        )
    assert outcomes(answer) == ["accepted", "rejected", "accepted", "rejected"]


async def test_an_app_of_no_family_counts_transactions(
    places: MakePlace, web: httpx.AsyncClient
) -> None:
    place = await places(app="retribusi")
    api = Api(web, place.key)
    started = place.event(type="id.go.tangerangkota.egov.transaction.started.v1")
    assert outcomes(await api.send(started)) == ["accepted"]
