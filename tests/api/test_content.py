"""What an event may hold: strict JSON, the limits of DOMAIN 3 at their edges, hostile text."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.client import BATCH, Api, Place, check_problem, outcomes, receipt, slug
from tests.api.conftest import Installation, MakePlace
from tests.api.running import api_here
from tests.api.waiting import SOON
from tests.city import Hands
from tests.live_client import LiveClient

#: Stands for what must never be repeated.
SECRET = "RAHASIA"
NULL_FIELDS = (
    *("service", "area", "location", "agency", "due_at", "fee_idr", "tariff_idr"),
    *("rating", "reason", "channel", "summary", "duplicate_of"),
)


# --- strict JSON -------------------------------------------------------------------------


def nested(depth: int) -> bytes:
    """Write an event whose containers nest so deep, itself among them."""
    inner = depth - 2
    return b'"data": {"deep": ' + b"[" * inner + b"]" * inner + b"}"


NOT_STRICT = {
    "nothing": b"",
    "white space": b" \n",
    "no JSON": b"halo",
    "half an object": b"{",
    "two values": b"{} {}",
    "a trailing comma": b'{"a": 1,}',
    "a comment": b"{} // x",
    "a byte order mark": b"\xef\xbb\xbf%s",
    "UTF-16": "%s".encode("utf-16"),
    "bad UTF-8": b'{"a": "\xff\xfe"}',
    "overlong UTF-8": b'{"a": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"a": "\xed\xa0\x80"}',
    "NaN": b'{"data": {"a": NaN}}',
    "Infinity": b'{"data": {"a": Infinity}}',
    "-Infinity": b'{"data": [-Infinity]}',
    "a member twice": b'{"id": "RAHASIA", "id": "b"}',
    "an inner member twice": b'{"data": {"x": {"RAHASIA": 1, "RAHASIA": 1}}}',
    "a member twice by escape": b'{"data": {"a": 1, "\\u0061": 2}}',
    "a lone surrogate": b'{"data": {"a": "\\ud800"}}',
    "surrogates the wrong way round": b'{"data": {"a": "\\ude00\\ud83d"}}',
    "a lone surrogate as a name": b'{"data": {"\\udfff": 1}}',
    "U+0000": b'{"data": {"a": "RAHASIA\\u0000"}}',
    "U+0000 as a name": b'{"\\u0000": 1}',
    "a raw NUL": b'{"data": {"a": "\x00"}}',
    "a raw line feed": b'{"data": {"a": "\n"}}',
    "33 levels": b'{"data": ' + b"[" * 32 + b"]" * 32 + b"}",
    "a hundred thousand levels": b'{"data": ' + b"[" * 100_000,
    "a number of 5000 digits": b'{"data": ' + b"9" * 5_000 + b"}",
    "a hexadecimal number": b'{"data": 0x10}',
    "a leading zero": b'{"data": 010}',
    "single quotes": b"{'id': 'a'}",
}


@pytest.mark.parametrize("raw", NOT_STRICT.values(), ids=NOT_STRICT.keys())
async def test_what_is_not_strict_json_is_400(city_api: Api, city: Place, raw: bytes) -> None:
    event = json.dumps(city.event()).encode()
    answers = [
        await city_api.send(raw.replace(b"%s", event)),
        await city_api.send(b"[" + event + b", " + raw + b"]", BATCH),
    ]
    for answer in answers[: 1 if raw.startswith(b"\xef") else 2]:
        check_problem(answer, 400, "malformed-json")
        assert SECRET not in answer.text
    assert await in_feed(city_api, city, json.loads(event)["id"]) is False


async def in_feed(api: Api, place: Place, event_id: str) -> bool:
    """Say whether an event is among the newest of its region."""
    head = int((await api.get(f"/v1/regions/{place.region}/state")).headers["kentongan-head"])
    kept = await api.feed(place.region, max(0, head - 50))
    return any(event["id"] == event_id for event in kept)


async def test_the_body_of_the_binary_mode_is_strict_json_too(city_api: Api, city: Place) -> None:
    for raw in (b'{"a": 1, "a": 2}', b'{"a": NaN}', b"\xef\xbb\xbf{}", b'["\\ud800"]', b"{"):
        check_problem(await city_api.binary(city.event(), raw), 400, "malformed-json")
    deep = b"[" * 33 + b"]" * 33
    check_problem(await city_api.binary(city.event(), deep), 400, "malformed-json")


@pytest.mark.parametrize("body", [b"7", b'"text"', b"null", b"[]", b"true"])
async def test_json_that_is_no_event_is_400(city_api: Api, body: bytes) -> None:
    check_problem(await city_api.send(body), 400, "malformed-event")


@pytest.mark.parametrize("body", [b"7", b"{}", b"null"])
async def test_json_that_is_no_batch_is_400(city_api: Api, body: bytes) -> None:
    check_problem(await city_api.send(body, BATCH), 400, "malformed-event")


async def test_32_levels_are_taken(city_api: Api, city: Place) -> None:
    event = city.event(data={"deep": 0})
    raw = json.dumps(event).replace("0}}", "[" * 30 + "]" * 30 + "}}").encode()
    for body, kind in ((raw, "application/cloudevents+json"), (b"[" + raw + b"]", BATCH)):
        answer = await city_api.send(body, kind)
        assert answer.status_code == 202, answer.text


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9007199254740992", "-9007199254740992"])
async def test_numbers_that_readers_of_json_would_change_are_refused(
    city_api: Api, city: Place, number: str
) -> None:
    raw = json.dumps(city.event(data={"n": 0})).replace('"n": 0', f'"n": {number}').encode()
    answer = await city_api.send(raw)
    assert answer.status_code in (400, 422)
    assert number not in answer.text


async def test_numbers_come_back_as_they_were_sent(city_api: Api, city: Place) -> None:
    numbers = [0, -0.0, 1.5, 1e-7, 1e22, 2**53 - 1, -(2**53) + 1, 0.1]
    event = city.event(type="com.example.reading", data=numbers)
    place = receipt(await city_api.send(event))
    (kept,) = await city_api.feed(city.region, place["seq"] - 1, 1)
    assert json.dumps(kept["data"]) == json.dumps(numbers)


# --- limits ------------------------------------------------------------------------------


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
    "over a day ahead": ({"time": ahead(hours=24, minutes=1)}, "time-out-of-range", "time"),
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


# --- hostile text ------------------------------------------------------------------------


HOSTILE = [
    "\u202egnilaer si txet sihT\u202c",
    "zero\u200bwidth\u200d\ufeffsigns",
    "😀👨‍👩‍👧‍👦🇮🇩",
    "e\u0301 is not é",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!",
    "'; DROP TABLE events; --",
    "1' OR '1'='1",
    "$1 %s {0} {{7*7}} ${7*7} <%= 7*7 %>",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\"'`\\/\b\f\n\r\t",
    "a\r\nSet-Cookie: x=1\r\n\r\nHTTP/1.1 200 OK",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(1+1)",
    "../../../../etc/passwd",
    "..\\..\\windows",
    "file:///etc/passwd",
    "\x01\x02\x1b[31mred\x1b[0m\x7f\x80\x9f",
    "\u2028line\u2029ends\u0085",
    "\ufffe\uffff\U0010ffff",
    "مرحبا שלום 你好 ᮞᮥᮔ᮪ᮓ",
    "null",
    "undefined",
    "NaN",
    "-0",
    "true",
    "_rest",
    "__proto__",
    "constructor",
    " leading and trailing ",
    "%00%0d%0a%2e%2e",
    "ﷺ" * 20,
    "I İ ı i ß ﬀ",
    "0",
    "[]",
    "{}",
]


async def test_hostile_text_comes_back_byte_identical_or_is_refused(api: Api, place: Place) -> None:
    sent: list[dict[str, Any]] = []
    for number, text in enumerate(HOSTILE):
        sent += [
            place.event(id=f"{number}:{text}"),
            place.event(subject=f"{number}:{text}"),
            place.event(data={"service": text[:64], "summary": text, text: [text, {text: text}]}),
            place.event(type=f"{number}:{text}", data=text, subject=...),
            place.event(hostile=text, correlationid=text),
        ]
    answer = await api.batch(*sent)
    assert answer.status_code in (202, 207)
    kept = {event["id"]: event for event in await api.feed(place.region)}
    refused = [
        event["data"]
        for event, line in zip(sent, answer.json()["receipts"], strict=True)
        if line["outcome"] != "accepted"
    ]
    # The one name that the state document uses itself.
    assert [line["service"] for line in refused] == ["_rest"]
    for event in sent:
        if event["data"] not in refused:
            found = kept[event["id"]]
            assert {name: found[name] for name in event} == event


async def test_cases_of_hostile_names_are_read_by_their_address(
    api: Api, place: Place, wall: LiveClient
) -> None:
    await api.batch(*(place.event(subject=text) for text in HOSTILE))
    await wall.subscribe(place.channel)
    await wall.follow(place.channel, len(HOSTILE))
    for text in HOSTILE:
        segments = (place.region, "laksa", "report", quote(text, safe=""))
        answer = await api.get("/v1/cases/" + "/".join(segments))
        assert answer.status_code == 200, text
        assert answer.json()["case"]["case_id"] == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce-subject", b"%ff%fe"),
        ("ce-subject", b"%ed%a0%80"),
        ("ce-subject", b"a%00b"),
        ("ce-id", b"\xff\xfe"),
        ("ce-id", b"\xc3\x28"),
        ("ce-time", b"%"),
        ("ce-subject", b"%zz"),
        ("ce-subject", b'"'),
        ("ce-subject", b'"\\"'),
        ("ce-", b"x"),
    ],
)
async def test_hostile_headers_are_taken_or_refused(
    api: Api, place: Place, name: str, value: bytes
) -> None:
    event = place.event(data=..., datacontenttype=...)
    headers = {f"ce-{key}".encode(): str(text).encode() for key, text in event.items()}
    headers |= {name.encode("latin-1"): value, b"authorization": f"Bearer {place.key}".encode()}
    answer = await api.http.post("/v1/events", headers=list(headers.items()), content=b"")
    assert answer.status_code in (202, 400, 422)
    if answer.status_code == 202:
        (kept,) = await api.feed(place.region)
        assert kept["seq"] == 1


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["id", "type", "subject", "time", "data", "specversion", "sequence", "test", "service", "x"]
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(changes=st.lists(st.dictionaries(NAMES, JSON, max_size=4), min_size=1, max_size=8))
async def test_no_event_at_all_makes_the_server_fail(
    city_api: Api, city: Place, changes: list[dict[str, Any]]
) -> None:
    answer = await city_api.batch(*(city.event(**change) for change in changes))
    assert answer.status_code in (202, 207, 409, 422, 400), answer.text
    assert answer.headers["content-type"] in ("application/json", "application/problem+json")


async def test_no_bytes_at_all_make_the_server_fail(city_api: Api, city: Place) -> None:
    chance = random.Random(20261121)
    pieces = [b"{", b"}", b"[", b"]", b'"', b"\\u", b"\\", b"\x00", b"\xff", b"1e9", b",", b":"]
    for _ in range(250):
        raw = bytearray(json.dumps([city.event(), city.event()]).encode())
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(raw))
            match chance.randrange(3):
                case 0:
                    raw[at : at + chance.randint(0, 9)] = chance.choice(pieces)
                case 1:
                    raw[at] = chance.randrange(256)
                case _:
                    del raw[at:]
                    raw += b"]"
        answer = await city_api.send(bytes(raw), BATCH)
        assert answer.status_code in (202, 207, 400, 403, 409, 422), bytes(raw)
