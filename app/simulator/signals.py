"""What a source says of itself: heartbeats, and test events of those who integrate."""

from __future__ import annotations

from app.simulator.hours import HOUR, PERMITS, ROUND_THE_CLOCK
from app.simulator.life import Life
from app.simulator.plans import Plan


def _heartbeat(life: Life) -> None:
    life.say("heartbeat")


def _submitted(life: Life) -> None:
    life.say("submitted", {"service": "test"})


#: A source that is silent at night still lives: four heartbeats an hour say so.
HEARTBEAT = Plan("p", "", "HB", 0.0, 1.0, HOUR, ROUND_THE_CLOCK, _heartbeat, per_hour=4.0)


def test_plan(kind: str) -> Plan:
    """Return the plan of test events: about one in two days, never counted by anyone."""
    return Plan("t", kind, "TEST", 0.0, 1.0, HOUR, PERMITS, _submitted, per_hour=1 / 48, test=True)
