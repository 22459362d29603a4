"""``kentongan api``: the role that serves."""

from __future__ import annotations

from typing import Annotated

import typer
import uvloop

from app.cli.database import DataDir, database_url, settings_for
from app.cli.supervise import stop_on_signals
from app.main import serve_api

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
