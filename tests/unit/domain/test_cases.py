"""The fold, as a pure function of the set of a case's events."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.cases import Case, CaseKey, Folded, case_key_of, extend, fold
from app.domain.cells import Delta, check_conservation
from app.domain.events import LoggedEvent
from app.domain.families import FAMILIES, STATELESS_VERBS
from tests.builders import FAMILIES as APP_FAMILIES
from tests.builders import NOW, a_logged, a_report, an_event

KEY = CaseKey("laksa", "report", "L-1")
VERBS = [*FAMILIES["complaint"].kinds["report"].verbs, *sorted(STATELESS_VERBS)]


def folded(*events: dict[str, Any]) -> Folded:
    return fold(KEY, "complaint", [a_logged(event, n) for n, event in enumerate(events, 1)])


@st.composite
def histories(draw: st.DrawFn) -> list[LoggedEvent]:
    """Sets of events of one case, with many equal times and sequences."""
    size = draw(st.integers(1, 8))
    return [
        a_logged(
            a_report(
                draw(st.sampled_from(VERBS)),
                id=f"{draw(st.sampled_from('abc'))}{n}",
                minutes=draw(st.integers(0, 4)) * 40,
                sequence=draw(st.sampled_from([None, "1", "2", "10", "x"])),
                data=draw(
                    st.sampled_from(
                        [{}, {"service": "jalan"}, {"service": "lampu", "area": "36.71.05"}]
                    )
                ),
            ),
            n + 1,
        )
        for n in range(size)
    ]


@given(histories(), st.randoms())
def test_no_order_of_arrival_changes_a_case(history: list[LoggedEvent], chance: Any) -> None:
    shuffled = list(history)
    chance.shuffle(shuffled)
    assert fold(KEY, "complaint", shuffled) == fold(KEY, "complaint", history)


@given(histories())
def test_continuing_a_case_is_folding_it_whole(history: list[LoggedEvent]) -> None:
    continued = Folded(Case(KEY))
    for event in sorted(history, key=lambda event: event.order):
        extend(continued, event, "complaint")
    assert continued == fold(KEY, "complaint", history)


@given(histories())
def test_a_case_conserves(history: list[LoggedEvent]) -> None:
    result = fold(KEY, "complaint", history)
    delta = Delta()
    delta.count_case(result.case, 1)
    delta.count_flows("laksa", "report", result.flows, 1)
    check_conservation(delta, APP_FAMILIES)
    counts = dict.fromkeys(("opened", "closed", "reopened", "resolved"), 0)
    for metric, _ in result.flows:
        counts[metric] = counts.get(metric, 0) + 1
    assert counts["opened"] - counts["closed"] + counts["reopened"] == int(result.case.open)
    assert counts["reopened"] == result.case.reopen_count
    assert counts["resolved"] <= counts["closed"]


def test_folding_in_order_of_arrival_is_found_out() -> None:
    """The known-broken variant: events are folded as they came."""
    history = [a_report("resolved", minutes=9), a_report("submitted")]
    by_arrival = Folded(Case(KEY))
    for n, event in enumerate(history, 1):
        extend(by_arrival, a_logged(event, n), "complaint")
    assert by_arrival.case.state == "received"
    assert folded(*history).case.state == "resolved"


def test_first_event_with_a_closed_state_opens_and_closes_at_once() -> None:
    case = folded(a_report("resolved")).case
    assert (case.open, case.opened_at, case.first_response_at) == (
        False,
        case.closed_at,
        case.closed_at,
    )


def test_from_closed_to_closed_is_no_closing() -> None:
    result = folded(
        a_report("submitted"), a_report("rejected", minutes=1), a_report("withdrawn", minutes=2)
    )
    assert result.case.closed_at == NOW - timedelta(minutes=59)
    assert [flow.metric for flow in result.flows].count("closed") == 1
    assert result.case.state == "withdrawn"


def test_rejecting_is_a_closing_and_no_resolution() -> None:
    flows = [f.metric for f in folded(a_report("submitted"), a_report("rejected", minutes=1)).flows]
    assert flows == ["opened", "first_responded", "closed"]


def test_sequence_decides_between_equal_times_as_a_number() -> None:
    case = folded(a_report("resolved", sequence="9"), a_report("submitted", sequence="10")).case
    assert (case.state, case.reopen_count) == ("received", 1)


def test_id_decides_between_equal_times_and_sequences_by_code_point() -> None:
    case = folded(a_report("verified", id="é"), a_report("submitted", id="z")).case
    assert case.state == "verified"


def test_the_last_event_that_gives_a_field_wins() -> None:
    case = folded(
        a_report("submitted", data={"service": "jalan", "agency": "PUPR"}),
        a_report("corrected", minutes=5, data={"service": "lampu"}),
        a_report("verified", minutes=3, data={"service": "pohon", "agency": None}),
    ).case
    assert (case.service, case.agency) == ("lampu", "PUPR")


def test_without_a_state_event_there_is_no_case() -> None:
    result = folded(a_report("rated", data={"rating": 4}))
    assert (result.case.state, result.case.rating, result.flows) == (None, 4, [])


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(a_report("submitted", test=True), id="a test"),
        pytest.param(an_event(type="id.go.tangerangkota.app.heartbeat.v1"), id="a heartbeat"),
        pytest.param(a_report("flown"), id="a verb that nobody defined"),
        pytest.param(
            an_event(type="id.go.tangerangkota.perizinan.application.submitted.v1"),
            id="another family",
        ),
    ],
)
def test_what_belongs_to_no_case(event: dict[str, Any]) -> None:
    assert case_key_of(a_logged(event), "complaint") is None


def test_a_first_state_again_is_no_response() -> None:
    case = folded(a_report("submitted"), a_report("submitted", minutes=5)).case
    assert case.first_response_at is None


def test_overdue_from_the_due_instant_on() -> None:
    due = datetime.fromisoformat("2026-11-21T04:30:00Z")
    case = folded(a_report("submitted", data={"due_at": "2026-11-21T04:30:00Z"})).case
    assert [case.overdue(due - timedelta(seconds=1)), case.overdue(due)] == [False, True]
