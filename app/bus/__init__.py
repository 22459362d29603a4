"""Doorbells between processes: they carry no data, and a missed one is harmless.

Whoever listens also looks by itself once a second.
"""

from app.bus.doorbell import FRAMES, LOG, Bus, Ring
from app.bus.memory import MemoryBus
from app.bus.postgres import PostgresBus

__all__ = ["FRAMES", "LOG", "Bus", "MemoryBus", "PostgresBus", "Ring"]
