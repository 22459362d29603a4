"""``kentongan migrate``, ``seed`` and ``doctor``."""

from __future__ import annotations

import asyncio
import platform
import shutil
from pathlib import Path
from typing import Any

import typer

from app.bus import try_nats
from app.cli.database import DataDir, Json, database_url, prepared_engine, settings_for
from app.cli.output import print_json, say
from app.clock import now
from app.database import make_engine
from app.domain.errors import DomainError
from app.embedded import EmbeddedPostgresError
from app.main import STATIC
from app.services import installation
from app.services.health import Health
from app.settings import Settings

#: Events that a busy projector may be behind at any moment.
ORDINARY_LAG = 10_000


def migrate(data_dir: DataDir = None, json: Json = False) -> None:
    """Bring the database to this program's schema."""
    settings = settings_for(data_dir)

    async def main() -> str:
        async with database_url(data_dir, settings) as url:
            engine = make_engine(url, pool_size=1, command_timeout=None)
            try:
                return await installation.migrate(engine)
            finally:
                await engine.dispose()

    revision = asyncio.run(main())
    print_json({"revision": revision}) if json else say(f"The database stands at {revision}.")


def seed(data_dir: DataDir = None, json: Json = False) -> None:
    """Bring in the documented regions and apps; what is there stays."""
    settings = settings_for(data_dir)

    async def main() -> None:
        async with database_url(data_dir, settings) as url:
            engine = make_engine(url, pool_size=1, command_timeout=None)
            try:
                await installation.prepare(engine, now)
            finally:
                await engine.dispose()

    asyncio.run(main())
    print_json({"seeded": True}) if json else say("The documented regions and apps are there.")


def doctor(data_dir: DataDir = None, json: Json = False) -> None:
    """Look at the machine and the database, and say what needs a person."""
    settings = settings_for(data_dir)

    async def look() -> dict[str, Any]:
        try:
            async with prepared_engine(data_dir, settings) as engine:
                health = Health(engine, now)
                readiness = await health.readiness()
                report = await health.report()
                return report | {"problems": readiness.problems, "halted": readiness.halted}
        except (DomainError, EmbeddedPostgresError) as error:
            # What keeps every other command from its work is here a finding.
            return {"lag": {}, "problems": [str(error)], "halted": {}}

    async def main() -> dict[str, Any]:
        return await look() | await _bus(settings)

    report: dict[str, Any] = {
        "python": platform.python_version(),
        "web_part": (STATIC / "index.html").is_file(),
        "disk_free_gb": round(shutil.disk_usage(_existing(settings.data_dir)).free / 1e9, 1),
    }
    report |= asyncio.run(main())
    findings = _findings(report)
    if json:
        print_json(report | {"findings": findings})
    else:
        for name, value in report.items():
            say(f"{name:>16}  {value}")
        for finding in findings:
            say(f"! {finding}")
        if not findings:
            say("Nothing needs a person.")
    raise typer.Exit(1 if findings else 0)


async def _bus(settings: Settings) -> dict[str, Any]:
    """Say what carries doorbells between processes, and whether it answers."""
    if settings.bus_url is None:
        return {"bus": "postgresql", "bus_problem": None}
    try:
        await try_nats(settings.bus_url.get_secret_value())
    except ConnectionError as error:
        return {"bus": "nats", "bus_problem": str(error)}
    return {"bus": "nats", "bus_problem": None}


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())


def _findings(report: dict[str, Any]) -> list[str]:
    findings = list(report["problems"])
    findings += [f"{channel} is halted: {why}" for channel, why in report["halted"].items()]
    if report["bus_problem"]:
        findings.append(
            f"the bus does not let us in ({report['bus_problem']}): numbers stay right, and walls"
            " move up to a second later"
        )
    if not report["web_part"]:
        findings.append("the web part is not built: run `make setup`")
    if report["disk_free_gb"] < 1:
        findings.append("less than 1 GB of disk is free")
    findings += [
        f"{channel} is {lag} events behind its log"
        for channel, lag in report["lag"].items()
        if lag > ORDINARY_LAG
    ]
    return findings
