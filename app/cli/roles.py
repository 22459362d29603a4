"""``kentongan api`` and ``kentongan projector``: the roles of the program, each a process."""

from __future__ import annotations

from typing import Annotated

import typer
import uvloop

from app.cli.database import DataDir, database_url, settings_for
from app.cli.supervise import StopRequested, stop_on_signals, unless_stopped
from app.main import run_projector, serve_api

Host = Annotated[
    str | None, typer.Option("--host", envvar="KENTONGAN_HOST", help="Address to serve on.")
]
Port = Annotated[
    int | None,
    typer.Option("--port", envvar="KENTONGAN_PORT", min=1, max=65535, help="Port to serve on."),
]


def api(data_dir: DataDir = None, host: Host = None, port: Port = None) -> None:
    """Serve the HTTP API, the live protocol and the pages."""
    settings = settings_for(data_dir, host=host, port=port)

    async def main() -> None:
        with stop_on_signals() as stop:
            async with database_url(data_dir, settings) as url:
                await serve_api(settings, url, stop)

    uvloop.run(main())


def projector(data_dir: DataDir = None) -> None:
    """Fold the event logs into cases, numbers and frames."""
    settings = settings_for(data_dir)

    async def main() -> None:
        with stop_on_signals() as stop:
            async with database_url(data_dir, settings) as url:
                try:
                    await unless_stopped(stop, run_projector(settings, url))
                except StopRequested:
                    return

    uvloop.run(main())
