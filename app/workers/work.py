"""What is done for one region, in whichever process that is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from app import clock
from app.bus import Bus
from app.database import Engine, url_of
from app.services import rebuild as rebuilding
from app.services import verification
from app.services.rebuild import Rebuilt
from app.services.verification import Verification

#: Told how many events of the region have been folded so far.
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Tools:
    """What work on a region is done with."""

    engine: Engine
    bus: Bus


T = TypeVar("T")
#: Named by its module and name when it goes to another process, its result is pickled.
Work = Callable[[Tools, str, Progress], Awaitable[T]]


async def verify(tools: Tools, region: str, _: Progress) -> Verification:
    """Verify a region."""
    return await verification.verify(tools.engine, region)


async def rebuild(tools: Tools, region: str, progress: Progress) -> Rebuilt:
    """Rebuild a region."""
    engine = tools.engine
    return await rebuilding.rebuild(engine, url_of(engine), tools.bus, clock.now, region, progress)
