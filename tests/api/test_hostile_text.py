"""Text that was made to harm comes back byte-identical or is refused, and is never a failure."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.client import BATCH, Api, Place
from tests.live_client import LiveClient

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
