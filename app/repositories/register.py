"""The register: regions, apps, sources, and facts of the installation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.events import Source
from app.domain.region_state import Region
from app.models import AdoptionRow, AppRow, InstallationRow, RegionLogRow, RegionRow, SourceRow
from app.repositories.statements import run


async def fact(connection: AsyncConnection, name: str) -> str | None:
    """Return a fact of the installation."""
    rows = await connection.execute(
        select(InstallationRow.value).where(InstallationRow.name == name)
    )
    return rows.scalar_one_or_none()


async def set_fact(connection: AsyncConnection, name: str, value: str) -> str:
    """Set a fact unless it is set; return what holds."""
    await connection.execute(
        insert(InstallationRow).values(name=name, value=value).on_conflict_do_nothing()
    )
    held = await fact(connection, name)
    assert held is not None  # noqa: S101 - it was just set
    return held


@dataclass(frozen=True, slots=True)
class Tenant:
    """A region that has a log here, with what the register knows of it."""

    region: Region
    role: str | None
    partner_since: int | None
    population: int | None
    kecamatan: int


async def tenants(connection: AsyncConnection, code: str | None = None) -> list[Tenant]:
    """Return the regions that have a log, by code; or the one with ``code``."""
    below = (
        select(func.count())
        .where(RegionRow.parent == RegionLogRow.region)
        .correlate(RegionLogRow)
        .scalar_subquery()
    )
    own = RegionRow.__table__.alias("own")
    query = (
        select(
            own.c.code,
            own.c.name,
            own.c.level,
            own.c.timezone,
            own.c.role,
            own.c.partner_since,
            own.c.population,
            below,
        )
        .select_from(RegionLogRow)
        .join(own, own.c.code == RegionLogRow.region)
        .order_by(own.c.code)
    )
    if code is not None:
        query = query.where(own.c.code == code)
    rows = await connection.execute(query)
    return [Tenant(Region(*row[:4]), *row[4:]) for row in rows]


async def kecamatan(connection: AsyncConnection, region: str) -> dict[str, str]:
    """Return the names of a region's kecamatan by code."""
    rows = await connection.execute(
        select(RegionRow.code, RegionRow.name)
        .where(RegionRow.parent == region)
        .order_by(RegionRow.code)
    )
    return {row[0]: row[1] for row in rows}


async def areas(connection: AsyncConnection) -> dict[str, set[str]]:
    """Return, by tenant, the codes of everything below it that is valid."""
    rows = await run(
        connection,
        "SELECT left(code, 5), code FROM regions WHERE length(code) > 5 AND valid_to IS NULL",
    )
    found: dict[str, set[str]] = {}
    for tenant, code in rows:
        found.setdefault(tenant, set()).add(code)
    return found


async def add_regions(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add regions that are not there, parents before children."""
    if rows:
        await connection.execute(insert(RegionRow).on_conflict_do_nothing(), list(rows))


async def add_log(connection: AsyncConnection, region: str) -> bool:
    """Begin a region's log, unless it is there; say whether it was begun."""
    rows = await connection.execute(
        insert(RegionLogRow)
        .values(region=region, head=0)
        .on_conflict_do_nothing()
        .returning(RegionLogRow.region)
    )
    return rows.first() is not None


async def add_app(
    connection: AsyncConnection, code: str, name: str, group: str, family: str
) -> None:
    """Add an app unless its code is there."""
    await connection.execute(
        insert(AppRow)
        .values(code=code, name=name, app_group=group, family=family)
        .on_conflict_do_nothing()
    )


async def families(connection: AsyncConnection) -> dict[str, str]:
    """Return the family of every app."""
    rows = await connection.execute(select(AppRow.code, AppRow.family))
    return {row[0]: row[1] for row in rows}


async def apps(connection: AsyncConnection) -> list[tuple[str, str, str, str]]:
    """Return code, name, group and family of every app, by code."""
    rows = await connection.execute(
        select(AppRow.code, AppRow.name, AppRow.app_group, AppRow.family).order_by(AppRow.code)
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def add_adoption(
    connection: AsyncConnection, region: str, app: str, stage: str, since: datetime
) -> None:
    """Add an adoption unless the region has one of this app."""
    await connection.execute(
        insert(AdoptionRow)
        .values(region=region, app=app, stage=stage, since=since)
        .on_conflict_do_nothing()
    )


async def add_source(
    connection: AsyncConnection,
    source: Mapping[str, Any],
    now: datetime,
    expected_interval: timedelta | None = None,
) -> bool:
    """Add a source (region, urn, app, instance) unless it is there; say whether it was added."""
    values = dict(source, registered_at=now)
    if expected_interval is not None:
        values["expected_interval"] = expected_interval
    rows = await connection.execute(
        insert(SourceRow).values(values).on_conflict_do_nothing().returning(SourceRow.urn)
    )
    return rows.first() is not None


async def sources(connection: AsyncConnection) -> dict[str, Source]:
    """Return every registered source by URN."""
    rows = await connection.execute(
        select(SourceRow.urn, SourceRow.region, SourceRow.app, AppRow.family).join(
            AppRow, AppRow.code == SourceRow.app
        )
    )
    return {row[0]: Source(*row) for row in rows}
