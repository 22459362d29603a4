"""The outcome of a replay of 311 requests, for people and as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.nyc_311 import REGION_OF_BOROUGH, Cell


@dataclass(slots=True)
class Outcome:
    """What was posted, what came back, and how the two compare."""

    rows: int
    left_out: int
    posted: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    file: Counter[Cell] = field(default_factory=Counter)
    api: Counter[Cell] = field(default_factory=Counter)
    cases_differing: list[str] = field(default_factory=list)

    def differences(self) -> list[Cell]:
        """Return the cells in which the file and the API disagree, in order."""
        return sorted(cell for cell in self.file | self.api if self.file[cell] != self.api[cell])

    def agrees(self) -> bool:
        """Tell whether every number and every case is the same."""
        return not self.differences() and not self.cases_differing

    def as_dict(self) -> dict[str, object]:
        """Return the outcome as one JSON object."""
        cells = [
            {**cell._asdict(), "file": self.file[cell], "api": self.api[cell]}
            for cell in sorted(self.file | self.api)
        ]
        return {
            "rows": self.rows,
            "left_out": self.left_out,
            "posted": dict(self.posted),
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "regions": dict(REGION_OF_BOROUGH),
            "agrees": self.agrees(),
            "differences": len(self.differences()),
            "cases_differing": self.cases_differing,
            "counts": cells,
        }


_BOROUGH = {region: borough.title() for borough, region in REGION_OF_BOROUGH.items()}
_TITLES = {
    "state": "Cases by state",
    "service": "Cases by service",
    "opened": "Cases by local day of opening",
    "closed": "Cases by local day of closing",
    "by_state": "The wall: all cases by state",
    "by_service": "The wall: open cases by service",
    "by_area": "The wall: open cases by kecamatan",
}


def show(outcome: Outcome, console: Console) -> None:
    """Print every number of the API beside that of the file, and the verdict."""
    console.print(_introduction(outcome), highlight=False)
    for by in _TITLES:
        console.print(_table(outcome, by))
    console.print(_verdict(outcome), highlight=False)


def _introduction(outcome: Outcome) -> str:
    stands = ", ".join(f"{borough} = {region}" for region, borough in _BOROUGH.items())
    posted = outcome.posted
    return (
        f"{outcome.rows:,} requests of New York as LAKSA reports ({stands}).\n"
        f"{outcome.left_out:,} left out for want of a borough.\n"
        "Times are read as local times of the region: its days are the file's own.\n"
        "Community board n is the n-th kecamatan; positions in New York are not posted.\n"
        f"{posted['deliveries']:,} deliveries in {posted['batches']:,} shuffled batches: "
        f"{posted['accepted']:,} new, {posted['duplicates']:,} repeated.\n"
        "Each cell: API = file."
    )


def _table(outcome: Outcome, by: str) -> Table:
    table = Table(title=_TITLES[by], title_justify="left", box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for region, borough in _BOROUGH.items():
        table.add_column(f"{region}\n{borough}", justify="right", no_wrap=True)
    table.add_column("all", justify="right", no_wrap=True)
    values = sorted({cell.value for cell in outcome.file | outcome.api if cell.by == by})
    for value in values:
        cells = [Cell(region, by, value) for region in _BOROUGH]
        numbers = [(outcome.api[cell], outcome.file[cell]) for cell in cells]
        total = (sum(api for api, _ in numbers), sum(file for _, file in numbers))
        table.add_row(value, *(_beside(*pair) for pair in [*numbers, total]))
    return table


def _beside(api: int, file: int) -> str:
    if api == file:
        return f"{api} = {file}" if api else ""
    return f"[red]{api} ≠ {file}[/red]"


def _verdict(outcome: Outcome) -> str:
    times = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in outcome.seconds.items())
    if outcome.agrees():
        return f"[green]All agrees, to the last case[/green] ({times})."
    return (
        f"[red]{len(outcome.differences())} numbers and {len(outcome.cases_differing)} cases "
        f"differ[/red] ({times})."
    )
