"""What may enter the log, and what it looks like there."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from app.domain import errors
from app.domain.errors import EventRefused
from app.domain.events import Candidate, Submission, accept, content_digest
from app.domain.times import format_instant
from tests.builders import AREAS, NOW, a_candidate, a_source

KEY = b"key"


def accepted(**changes: Any) -> Submission:
    return accept(a_candidate(**changes), a_source(), AREAS, NOW, KEY)


def data(**fields: Any) -> dict[str, Any]:
    return {"data": fields}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"id": "i" * 256}, id="an id of 256"),
        pytest.param({"subject": "é" * 256}, id="a subject of 256 characters, not bytes"),
        pytest.param({"time": "2000-01-01T00:00:00Z"}, id="the first instant"),
        pytest.param({"time": format_instant(NOW + timedelta(hours=24))}, id="24 h ahead"),
        pytest.param({"time": None}, id="no time"),
        pytest.param({"time": "2026-11-21T08:00:00.123456789+07:00"}, id="nanoseconds"),
        pytest.param({"data": None}, id="no data"),
        pytest.param(data(service="s" * 64, agency="a", channel="c", reason="r"), id="names"),
        pytest.param(data(summary="x" * 4000), id="a summary of 4000"),
        pytest.param(data(summary=""), id="an empty summary"),
        pytest.param(data(service=None, area=None, rating=None), id="null is not given"),
        pytest.param(data(area="367105"), id="an area without dots"),
        pytest.param(data(area="36.71.01.1003"), id="a kelurahan"),
        pytest.param(data(rating=4, fee_idr=0, tariff_idr=150_000), id="numbers"),
        pytest.param(data(location={"lat": -6.2, "lon": 106}), id="a location"),
        pytest.param(data(due_at="2027-01-01T00:00:00+07:00"), id="a due date"),
        pytest.param(data(anything=[1, {"deep": [True]}]), id="fields of their own"),
        pytest.param({"sequence": 7}, id="a sequence as a number"),
        pytest.param({"dataclassification": "internal"}, id="internal data"),
        pytest.param({"type": "org.example.x", "data": [1], "subject": None}, id="other"),
    ],
)
def test_what_may_enter(changes: dict[str, Any]) -> None:
    assert accepted(**changes).region == "36.71"


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"id": None}, errors.InvalidAttribute, "id"),
        ({"id": ""}, errors.InvalidAttribute, "id"),
        ({"id": 7}, errors.InvalidAttribute, "id"),
        ({"id": "i" * 257}, errors.InvalidAttribute, "id"),
        ({"type": "t" * 257}, errors.InvalidAttribute, "type"),
        ({"subject": None}, errors.InvalidAttribute, "subject"),
        ({"subject": "s" * 257}, errors.InvalidAttribute, "subject"),
        ({"specversion": "0.3"}, errors.InvalidAttribute, "specversion"),
        ({"specversion": None}, errors.InvalidAttribute, "specversion"),
        ({"time": "2026-11-21"}, errors.InvalidAttribute, "time"),
        ({"time": "2026-11-21T08:00:00"}, errors.InvalidAttribute, "time"),
        ({"time": "2026-02-30T08:00:00Z"}, errors.InvalidAttribute, "time"),
        ({"time": 5}, errors.InvalidAttribute, "time"),
        ({"time": "1999-12-31T23:59:59Z"}, errors.TimeOutOfRange, "time"),
        (
            {"time": format_instant(NOW + timedelta(hours=24, milliseconds=1))},
            errors.TimeOutOfRange,
            "time",
        ),
        ({"region": "x"}, errors.InvalidAttribute, "region"),
        ({"seq": 4}, errors.InvalidAttribute, "seq"),
        ({"My-Ext": "x"}, errors.InvalidAttribute, None),
        ({"ext": {"a": 1}}, errors.InvalidAttribute, None),
        ({"ext": 1.5}, errors.InvalidAttribute, None),
        ({"ext": 2**31}, errors.InvalidAttribute, None),
        ({"test": "yes"}, errors.InvalidAttribute, "test"),
        ({"recordedtime": "now"}, errors.InvalidAttribute, "recordedtime"),
        ({"dataclassification": "restricted"}, errors.ClassificationRefused, "dataclassification"),
        ({"dataclassification": "odd"}, errors.ClassificationRefused, "dataclassification"),
        ({"data": "text"}, errors.InvalidData, "data"),
        ({"data": [1]}, errors.InvalidData, "data"),
        (data(service=""), errors.InvalidData, "data.service"),
        (data(service="s" * 65), errors.InvalidData, "data.service"),
        (data(service=7), errors.InvalidData, "data.service"),
        (data(service="_rest"), errors.InvalidData, "data.service"),
        (data(agency="a" * 65), errors.InvalidData, "data.agency"),
        (data(channel=""), errors.InvalidData, "data.channel"),
        (data(reason="r" * 65), errors.InvalidData, "data.reason"),
        (data(summary="x" * 4001), errors.InvalidData, "data.summary"),
        (data(duplicate_of="d" * 257), errors.InvalidData, "data.duplicate_of"),
        (data(rating=0), errors.InvalidData, "data.rating"),
        (data(rating=5), errors.InvalidData, "data.rating"),
        (data(rating=True), errors.InvalidData, "data.rating"),
        (data(rating=3.0), errors.InvalidData, "data.rating"),
        (data(fee_idr=-1), errors.InvalidData, "data.fee_idr"),
        (data(tariff_idr="5"), errors.InvalidData, "data.tariff_idr"),
        (data(due_at="soon"), errors.InvalidData, "data.due_at"),
        (data(location={"lat": 91, "lon": 0}), errors.InvalidData, "data.location"),
        (data(location={"lat": 1}), errors.InvalidData, "data.location"),
        (data(location=[1, 2]), errors.InvalidData, "data.location"),
        (data(area=3671), errors.InvalidData, "data.area"),
        (data(area="Periuk"), errors.InvalidData, "data.area"),
        (data(area="36.71.99"), errors.AreaUnknown, "data.area"),
        (data(area="33.28.01"), errors.AreaUnknown, "data.area"),
        (data(area="36.71"), errors.AreaUnknown, "data.area"),
        (data(big=2**53), errors.InvalidData, "data"),
        (data(big=float("inf")), errors.InvalidData, "data"),
        (data(blob="x" * 65_600), errors.DataTooLarge, "data"),
    ],
)
def test_what_is_refused(
    changes: dict[str, Any], error: type[EventRefused], field: str | None
) -> None:
    with pytest.raises(error) as refused:
        accepted(**changes)
    assert refused.value.field == field


def test_unknown_types_may_carry_any_data_of_any_field() -> None:
    assert accepted(type="org.example.x", data={"area": 5, "rating": 99}).type == "org.example.x"


def test_content_is_the_same_in_all_modes() -> None:
    structured = a_candidate(id="x", test=True, sequence=4, myext=5)
    binary = a_candidate(id="x", test="true", sequence="4", myext="5")
    assert content_digest(structured, KEY) == content_digest(binary, KEY)


@pytest.mark.parametrize("name", ["traceparent", "tracestate", "recordedtime"])
def test_transport_attributes_are_no_content(name: str) -> None:
    plain = a_candidate(id="x")
    sent_again = a_candidate(id="x", **{name: "2026-11-21T00:00:00Z"})
    assert content_digest(plain, KEY) == content_digest(sent_again, KEY)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"service": "lampu"}},
        {"data": None},
        {"subject": "L-2"},
        {"myext": "a"},
        {"time": "2026-11-21T00:00:00Z"},
    ],
)
def test_other_content_has_another_digest(changes: dict[str, Any]) -> None:
    plain, changed = a_candidate(id="x"), a_candidate(id="x", **changes)
    assert content_digest(plain, KEY) != content_digest(changed, KEY)


def test_the_digest_is_keyed() -> None:
    assert content_digest(a_candidate(id="x"), b"1") != content_digest(a_candidate(id="x"), b"2")


def test_order_of_members_is_no_content() -> None:
    one = Candidate({"a": "1", "b": "2"}, {"x": 1, "y": 2})
    other = Candidate({"b": "2", "a": "1"}, {"y": 2, "x": 1})
    assert content_digest(one, KEY) == content_digest(other, KEY)


def test_the_envelope_is_the_event_as_sent_but_masked() -> None:
    text = "Hubungi 0812-3456-7890 atau budi@contoh.id, NIK 3671012501900001"
    kept = json.loads(
        accepted(id="081234567890", data={"summary": text, "service": "jalan"}).envelope
    )
    assert kept["data"]["summary"] == "Hubungi [PHONE] atau [EMAIL], NIK [NIK]"
    assert kept["id"] == "081234567890"
    assert list(kept)[:3] == ["specversion", "id", "source"]


def test_data_in_base64_is_kept_as_sent() -> None:
    candidate = Candidate(dict(a_candidate(type="org.example.x").attributes), "AAEC", "data_base64")
    kept = json.loads(accept(candidate, a_source(), AREAS, NOW, KEY).envelope)
    assert kept["data_base64"] == "AAEC"
