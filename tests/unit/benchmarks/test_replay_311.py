"""The replay of 311 requests, against a small server that folds with our own fold."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from app.domain.cases import Case as FoldedCase
from app.domain.cases import CaseKey, fold
from app.domain.events import LoggedEvent
from benchmarks.nyc_311 import (
    REGION_OF_BOROUGH,
    Cell,
    Event,
    Place,
    Row,
    case_of,
    counts_of,
    counts_of_file,
    events_of,
    source_of,
    split,
    wall_counts_of,
)
from benchmarks.replay_311 import ReplayError, Server, arguments, batches_of, replay
from benchmarks.report_311 import Outcome, show

WIB = ZoneInfo("Asia/Jakarta")
PLACES = {
    region: Place(WIB, [f"{region}.{number:02d}" for number in range(1, 13)])
    for region in REGION_OF_BOROUGH.values()
}
KEYS = {source_of(region): "key" for region in PLACES}


def a_row(**changed: str) -> Row:
    return {
        "Unique Key": "64345465",
        "Created Date": "3/13/2025 23:20",
        "Closed Date": "3/14/2025 1:05",
        "Agency": "NYPD",
        "Complaint Type": "Animal-Abuse",
        "Descriptor": "Neglected",
        "Status": "Closed",
        "Resolution Action Updated Date": "3/14/2025 0:10",
        "Community Board": "05 BROOKLYN",
        "Borough": "BROOKLYN",
    } | {name.replace("_", " "): value for name, value in changed.items()}


def steps_of(row: Row) -> list[tuple[str, object]]:
    return [(str(event["type"]).split(".")[-2], event["time"]) for event in events_of(row, PLACES)]


def test_a_row_becomes_the_steps_of_a_report_in_the_regions_local_time() -> None:
    assert steps_of(a_row()) == [
        ("submitted", "2025-03-13T16:20:00.000Z"),
        ("progressed", "2025-03-13T17:10:00.000Z"),
        ("resolved", "2025-03-13T18:05:00.000Z"),
    ]
    first = next(events_of(a_row(), PLACES))
    assert first["source"] == "urn:pemda:33.28:laksa"
    assert first["data"] == {
        "service": "Animal-Abuse",
        "agency": "NYPD",
        "summary": "Neglected",
        "area": "33.28.05",
    }


@pytest.mark.parametrize(
    ("changed", "verbs", "state"),
    [
        pytest.param({}, "submitted progressed resolved", "resolved", id="as usual"),
        pytest.param(
            {"Closed_Date": ""}, "submitted progressed", "in_progress", id="not closed, acted upon"
        ),
        pytest.param(
            {"Closed_Date": "", "Resolution_Action_Updated_Date": ""},
            "submitted",
            "received",
            id="not acted upon",
        ),
        pytest.param(
            {"Resolution_Action_Updated_Date": "3/14/2025 1:05"},
            "submitted resolved",
            "resolved",
            id="the last action is the closing",
        ),
        pytest.param(
            {"Resolution_Action_Updated_Date": "3/14/2025 9:00"},
            "submitted resolved",
            "resolved",
            id="the last action came after the closing",
        ),
        pytest.param(
            {"Resolution_Action_Updated_Date": "3/13/2025 23:19"},
            "submitted resolved",
            "resolved",
            id="the last action came before the opening",
        ),
        pytest.param(
            {"Resolution_Action_Updated_Date": "3/13/2025 23:20"},
            "submitted progressed resolved",
            "resolved",
            id="acted upon in the minute of opening",
        ),
        pytest.param(
            {"Closed_Date": "3/13/2025 23:20"},
            "submitted resolved",
            "resolved",
            id="closed in the minute of opening",
        ),
    ],
)
def test_which_steps_a_row_has(changed: dict[str, str], verbs: str, state: str) -> None:
    row = a_row(**changed)
    assert [verb for verb, _ in steps_of(row)] == verbs.split()
    assert case_of(row, PLACES).state == state


def test_a_row_without_a_borough_is_left_out() -> None:
    kept, left_out = split([a_row(), a_row(Borough="Unspecified")])
    assert (len(kept), len(left_out)) == (1, 1)


@pytest.mark.parametrize("board", ["13 BROOKLYN", "55 BROOKLYN", "Unspecified BROOKLYN", "0 X"])
def test_a_board_without_a_kecamatan_gives_no_area(board: str) -> None:
    assert case_of(a_row(Community_Board=board), PLACES).area is None


TIMES = st.integers(0, 3 * 24 * 60 - 1).map(
    lambda minute: f"1/{1 + minute // 1440}/2025 {minute // 60 % 24}:{minute % 60:02d}"
)
ROWS = st.lists(
    st.builds(
        lambda opened, closed, acted, borough, service, board: a_row(
            Created_Date=opened,
            Closed_Date=closed,
            Resolution_Action_Updated_Date=acted,
            Borough=borough,
            Complaint_Type=service,
            Community_Board=board,
        ),
        TIMES,
        st.just("") | TIMES,
        st.just("") | TIMES,
        st.sampled_from([*REGION_OF_BOROUGH, "Unspecified"]),
        st.sampled_from(["Dead Animal", "Pet Shop"]),
        st.sampled_from(["01 X", "02 X", "99 X"]),
    ),
    max_size=30,
).map(lambda rows: [row_ordered(row, number) for number, row in enumerate(rows)])


def row_ordered(row: Row, number: int) -> Row:
    """Give a drawn row a key of its own, and a closing that is not before its opening."""
    opened, closed = (
        datetime.strptime(row[name], "%m/%d/%Y %H:%M") if row[name] else None  # noqa: DTZ007
        for name in ("Created Date", "Closed Date")
    )
    late = closed and opened and closed < opened
    return dict(row) | {
        "Unique Key": str(number),
        "Closed Date": row["Created Date"] if late else row["Closed Date"],
    }


@given(rows=ROWS)
@settings(max_examples=60, deadline=None)
def test_both_ways_of_counting_the_file_agree(rows: list[Row]) -> None:
    kept, _ = split(rows)
    assert counts_of(case_of(row, PLACES) for row in kept) == counts_of_file(kept)


@dataclass
class SmallServer:
    """Keeps each event once and folds when asked; ``spoil`` may falsify its answers."""

    log: dict[str, dict[str, tuple[int, Event]]] = field(default_factory=lambda: defaultdict(dict))
    refuse: int = 0
    spoil: Callable[[dict[str, Any]], None] = lambda _: None
    arrival_order: bool = False

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.MockTransport(self._handle), base_url="http://city"
        )

    def _handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.strip("/").split("/")
        if path == ["v1", "events"]:
            return self._take(json.loads(request.content))
        if path == ["v1", "cases"]:
            document = self._cases(request.url.params)
        elif path[-1] == "state":
            document = self._state(path[2])
        else:
            areas = dict.fromkeys(PLACES[path[2]].areas, "Kecamatan")
            document = {"timezone": "Asia/Jakarta", "areas": areas}
        self.spoil(document)
        return httpx.Response(200, json=document)

    def _take(self, batch: list[Event]) -> httpx.Response:
        if self.refuse:
            self.refuse -= 1
            return httpx.Response(429, headers={"Retry-After": "0"})
        accepted = 0
        for event in batch:
            log = self.log[str(event["source"]).split(":")[2]]
            accepted += str(event["id"]) not in log
            log.setdefault(str(event["id"]), (len(log) + 1, event))
        counts = {"accepted": accepted, "duplicates": len(batch) - accepted}
        return httpx.Response(202, json=counts)

    def _folded(self, region: str) -> list[FoldedCase]:
        cases = defaultdict(list)
        for seq, event in self.log[region].values():
            cases[str(event["subject"])].append(self._logged(seq, event))
        return [
            fold(CaseKey("laksa", "report", name), "complaint", events).case
            for name, events in sorted(cases.items())
        ]

    def _logged(self, seq: int, event: Event) -> LoggedEvent:
        at = datetime.fromisoformat(str(event["time"]))
        return LoggedEvent(
            seq=seq,
            source=str(event["source"]),
            id=str(event["id"]),
            type=str(event["type"]),
            app="laksa",
            subject=str(event["subject"]),
            time=at,
            sequence=seq if self.arrival_order else int(str(event["sequence"])),
            received_at=at,
            test=False,
            data=event["data"],  # type: ignore[arg-type]
        )

    def _cases(self, query: httpx.QueryParams) -> dict[str, Any]:
        cases = [self._shown(query["region"], case) for case in self._folded(query["region"])]
        start, size = int(query.get("cursor", "0")), 3
        more = start + size < len(cases)
        return {
            "cases": cases[start : start + size],
            "next_cursor": str(start + size) if more else None,
        }

    def _shown(self, region: str, case: FoldedCase) -> dict[str, Any]:
        def shown(at: datetime | None) -> str | None:
            return at.isoformat() if at else None

        return {
            "region": region,
            "case_id": case.key.case_id,
            "state": case.state,
            "service": case.service,
            "area": case.area,
            "opened_at": shown(case.opened_at),
            "first_response_at": shown(case.first_response_at),
            "closed_at": shown(case.closed_at),
        }

    def _state(self, region: str) -> dict[str, Any]:
        cases = self._folded(region)
        head = len(self.log[region])
        report = {
            "by_state": Counter(case.state for case in cases),
            "by_service": Counter(case.service for case in cases if case.open),
            "by_area": Counter(case.area for case in cases if case.open and case.area),
        }
        state = {"apps": {"laksa": {"report": report}} if cases else {}}
        return {"seq": head, "head": head, "state": state}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [
        a_row(Unique_Key="1"),
        a_row(Unique_Key="2", Closed_Date="3/13/2025 23:20"),
        a_row(Unique_Key="3", Closed_Date="", Borough="QUEENS"),
        a_row(Unique_Key="4", Closed_Date="", Resolution_Action_Updated_Date="", Borough="BRONX"),
        a_row(Unique_Key="5", Borough="Unspecified"),
        *(a_row(Unique_Key=str(number), Closed_Date="3/13/2025 23:20") for number in range(6, 30)),
    ]
    text = StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path = tmp_path / "requests.csv"
    path.write_text(text.getvalue())
    return path


async def replayed(file: Path, server: SmallServer) -> Outcome:
    async with server.client() as client:
        return await replay(file, Server(client, KEYS), seed=1)


async def test_a_right_server_agrees_to_the_last_case(file: Path) -> None:
    outcome = await replayed(file, SmallServer(refuse=2))
    assert outcome.agrees()
    assert (outcome.rows, outcome.left_out) == (28, 1)
    assert outcome.posted["accepted"] == 25 * 2 + 3 + 2 + 1
    assert outcome.posted["duplicates"] > 0
    assert outcome.api[Cell("33.28", "state", "resolved")] == 26
    assert outcome.api[Cell("33.28", "opened", "2025-03-13")] == 26
    assert outcome.api[Cell("36.03", "by_state", "in_progress")] == 1


async def test_a_second_replay_adds_nothing_and_agrees(file: Path) -> None:
    server = SmallServer()
    await replayed(file, server)
    again = await replayed(file, server)
    assert again.agrees()
    assert again.posted["accepted"] == 0


async def test_cases_of_others_are_told_apart(file: Path) -> None:
    server = SmallServer()
    other = next(events_of(a_row(), PLACES)) | {"id": "LK-1-1", "subject": "LK-1"}
    server.log["33.28"]["LK-1-1"] = (1, other)
    assert (await replayed(file, server)).agrees()


async def test_a_server_that_folds_in_order_of_arrival_is_found_out(file: Path) -> None:
    outcome = await replayed(file, SmallServer(arrival_order=True))
    assert outcome.cases_differing


def lose_a_case(answer: dict[str, Any]) -> None:
    if answer.get("cases"):
        answer["cases"].pop()


def move_a_closing(answer: dict[str, Any]) -> None:
    for case in answer.get("cases", []):
        if case["closed_at"]:
            case["closed_at"] = "2025-03-13T18:06:00+00:00"


def miscount_a_state(answer: dict[str, Any]) -> None:
    apps = answer.get("state", {}).get("apps", {})
    if apps:
        apps["laksa"]["report"]["by_state"]["resolved"] = 99


@pytest.mark.parametrize("spoil", [lose_a_case, move_a_closing, miscount_a_state])
async def test_a_wrong_answer_is_found_out(
    file: Path, spoil: Callable[[dict[str, Any]], None]
) -> None:
    outcome = await replayed(file, SmallServer(spoil=spoil))
    assert not outcome.agrees()
    shown = Console(width=200, record=True, file=StringIO())
    show(outcome, shown)
    assert "differ" in shown.export_text()


async def test_a_refusing_server_ends_the_replay(file: Path) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        return httpx.Response(422, json={"rejected": 1})

    server = SmallServer()
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(
            lambda request: refuse(request) if request.method == "POST" else server._handle(request)
        ),
        base_url="http://city",
    ) as client:
        with pytest.raises(ReplayError, match="422"):
            await replay(file, Server(client, KEYS), seed=1)


async def test_the_outcome_is_shown_to_people_and_as_json(file: Path) -> None:
    outcome = await replayed(file, SmallServer())
    shown = Console(width=200, record=True, file=StringIO())
    show(outcome, shown)
    text = shown.export_text()
    assert "All agrees, to the last case" in text
    assert "BROOKLYN".title() in text
    assert "1 left out" in text
    assert json.loads(json.dumps(outcome.as_dict()))["agrees"] is True


def test_batches_are_shuffled_and_repeat_some_events_and_lose_none() -> None:
    events: list[Event] = [{"id": str(number)} for number in range(500)]
    sent = [event["id"] for batch in batches_of(events, Random(3)) for event in batch]
    assert set(sent) == {event["id"] for event in events}
    assert 550 < len(sent) < 650
    assert sent[:20] != sorted(sent[:20], key=lambda name: int(str(name)))
    assert sent == [event["id"] for batch in batches_of(events, Random(3)) for event in batch]


def test_the_wall_counts_all_cases_by_state_and_open_ones_by_service_and_area() -> None:
    closed, open_ = case_of(a_row(), PLACES), case_of(a_row(Closed_Date=""), PLACES)
    assert wall_counts_of([closed, open_]) == {
        Cell("33.28", "by_state", "resolved"): 1,
        Cell("33.28", "by_state", "in_progress"): 1,
        Cell("33.28", "by_service", "Animal-Abuse"): 1,
        Cell("33.28", "by_area", "33.28.05"): 1,
    }


def test_the_command_line_says_where_the_server_is() -> None:
    options = arguments(["file.csv", "--url", "http://127.0.0.1:8123", "--json"])
    assert (options.url, options.json, options.seed) == ("http://127.0.0.1:8123", True, 311)
