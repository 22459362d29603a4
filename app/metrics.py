"""Names of what is measured, once for the whole program."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("kentongan_events_total", "Events by what became of them.", ["region", "outcome"])
GROUP_SIZE = Histogram(
    "kentongan_group_events",
    "Events in one group commit.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048),
)
GROUP_SECONDS = Histogram(
    "kentongan_group_seconds",
    "Time of one group commit, until it is on disk.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
OVERLOADED = Counter(
    "kentongan_overloaded_total", "Requests that were told to come again, for lack of room or turn."
)
PENDING = Gauge("kentongan_pending_events", "Events waiting for the next group commit.")
# The projector serves no page: what it does is read from the database, by the
# process that is asked. Each number of it here is of the whole installation.
HEAD = Gauge("kentongan_log_events", "Events in the log.", ["region"])
REV = Gauge("kentongan_channel_rev", "Newest rev of the channel's epoch.", ["channel"])
PICTURE_AGE = Gauge(
    "kentongan_picture_age_seconds", "Time since the channel's picture was last true.", ["channel"]
)
LAG = Gauge("kentongan_projector_lag_events", "Events in the log not yet folded.", ["region"])
HALTED = Gauge(
    "kentongan_projector_halted", "1 where folding stopped on a broken invariant.", ["region"]
)
SOCKETS = Gauge("kentongan_sockets", "Open websockets.")
SENT = Counter("kentongan_live_messages_total", "Messages sent to websockets.", ["op"])
GLASS = Histogram(
    "kentongan_glass_seconds",
    "Time from an event to the glass, as walls report it.",
    buckets=(0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 20),
)
