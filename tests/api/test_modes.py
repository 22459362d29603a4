"""The three modes of CloudEvents over HTTP: the same event is the same in each (3.1)."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.api.client import (
    Api,
    Place,
    encoded,
    outcomes,
)

MODES = ("structured", "batch", "binary")


async def in_mode(api: Api, mode: str, event: dict[str, Any]) -> httpx.Response:
    """Post one event in a mode."""
    if mode == "structured":
        return await api.send(event)
    if mode == "batch":
        return await api.batch(event)
    return await api.binary(event)


EXTENSIONS = {"sequence": "7", "correlationid": "c-1", "dataclassification": "internal"}
SAME: dict[str, dict[str, Any]] = {
    "a report": {},
    "extensions": EXTENSIONS,
    "a test": {"test": True},
    "no data": {"data": ..., "datacontenttype": ...},
    "without a content type": {"datacontenttype": ...},
    "text beyond ASCII": {"subject": "Jalan “Ki Hajar” — 50% é 😀 \t", "id": "ä/ö?&=#%41"},
    "a number": {"type": "com.example.reading", "data": 12.5},
    "a list": {"type": "com.example.reading", "data": [1, "a", None, True, {"b": []}]},
    "null": {"type": "com.example.reading", "data": None},
    "text": {"type": "com.example.note", "data": "halo\r\nböse", "datacontenttype": "text/plain"},
}


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME.keys())
@pytest.mark.parametrize("first", MODES)
async def test_an_event_is_the_same_in_every_mode(
    api: Api, place: Place, first: str, changes: dict[str, Any]
) -> None:
    event = place.event(**changes)
    if "id" in changes:
        event["id"] += first
    assert outcomes(await send_same(api, first, event)) == ["accepted"]
    others = [mode for mode in MODES if mode != first]
    for mode in others:
        assert outcomes(await send_same(api, mode, event)) == ["duplicate"], mode


async def send_same(api: Api, mode: str, event: dict[str, Any]) -> httpx.Response:
    """Post an event in a mode, text as text."""
    if mode != "binary":
        return await in_mode(api, mode, event)
    if event.get("datacontenttype") == "text/plain":
        return await api.binary(event, event["data"].encode())
    if "data" in event and "datacontenttype" not in event:
        # JSON is what data is in where nothing else is said.
        return await api.binary(event, content_type="application/json")
    return await api.binary(event)


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"'],
)
async def test_ways_of_writing_the_type_of_json_are_one(
    api: Api, place: Place, content_type: str
) -> None:
    event = place.event()
    await api.send(event)
    assert outcomes(await api.binary(event, content_type=content_type)) == ["duplicate"]


async def test_bytes_of_no_text_are_kept_as_base64(api: Api, place: Place) -> None:
    event = place.event(type="com.example.photo", data=..., datacontenttype="image/png")
    assert outcomes(await api.binary(event, b"\x89PNG\x00\xff")) == ["accepted"]
    (kept,) = await api.feed(place.region)
    assert kept["data_base64"] == "iVBORwD/"
    assert kept["datacontenttype"] == "image/png"
    assert outcomes(await api.send(event | {"data_base64": "iVBORwD/"})) == ["duplicate"]


async def test_a_quoted_header_is_unquoted_before_it_is_decoded(api: Api, place: Place) -> None:
    # Senders of before version 1.0.1 quote what holds a space (HTTP binding, 3.1.3.2).
    event = place.event()
    headers = {
        f"ce-{k}": encoded(v) for k, v in event.items() if k not in ("data", "datacontenttype")
    } | {"ce-subject": r'"Jalan \"Merdeka\" %C3%A9"', "Content-Type": "application/json"}
    headers["Authorization"] = f"Bearer {place.key}"
    answer = await api.http.post("/v1/events", headers=headers, content=json.dumps(event["data"]))
    assert outcomes(answer) == ["accepted"]
    (kept,) = await api.feed(place.region)
    assert kept["subject"] == 'Jalan "Merdeka" é'


@pytest.mark.parametrize(
    "name", ["ce-data", "ce-data_base64", "ce-datacontenttype", "ce-region", "ce-seq"]
)
async def test_no_header_passes_for_what_is_no_attribute(api: Api, place: Place, name: str) -> None:
    event = place.event(type="com.example.note", data=..., datacontenttype=...)
    headers = {f"ce-{k}": encoded(v) for k, v in event.items()} | {name: "3671012501900001"}
    headers |= {"Authorization": f"Bearer {place.key}", "Content-Type": "application/json"}
    answer = await api.http.post("/v1/events", headers=headers, content=b'{"a": 1}')
    assert answer.status_code == 422
    assert "3671012501900001" not in answer.text
    assert await api.feed(place.region) == []
