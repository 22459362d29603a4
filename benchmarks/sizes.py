"""How large a run is: the whole one, a quick one, and one for the tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """What each benchmark works on. Times are seconds."""

    name: str
    #: Each figure is the median of so many rounds, taken in turns with its rival's.
    rounds: int
    #: Events of the small history, and of the large one.
    small: int
    large: int
    #: Events of one round of batches.
    batch_round: int
    single_s: float
    #: Full ingest for so long makes the backlog that the projector has to drain.
    backlog_s: float
    glass_s: float
    quiet_s: float
    glass_sockets: int
    crowd: int
    fan_out_s: float
    reads: int
    memory_sockets: int
    overload_s: float
    slow_s: float
    stalled: int
    slow: int
    healthy: int
    backfill_s: float


FULL = Sizes(
    name="full",
    rounds=5,
    small=10_000,
    large=1_000_000,
    batch_round=40_000,
    single_s=5,
    backlog_s=30,
    glass_s=30,
    quiet_s=30,
    glass_sockets=200,
    crowd=1_000,
    fan_out_s=10,
    reads=4_000,
    memory_sockets=500,
    overload_s=15,
    slow_s=12,
    stalled=100,
    slow=20,
    healthy=50,
    backfill_s=5,
)
#: A tenth of the events, and less patience; the numbers of sockets are the same.
QUICK = Sizes(
    name="quick",
    rounds=2,
    small=1_000,
    large=100_000,
    batch_round=8_000,
    single_s=1.5,
    backlog_s=3,
    glass_s=6,
    quiet_s=4,
    glass_sockets=200,
    crowd=1_000,
    fan_out_s=2,
    reads=1_000,
    memory_sockets=500,
    overload_s=4,
    slow_s=4,
    stalled=100,
    slow=20,
    healthy=50,
    backfill_s=2,
)
#: Proves that a benchmark runs; its figures say nothing.
TINY = Sizes(
    name="tiny",
    rounds=1,
    small=200,
    large=1_000,
    batch_round=1_000,
    single_s=0.3,
    backlog_s=0.3,
    glass_s=1,
    quiet_s=1,
    glass_sockets=8,
    crowd=10,
    fan_out_s=0.5,
    reads=40,
    memory_sockets=8,
    overload_s=0.5,
    slow_s=1,
    stalled=2,
    slow=1,
    healthy=2,
    backfill_s=0.5,
)
