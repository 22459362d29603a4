"""The living city of the demo: a client of the public API alone.

``events_between`` is pure and says what happens; ``simulate`` posts it.
"""

from app.simulator.options import Options, Summary
from app.simulator.run import simulate
from app.simulator.source import Event, Source
from app.simulator.stream import events_between

__all__ = ["Event", "Options", "Source", "Summary", "events_between", "simulate"]
