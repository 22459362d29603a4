"""``kentongan projector``: the role that folds."""

from __future__ import annotations

import uvloop

from app.cli.database import DataDir, database_url, settings_for
from app.cli.supervise import StopRequested, stop_on_signals, unless_stopped
from app.wiring import run_projector


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
