"""Strict JSON: UTF-8, no member twice, no NaN, no lone surrogate, 32 levels; all else is 400."""

from __future__ import annotations

import json

import pytest

from tests.api.client import BATCH, Api, Place, check_problem, receipt

#: Stands for what must never be repeated.
SECRET = "RAHASIA"


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
