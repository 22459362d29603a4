"""``kentongan simulate``: a living city, through the public API alone."""

from __future__ import annotations

import asyncio
import json as jsonlib
import os
from typing import Annotated

import httpx
import typer

from app.cli.database import DataDir, Json, prepared_engine, settings_for
from app.cli.output import CommandError, console, print_json, say
from app.clock import now
from app.domain.regions import SourceName, parse_region_code, parse_source
from app.services.access import EVENTS_WRITE, STATE_READ
from app.services.keys import create_key
from app.services.register import APPS, TENANTS
from app.settings import Settings
from app.simulator import Options, Summary
from app.simulator import simulate as run

#: How ``up --demo`` hands the simulator its keys: not on the command line, where
#: every account of the machine could read them.
KEYS_VARIABLE = "KENTONGAN_SIMULATOR_KEYS"


def simulate(
    url: Annotated[
        str | None, typer.Option(help="The server; default http://127.0.0.1:<port>.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.001, help="Mean events a second.")] = 2.0,
    speed: Annotated[
        float, typer.Option(min=0.001, help="Simulated seconds a second; 1440: a day a minute.")
    ] = 1.0,
    duration: Annotated[float, typer.Option(min=0, help="Seconds; 0: until stopped.")] = 0.0,
    seed: Annotated[
        int, typer.Option(min=0, max=10**12 - 1, help="The same seed gives the same events.")
    ] = 1,
    region: Annotated[list[str] | None, typer.Option(help="Region; may be repeated.")] = None,
    app: Annotated[list[str] | None, typer.Option(help="App; may be repeated.")] = None,
    history: Annotated[float, typer.Option(min=0, help="Hours of the past to post first.")] = 0.0,
    storm: Annotated[bool, typer.Option("--storm", help="A night of flooded streets.")] = False,
    storm_area: Annotated[
        list[str] | None,
        typer.Option(help="A kecamatan that is flooded; may be repeated. Default: some."),
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="SOURCE=KEY; default: keys are made for all sources.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Post the events of a plausible city through the public API."""
    settings = settings_for(data_dir)
    options = Options(
        url=_address(url) if url else f"http://127.0.0.1:{settings.port}",
        rate=rate,
        speed=speed,
        duration=duration,
        seed=seed,
        regions=region,
        apps=app,
        history=history,
        storm=storm or bool(storm_area),
        storm_areas=[parse_region_code(code, field="storm-area") for code in storm_area]
        if storm_area
        else None,
    )

    async def main() -> Summary:
        keys = _given_keys(key) or await _new_keys(settings, data_dir is not None, region, app)
        try:
            return await run(options, keys, progress=console.is_terminal)
        except ValueError as error:
            raise CommandError(
                f"{error}; look at --region, --app, --key and --storm-area"
            ) from error
        except httpx.HTTPStatusError as error:
            raise CommandError(
                f"the server answers {error.response.status_code} to {error.request.url}"
            ) from error

    summary = asyncio.run(main())
    if json:
        print_json(summary.as_dict())
    else:
        say(
            f"{summary.accepted} events accepted, {summary.duplicates} duplicates,"
            f" {summary.conflicts} conflicts, {summary.rejected} rejected"
        )
        print_json(summary.as_dict())
    raise typer.Exit(1 if summary.rejected or summary.conflicts else 0)


def _address(url: str) -> str:
    """Return the server's address, unless no server could ever answer there."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise CommandError("--url takes an address such as http://127.0.0.1:8000")
    return url


def _given_keys(given: list[str] | None) -> dict[str, str]:
    """Return the keys that the caller or the parent process has."""
    if not given:
        handed: dict[str, str] = jsonlib.loads(os.environ.get(KEYS_VARIABLE, "{}"))
        return handed
    pairs = [item.partition("=") for item in given]
    if not all(separator and value for _, separator, value in pairs):
        raise CommandError("--key takes SOURCE=KEY")
    return {parse_source(source).urn: value for source, _, value in pairs}


async def _new_keys(
    settings: Settings, named: bool, regions: list[str] | None, apps: list[str] | None
) -> dict[str, str]:
    """Make keys in the database of the running instance."""
    strangers = ({*(regions or ())} - TENANTS.keys()) | ({*(apps or ())} - APPS.keys())
    if strangers:
        raise CommandError(f"the simulator has no life for {', '.join(sorted(strangers))}")
    scopes = frozenset({EVENTS_WRITE, STATE_READ})
    folder = settings.data_dir if named else None
    async with prepared_engine(folder, settings) as engine:
        return {
            name.urn: await create_key(engine, now, name, scopes)
            for name in (
                SourceName(region, app) for region in regions or TENANTS for app in apps or APPS
            )
        }
