"""Reading cases: filters, pages, and one case with its history (3.2)."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.database import transaction
from tests.api.client import Api, Place, check_problem, folded, present
from tests.api.conftest import Installation, MakePlace
from tests.live_client import LiveClient


def ago(**span: float) -> str:
    """Write the instant so long before now."""
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


@pytest.fixture
async def cases(
    installation: Installation, api: Api, place: Place, wall: LiveClient, places: MakePlace
) -> list[str]:
    """Bring in eight cases of several states, services and areas; returns the areas used."""
    async with transaction(installation.engine) as connection:
        rows = await connection.execute(
            text("SELECT code FROM regions WHERE parent = :region ORDER BY code LIMIT 2"),
            {"region": place.region},
        )
        first, second = rows.scalars()
        villages = await connection.execute(
            text("SELECT code FROM regions WHERE parent = :area ORDER BY code LIMIT 1"),
            {"area": first},
        )
        village = villages.scalar_one()
    late = ago(days=1)
    cases = [
        place.event(subject="A", time=ago(hours=9), data={"service": "jalan", "area": first}),
        place.event(subject="B", time=ago(hours=8), data={"service": "jalan", "area": village}),
        place.event(subject="C", time=ago(hours=7), data={"service": "lampu", "area": second}),
        place.event(subject="D", time=ago(hours=6), data={"due_at": late}),
        place.event(subject="E", time=ago(hours=5), data={"due_at": late}),
        place.event(subject="F", time=ago(hours=5), data={"due_at": "2099-01-01T00:00:00Z"}),
        place.report("verified", "B", time=ago(hours=4)),
        place.report("resolved", "E", time=ago(hours=3)),
        place.report("rated", "G", time=ago(hours=2), data={"rating": 3}),
    ]
    permits = await places(place.region, "perizinan")
    permit = permits.event(
        type="id.go.tangerangkota.perizinan.application.submitted.v1",
        subject="A",
        time=ago(hours=1),
        data={"service": "imb"},
    )
    await Api(api.http, permits.key).send(permit)
    await folded(api, place, wall, *cases)
    return [first, village, second]


async def listed(api: Api, place: Place, **wanted: Any) -> list[str]:
    """Return the cases of a query as app/id."""
    answer = await api.get("/v1/cases", params={"region": place.region} | wanted)
    assert answer.status_code == 200, answer.text
    return [f"{case['app']}/{case['case_id']}" for case in answer.json()["cases"]]


async def test_cases_are_filtered_by_everything_they_have(
    api: Api, place: Place, cases: list[str]
) -> None:
    first, village, second = cases
    everything = [
        *("perizinan/A", "laksa/F", "laksa/E", "laksa/D", "laksa/C", "laksa/B", "laksa/A")
    ]
    assert sorted(await listed(api, place)) == sorted(everything)
    assert await listed(api, place, app="perizinan") == ["perizinan/A"]
    assert await listed(api, place, kind="application") == ["perizinan/A"]
    assert await listed(api, place, state="verified") == ["laksa/B"]
    assert await listed(api, place, service="jalan") == ["laksa/B", "laksa/A"]
    assert await listed(api, place, area=first) == ["laksa/B", "laksa/A"]
    assert await listed(api, place, area=village.replace(".", "")) == ["laksa/B"]
    assert await listed(api, place, area=second) == ["laksa/C"]
    assert await listed(api, place, overdue="true") == ["laksa/D"]
    assert "laksa/D" not in await listed(api, place, overdue="false")
    assert await listed(api, place, app="laksa", service="jalan", state="received") == ["laksa/A"]
    assert await listed(api, place, service="' OR 1=1 --") == []
    assert await listed(api, place, service="%") == []
    # Newest opening first.
    opened = [case.split("/")[1] for case in await listed(api, place, app="laksa")]
    assert opened[2:] == ["D", "C", "B", "A"]


async def test_a_case_is_told_to_the_letter_with_its_history(
    api: Api, place: Place, wall: LiveClient
) -> None:
    times = {name: ago(minutes=m) for name, m in (("a", 50), ("b", 40), ("c", 30), ("d", 20))}
    due = "2099-01-01T00:00:00.000Z"
    events = [
        place.event(
            subject="L",
            time=times["a"],
            data={"service": "jalan", "agency": "PUPR", "channel": "app", "due_at": due},
        ),
        place.report("resolved", "L", time=times["c"]),
        place.report("reopened", "L", time=times["d"]),
        place.report("verified", "L", time=times["b"]),
        place.report("rated", "L", time=times["d"], data={"rating": 4}, sequence="1"),
    ]
    await folded(api, place, wall, *events)
    body = (await api.get(f"/v1/cases/{place.region}/laksa/report/L")).json()
    assert body["case"] == {
        "region": place.region,
        "app": "laksa",
        "kind": "report",
        "case_id": "L",
        "state": "reopened",
        "open": True,
        "overdue": False,
        "opened_at": written(times["a"]),
        "first_response_at": written(times["b"]),
        "closed_at": None,
        "due_at": due,
        "service": "jalan",
        "area": None,
        "agency": "PUPR",
        "channel": "app",
        "reopen_count": 1,
    }
    order = [events[0], events[3], events[1], events[2], events[4]]
    states = ["received", "verified", "resolved", "reopened", None]
    assert [line["id"] for line in body["history"]] == [event["id"] for event in order]
    assert [line["state"] for line in body["history"]] == states
    assert [line["seq"] for line in body["history"]] == [1, 4, 2, 3, 5]
    assert {line["source"] for line in body["history"]} == {place.source}
    assert "data" not in body["history"][0]


def written(instant: str) -> str:
    """Write an instant as the API does."""
    moment = datetime.fromisoformat(instant)
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@pytest.mark.parametrize("case", ["laksa/report/none", "laksa/none/A", "none/report/A"])
async def test_a_case_that_is_not_there_is_404(
    api: Api, place: Place, cases: list[str], case: str
) -> None:
    check_problem(await api.get(f"/v1/cases/{place.region}/{case}"), 404, "unknown-case")


async def test_a_case_that_no_state_event_opened_is_none(
    api: Api, place: Place, cases: list[str]
) -> None:
    check_problem(await api.get(f"/v1/cases/{place.region}/laksa/report/G"), 404, "unknown-case")


async def test_pages_of_cases_have_no_gap_while_cases_come_and_close(
    api: Api, place: Place, wall: LiveClient
) -> None:
    names = [f"old-{n:02}" for n in range(20)]
    # Several open at one instant, so that the instant alone is no cursor.
    opened = [ago(hours=2), ago(hours=3)]
    first = [place.event(subject=n, time=opened[i % 2]) for i, n in enumerate(names)]
    await folded(api, place, wall, *first)
    seen: list[str] = []
    cursor = None
    while True:
        wanted = {"region": place.region, "limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await api.get("/v1/cases", params=wanted)).json()
        seen += [case["case_id"] for case in page["cases"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        changes = [place.event(time=present()), place.report("resolved", names[len(seen) - 1])]
        await folded(api, place, wall, *changes)
    assert sorted(seen) == names


def a_cursor(*parts: Any) -> str:
    """Write what a cursor looks like inside."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "RAHASIA",
        "!",
        "é",
        a_cursor(),
        a_cursor("now", "a", "b", "c"),
        a_cursor("2026-01-01T00:00:00Z", "a", "b"),
        a_cursor("2026-01-01T00:00:00Z", 1, 2, 3),
        a_cursor("2026-01-01T00:00:00Z", "a", "b", "\u0000"),
        a_cursor("2026-01-01T00:00:00Z", "a", "b", "\ud800"),
        a_cursor("0001-01-01T00:00:00+23:59", "a", "b", "c"),
        "W1tbW1tb" * 200,
        "x" * 3_000,
    ],
)
async def test_a_cursor_that_was_never_given_is_422(
    city_api: Api, city: Place, cursor: str
) -> None:
    answer = await city_api.get("/v1/cases", params={"region": city.region, "cursor": cursor})
    assert check_problem(answer, 422, "invalid-parameter")["field"] == "cursor"


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"limit": "RAHASIA"}, "limit"),
        ({"limit": "1e3"}, "limit"),
        ({"overdue": "RAHASIA"}, "overdue"),
        ({"area": "RAHASIA"}, "area"),
        ({"area": "36.71.01.1003.extra.long"}, "area"),
        ({"state": ""}, "state"),
        ({"state": "RAHASIA" * 10}, "state"),
        ({"service": "\u0000"}, "service"),
        ({"region": "RAHASIA"}, "region"),
        ({"region": "x" * 21}, "region"),
    ],
)
async def test_a_parameter_without_a_meaning_is_422_and_not_repeated(
    city_api: Api, city: Place, wanted: dict[str, Any], field: str
) -> None:
    answer = await city_api.get("/v1/cases", params={"region": city.region} | wanted)
    problem = check_problem(answer, 422, "invalid-parameter")
    assert problem["field"] == field
    assert "RAHASIA" not in answer.text


async def test_a_missing_parameter_is_named(city_api: Api) -> None:
    for path in ("/v1/cases", "/v1/events"):
        problem = check_problem(await city_api.get(path), 422, "invalid-parameter")
        assert problem["field"] == "region"
