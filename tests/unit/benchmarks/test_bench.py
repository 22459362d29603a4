"""What benchmarks are made of: events that a door takes, and figures with their aims."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import islice

import pytest

from app.domain.events import Candidate, accept
from benchmarks.events import APPS, Place, batches, events_of
from benchmarks.load import percentile
from benchmarks.report import AIMS, Aim
from benchmarks.wires import number_in
from tests.builders import FAMILIES, NOW, a_source

#: The names and figures that others read.
PROMISED = {
    "ingest_batch": {"ratio", "events_per_s"},
    "ingest_live": {"ratio", "events_per_s"},
    "ingest_single": {"ratio", "per_s", "p99_ms"},
    "project": {"events_per_s", "drain_s"},
    "rebuild": {"events_per_s"},
    "verify": {"events_per_s"},
    "glass": {"p50_ms", "p99_ms", "quiet_p50_ms"},
    "fan_out": {"ratio", "us"},
    "state_read": {"p99_ms", "ratio"},
    "reconnect": {"seconds"},
    "memory": {"rss_mb"},
}
AREAS = ("36.71.01", "36.71.05")


def place(app: str = "laksa") -> Place:
    return Place("36.71", app, AREAS)


def test_every_promised_figure_is_printed() -> None:
    printed: dict[str, set[str]] = {}
    for aim in AIMS:
        printed.setdefault(aim.benchmark, set()).add(aim.figure)
    for name, figures in PROMISED.items():
        assert figures <= printed[name]


@pytest.mark.parametrize("app", APPS)
def test_the_door_takes_every_event_and_each_means_something(app: str) -> None:
    source = a_source(urn=place(app).urn, app=app, family=FAMILIES[app])
    for made in islice(events_of(place(app), "x", NOW - timedelta(hours=1)), 500):
        event = json.loads(made.text)
        data = event.pop("data")
        kept = accept(Candidate(event, data), source, AREAS, NOW + timedelta(hours=1), b"key")
        assert (kept.source, kept.id, kept.type) == (made.source, made.id, made.type)
        assert (kept.subject, kept.time) == (made.subject, made.time.replace(microsecond=0))


def test_events_are_as_long_as_real_ones_and_their_ids_are_their_own() -> None:
    made = [
        one for batch in batches([place(app) for app in APPS], "x", NOW, 50, 3_000) for one in batch
    ]
    sizes = [len(one.text) for one in made]
    assert len(made) == len({(one.source, one.id) for one in made}) == 3_000
    assert 400 <= sum(sizes) / len(sizes) <= 600


def test_the_same_words_make_the_same_events() -> None:
    first, again = (list(islice(events_of(place(), "x", NOW), 100)) for _ in range(2))
    assert first == again
    assert first != list(islice(events_of(place(), "y", NOW), 100))


@pytest.mark.parametrize(
    ("aim", "value", "met"),
    [
        pytest.param(Aim("a", "b", 2.0), 2.0, True, id="at most: the bound itself"),
        pytest.param(Aim("a", "b", 2.0), 2.1, False, id="at most: above"),
        pytest.param(Aim("a", "b", 2.0, at_least=True), 2.0, True, id="at least: the bound itself"),
        pytest.param(Aim("a", "b", 2.0, at_least=True), 1.9, False, id="at least: below"),
    ],
)
def test_an_aim_is_met(aim: Aim, value: float, met: bool) -> None:
    assert aim.met(value) is met


def test_a_percentile_is_between_the_values() -> None:
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0
    assert 2.9 < percentile([1.0, 2.0, 3.0], 99) <= 3.0
    assert percentile([5.0], 99) == 5.0


def test_a_number_is_found_in_a_message() -> None:
    assert number_in(b'{"op":"delta","seq":41,"head":42}', b'"seq":') == 41
    assert number_in(b'{"op":"hello"}', b'"seq":') == -1
