"""A source's data quality: what it sent that is new, refused, or unlikely.

The source system is the authority: a transition that looks illegal is accepted
and counted here as a fact about the source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from app.database import Engine, snapshot
from app.domain.errors import UnknownSource
from app.domain.events import LoggedEvent
from app.domain.families import Meaning, is_known_type, meaning_of
from app.repositories import event_log, quarantine, register


@dataclass(slots=True)
class Quality:
    """What a source's events tell of it; maps are counts by name."""

    source: str
    events: int = 0
    tests: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    new_types: Counter[str] = field(default_factory=Counter)
    anomalies: Counter[str] = field(default_factory=Counter)


async def read_quality(engine: Engine, urn: str) -> Quality:
    """Return the data quality of a source over its whole log.

    Raises:
        UnknownSource: no such source is registered.
    """
    async with snapshot(engine) as connection:
        source = (await register.sources(connection)).get(urn)
        if source is None:
            raise UnknownSource("no such source is registered", field="source")
        quality = Quality(urn)
        quality.refused = await quarantine.refusals(connection, source.region, urn)
        for event_type, (counted, tests) in (
            await event_log.types(connection, source.region, urn)
        ).items():
            quality.events += counted
            quality.tests += tests
            if counted and not is_known_type(event_type, source.family):
                quality.new_types[event_type] = counted
        cases: dict[tuple[str, str], list[LoggedEvent]] = {}
        async for events in event_log.of_source(connection, source.region, urn):
            for event in events:
                meaning = meaning_of(event.type, source.family)
                if meaning is not None and event.subject is not None:
                    cases.setdefault((meaning.kind.code, event.subject), []).append(event)
    for own in cases.values():
        quality.anomalies.update(anomalies_of(own, source.family))
    return quality


def anomalies_of(events: Sequence[LoggedEvent], family: str) -> Mapping[str, int]:
    """Count what is unlikely about the events of one case.

    ``no_submission``: the case does not begin with its kind's first state.
    ``second_submission``: that state was entered again, and the case had not
    been given back to the citizen before.
    ``event_after_closing``: a state event came after a closing, and neither
    reopened the case nor repeated its state.
    """
    found: Counter[str] = Counter()
    steps = [
        meaning
        for event in sorted(events, key=lambda event: event.order)
        if (meaning := meaning_of(event.type, family)) is not None and meaning.state is not None
    ]
    if not steps:
        return found
    first = steps[0].kind.first_state.code
    found["no_submission"] = int(_state(steps[0]) != first)
    found["second_submission"] = sum(
        _state(after) == first and not _is_paused(before) for before, after in pairwise(steps)
    )
    found["event_after_closing"] = sum(
        not _is_open(before) and not _is_open(after) and _state(before) != _state(after)
        for before, after in pairwise(steps)
    )
    return +found


def _state(meaning: Meaning) -> str:
    assert meaning.state is not None  # noqa: S101 - only steps with a state are kept
    return meaning.state.code


def _is_open(meaning: Meaning) -> bool:
    assert meaning.state is not None  # noqa: S101 - only steps with a state are kept
    return meaning.state.open


def _is_paused(meaning: Meaning) -> bool:
    assert meaning.state is not None  # noqa: S101 - only steps with a state are kept
    return meaning.state.paused
