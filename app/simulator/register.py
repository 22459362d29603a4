"""What the simulator asks of the server before it plays: the regions, and what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from typing import Any

import httpx

from app.simulator.options import Options
from app.simulator.source import EVENTS_PER_CASE, Source

#: How an app's share of its region's events stands to that of the others.
_APP_WEIGHTS = {"laksa": 0.62, "perizinan": 0.22, "siapkerja": 0.16}


@dataclass(frozen=True, slots=True)
class Region:
    """What the simulator knows of a region."""

    code: str
    zone: str
    areas: tuple[str, ...]
    population: int
    host: bool

    def weight(self) -> float:
        """Return how much goes on here.

        The root of the population: with the plain number the smallest wall would
        stand still. The host's people have used the apps for years.
        """
        return sqrt(self.population or 100_000) * (2 if self.host else 1)


def region_of(document: dict[str, Any]) -> Region:
    """Return the region of an answer of ``GET /v1/regions/{code}``."""
    return Region(
        code=document["code"],
        zone=document["timezone"],
        areas=tuple(sorted(document.get("areas", {}))),
        population=document.get("population") or 0,
        host=document.get("role") == "host",
    )


async def read_region(client: httpx.AsyncClient, code: str) -> Region:
    """Read a region from the register, which is open.

    Raises:
        httpx.HTTPError: the server is away, or does not know the region.
    """
    response = await client.get(f"/v1/regions/{code}")
    response.raise_for_status()
    return region_of(response.json())


async def last_heard(client: httpx.AsyncClient, source: Source, key: str) -> datetime | None:
    """Return when the server last heard the source; None if unknown or not for us to know."""
    headers = {"Authorization": f"Bearer {key}"}
    try:
        response = await client.get(f"/v1/regions/{source.region}/state", headers=headers)
        known = response.json()["state"]["sources"][source.urn]
        return datetime.fromisoformat(known["last_event_at"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None


def parts_of(urn: str) -> tuple[str, str]:
    """Return region and app of a source's URN.

    >>> parts_of("urn:pemda:36.71:laksa")
    ('36.71', 'laksa')

    Raises:
        ValueError: it is not the URN of an app of a pemda.
    """
    match urn.split(":"):
        case ["urn", "pemda", region, app, *_]:
            return region, app
    raise ValueError("a source is named urn:pemda:<region>:<app>")


def chosen(options: Options, urns: Sequence[str]) -> list[tuple[str, str]]:
    """Return region and app of the sources that take part, in order.

    Raises:
        ValueError: none does.
    """
    pairs = sorted(
        (region, app)
        for region, app in map(parts_of, urns)
        if app in EVENTS_PER_CASE
        and (options.regions is None or region in options.regions)
        and (options.apps is None or app in options.apps)
    )
    if not pairs:
        raise ValueError("no source that could be played has a key")
    return pairs


def share_out(
    options: Options, pairs: Sequence[tuple[str, str]], regions: dict[str, Region], rate: float
) -> list[Source]:
    """Return the sources, among whom ``rate`` events a second are shared out."""
    weights = [regions[region].weight() * _APP_WEIGHTS[app] for region, app in pairs]
    return [
        Source(
            seed=options.seed,
            region=region,
            app=app,
            areas=regions[region].areas,
            zone=regions[region].zone,
            intensity=rate * weight / sum(weights),
        )
        for (region, app), weight in zip(pairs, weights, strict=True)
    ]
