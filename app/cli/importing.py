"""``kentongan import``: old events from a file, beside what is live."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Self, TextIO

import typer
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from app.cli.database import DataDir, Json, database_url, prepared_engine, settings_for
from app.cli.importing_lines import FileDamaged, Line, Source, entry_of, lines
from app.cli.output import CommandError, console, print_json, say
from app.clock import now
from app.domain.strict_json import dumps
from app.services.backfill import GROUP, Backfill, Entry, Refusal
from app.settings import Settings
from app.wiring import commands_bus

#: Refused lines that are shown to a person; the report has all of them.
SHOWN = 20
#: To the scheduler, what is live comes first.
NICENESS = 10


@dataclass(slots=True)
class _Reading:
    """How far a file was read, and whether to its end."""

    lines: int = 0
    complete: bool = False
    problem: str = ""


def import_events(
    file: Annotated[str, typer.Argument(help="NDJSON, plain or gzip; - reads stdin.")],
    report: Annotated[
        Path | None, typer.Option(help="Write every refused line's number and problem here.")
    ] = None,
    register_sources: Annotated[
        bool, typer.Option("--register-sources", help="Register sources that are new.")
    ] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Bring old events in from a file, one a line, without disturbing what is live.

    Started again it goes on where it was; the same file twice changes nothing.
    Exit code 1 where lines were refused.
    """
    settings = settings_for(data_dir)
    _check_report(file, report)
    reading = _Reading()
    began = time.monotonic()
    with Source(file) as source, _writing(report) as written:
        backfill = asyncio.run(_run(settings, data_dir, source, reading, written, register_sources))
    summary = _summary(file, reading, backfill, time.monotonic() - began)
    print_json(summary) if json else _tell(summary, backfill, report)
    if reading.problem:
        say(f"{reading.problem}; what came before was taken in")
    raise typer.Exit(1 if backfill.tally.refused or not reading.complete else 0)


def _check_report(file: str, report: Path | None) -> None:
    path = Path(file)
    if report is not None and report.exists() and path.exists() and report.samefile(path):
        raise CommandError("--report names the very file that is to be read")


def _writing(report: Path | None) -> AbstractContextManager[TextIO | None]:
    if report is None:
        return nullcontext()
    try:
        return report.open("w", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{report} cannot be written: {error.strerror}") from error


async def _run(
    settings: Settings,
    data_dir: Path | None,
    source: Source,
    reading: _Reading,
    report: TextIO | None,
    register_sources: bool,
) -> Backfill:
    async with (
        prepared_engine(data_dir, settings) as engine,
        database_url(data_dir, settings) as url,
        commands_bus(url) as bus,
    ):
        # After the database was started, which is not to be slow for others.
        with contextlib.suppress(OSError):
            os.nice(NICENESS)
        backfill = Backfill(engine, bus, now, register_sources=register_sources)
        await backfill.begin()
        with _Bar(source) as bar:
            found = lines(source.stream)
            while entries := await asyncio.to_thread(_next, found, reading):
                for refusal in await backfill.take(entries):
                    if report is not None:
                        report.write(dumps(_told(refusal)) + "\n")
                bar.show(backfill)
        backfill.pace.finish()
        return backfill


def _next(found: Iterator[Line], reading: _Reading) -> Sequence[Entry]:
    """Read and take apart the next lines; in a thread, for a pipe may let us wait."""
    entries = []
    try:
        for line in islice(found, GROUP):
            reading.lines = line.number
            entries.append(entry_of(line))
        reading.complete = not entries and not reading.problem
    except FileDamaged as damage:
        reading.problem = str(damage)
    return entries


def _told(refusal: Refusal) -> dict[str, Any]:
    return {name: value for name, value in asdict(refusal).items() if value is not None}


def _summary(file: str, reading: _Reading, backfill: Backfill, seconds: float) -> dict[str, Any]:
    tally = backfill.tally
    events = tally.accepted + tally.duplicates + tally.refused
    return {
        "file": file,
        "complete": reading.complete,
        "lines": reading.lines,
        "events": events,
        "accepted": tally.accepted,
        "duplicates": tally.duplicates,
        "conflicts": tally.conflicts,
        "rejected": tally.rejected,
        "by_region": dict(sorted(tally.by_region.items())),
        "problems": dict(sorted(tally.problems.items())),
        "refused": [_told(refusal) for refusal in tally.refusals],
        "registered": tally.registered,
        "unknown_sources": sorted(tally.unknown_sources),
        "seconds": round(seconds, 3),
        "waited_s": round(backfill.pace.waited, 3),
        "events_per_s": round(events / seconds, 1) if seconds else 0.0,
    }


def _tell(summary: dict[str, Any], backfill: Backfill, report: Path | None) -> None:
    tally = backfill.tally
    say(
        f"{summary['events']:,} events in {summary['seconds']:.1f} s: {tally.accepted:,} accepted,"
        f" {tally.duplicates:,} there already, {tally.conflicts:,} conflicts,"
        f" {tally.rejected:,} rejected"
    )
    for urn in tally.registered:
        say(f"registered {urn}")
    for refusal in tally.refusals[:SHOWN]:
        say(f"line {refusal.line}: {refusal.problem}: {refusal.detail} ({refusal.field or '-'})")
    if tally.refused > SHOWN:
        where = f"all are in {report}" if report else "--report FILE writes all"
        say(f"and {tally.refused - SHOWN:,} more; {where}")
    if tally.unknown_sources:
        say(f"not registered: {', '.join(sorted(tally.unknown_sources)[:SHOWN])};")
        say("--register-sources registers them, with region and app")


class _Bar:
    """A bar by the bytes of the file, on a terminal only."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("importing"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bars.add_task("importing", total=source.size, told="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, backfill: Backfill) -> None:
        """Show how far it is, and whether it is holding back."""
        tally = backfill.tally
        told = f"{tally.accepted:,} new, {tally.duplicates:,} known"
        # What a source's owner must look into is never only in the summary.
        if tally.refused:
            told += f", [red]{tally.refused:,} refused[/red]"
        if backfill.pace.is_live:
            told += ", giving way to live events"
        self._bars.update(self._task, completed=self._source.place(), told=told)
