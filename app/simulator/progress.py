"""What a person at a terminal sees of a run."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from app.simulator.options import Summary


class Progress:
    """A bar for the past and a line for the present, on stderr, on a terminal only.

    Stdout stays free for the summary.
    """

    def __init__(self, wanted: bool, summary: Summary) -> None:
        self._summary = summary
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not wanted,
            transient=True,
        )
        self._past = self._bars.add_task("filling in the past", total=0, told="", visible=False)
        self._present = self._bars.add_task("living", total=None, told="", visible=False)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def expect(self, hours: int) -> None:
        """Announce so many hours of the past."""
        task = self._bars.tasks[self._past]
        self._bars.update(self._past, total=(task.total or 0) + hours, visible=True)

    def filled(self, hours: int) -> None:
        """Tell that so many hours of the past have been filled in."""
        self._bars.update(self._past, advance=hours, told=self._told())

    def lived(self) -> None:
        """Tell that the present has moved on."""
        self._bars.update(self._present, visible=True, told=self._told())

    def _told(self) -> str:
        summary = self._summary
        told = f"{summary.posted:,} posted, {summary.accepted:,} new"
        # What a source's owner must look into is never only in the summary.
        if summary.conflicts or summary.rejected:
            told += f", [red]{summary.conflicts:,} conflicts, {summary.rejected:,} rejected[/red]"
        return told
