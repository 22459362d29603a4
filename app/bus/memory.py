"""The bus within one process."""

from __future__ import annotations

import asyncio

from app.bus.doorbell import Ring


class MemoryBus:
    """Rings the listeners of this process at once."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Ring]] = {}

    def ring(self, topic: str, names: set[str]) -> None:
        """Ring every listener of the topic."""
        for listener in self._listeners.get(topic, ()):
            listener(names)

    def listen(self, topic: str, ring: Ring) -> None:
        """Call ``ring`` whenever the topic is rung."""
        self._listeners.setdefault(topic, []).append(ring)

    async def run(self) -> None:
        """Nothing has to be carried; wait to be cancelled."""
        await asyncio.Event().wait()

    async def flush(self) -> None:
        """Whatever was rung has been heard."""
