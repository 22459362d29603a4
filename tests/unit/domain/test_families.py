"""The table of families as DOMAIN 3 has it."""

from __future__ import annotations

import pytest

from app.domain.families import FAMILIES, is_known_type, meaning_of

PREFIX = "id.go.tangerangkota."
SUCCESS = {"resolved", "issued", "placed", "filled", "hired", "completed"}
CLOSED = SUCCESS | {
    "rejected",
    "duplicate",
    "withdrawn",
    "expired",
    "lapsed",
    "closed",
    "declined",
    "failed",
}
PAUSED = {"on_hold", "returned", "payment_due"}


def test_states_are_open_successful_and_paused_as_written() -> None:
    states = [
        state
        for family in FAMILIES.values()
        for kind in family.kinds.values()
        for state in kind.states().values()
    ]
    assert {state.code for state in states if state.success} == SUCCESS
    assert {state.code for state in states if not state.open} == CLOSED
    assert {state.code for state in states if state.paused} == PAUSED


@pytest.mark.parametrize(
    ("event_type", "family", "state"),
    [
        ("laksa.report.submitted.v1", "complaint", "received"),
        ("complaint.report.submitted.v1", "complaint", "received"),
        ("laksa.report.duplicated.v1", "complaint", "duplicate"),
        ("perizinan.application.billed.v1", "permit", "payment_due"),
        ("siapkerja.seeker.card_issued.v1", "employment", "active"),
        ("siapkerja.vacancy.closed.v1", "employment", "closed"),
        ("siapkerja.application.hired.v1", "employment", "hired"),
        ("egov.transaction.completed.v1", "generic", "completed"),
    ],
)
def test_a_type_leads_to_its_state(event_type: str, family: str, state: str) -> None:
    meaning = meaning_of(PREFIX + event_type, family)
    assert meaning is not None
    assert meaning.state is not None
    assert meaning.state.code == state


@pytest.mark.parametrize("verb", ["rated", "corrected"])
def test_verbs_of_every_kind_lead_to_no_state(verb: str) -> None:
    for family in FAMILIES.values():
        for kind in family.kinds:
            meaning = meaning_of(f"{PREFIX}{family.segment}.{kind}.{verb}.v1", family.code)
            assert meaning is not None
            assert meaning.state is None


@pytest.mark.parametrize(
    "event_type",
    [
        PREFIX + "laksa.report.submitted.v2",
        PREFIX + "laksa.report.submitted",
        PREFIX + "laksa.report.submitted.v1.x",
        PREFIX + "laksa.seeker.submitted.v1",
        PREFIX + "perizinan.application.submitted.v1",
        "org.example." + "laksa.report.submitted.v1",
        PREFIX + "app.heartbeat.v1",
        "",
    ],
)
def test_other_types_have_no_meaning(event_type: str) -> None:
    assert meaning_of(event_type, "complaint") is None


def test_heartbeats_and_outages_are_known_and_the_rest_is_new() -> None:
    assert is_known_type(PREFIX + "app.outage_opened.v1", "complaint")
    assert not is_known_type(PREFIX + "app.lunch.v1", "complaint")
