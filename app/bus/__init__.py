"""Doorbells between processes: they carry no data, and a missed one is harmless.

Whoever listens also looks by itself once a second.
"""

from app.bus.address import check_bus_url
from app.bus.doorbell import ALL, FRAMES, LOG, OWNERS, Bus, Ring
from app.bus.memory import MemoryBus
from app.bus.opening import open_bus, try_nats
from app.bus.postgres import PostgresBus

__all__ = [
    "ALL",
    "FRAMES",
    "LOG",
    "OWNERS",
    "Bus",
    "MemoryBus",
    "PostgresBus",
    "Ring",
    "check_bus_url",
    "open_bus",
    "try_nats",
]
