"""The figures beside their aims, for people and as JSON."""

from __future__ import annotations

import json
import math
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.sizes import Sizes

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure should be: at least, or at most."""

    benchmark: str
    figure: str
    bound: float
    at_least: bool = False
    unit: str = ""

    def met(self, value: float) -> bool:
        """Say whether a value is as it should be."""
        return value >= self.bound if self.at_least else value <= self.bound

    def words(self) -> str:
        """Return the aim as it is printed.

        >>> Aim("verify", "events_per_s", 40_000, at_least=True, unit="/s").words()
        '≥ 40,000 /s'
        """
        return f"{'≥' if self.at_least else '≤'} {_number(self.bound)} {self.unit}".rstrip()


#: In the order in which they are printed.
AIMS = (
    Aim("ingest_batch", "ratio", 0.7, at_least=True),
    Aim("ingest_batch", "events_per_s", 0, at_least=True, unit="/s"),
    Aim("ingest_live", "ratio", 0.5, at_least=True),
    Aim("ingest_live", "events_per_s", 20_000, at_least=True, unit="/s"),
    Aim("ingest_single", "ratio", 0.8, at_least=True),
    Aim("ingest_single", "per_s", 0, at_least=True, unit="/s"),
    Aim("ingest_single", "p99_ms", 25, unit="ms"),
    Aim("project", "events_per_s", 20_000, at_least=True, unit="/s"),
    Aim("project", "drain_s", 30, unit="s"),
    Aim("rebuild", "events_per_s", 25_000, at_least=True, unit="/s"),
    Aim("verify", "events_per_s", 40_000, at_least=True, unit="/s"),
    Aim("glass", "p50_ms", math.inf, unit="ms"),
    Aim("glass", "p99_ms", 160, unit="ms"),
    Aim("glass", "quiet_p50_ms", 40, unit="ms"),
    Aim("fan_out", "ratio", 0.9),
    Aim("fan_out", "us", math.inf, unit="µs"),
    Aim("state_read", "p99_ms", 5, unit="ms"),
    Aim("state_read", "ratio", 1.3),
    Aim("reconnect", "seconds", 1.5, unit="s"),
    Aim("memory", "rss_mb", 200, unit="MB"),
    Aim("memory", "rss_after_storms_mb", math.inf, unit="MB"),
    Aim("overload", "goodput_ratio", 0.8, at_least=True),
    Aim("overload", "recovery_s", 10, unit="s"),
    Aim("overload", "neighbour_p99_ratio", 1.25),
    Aim("overload", "rss_mb", math.inf, unit="MB"),
    Aim("slow_readers", "p99_ratio", 1.2),
    Aim("slow_readers", "kernel_kib", 256, unit="KiB"),
    Aim("slow_readers", "user_kib", 256, unit="KiB"),
    Aim("slow_readers", "closed_4413", 100, at_least=True),
    Aim("takeover", "killed_s", 5, unit="s"),
    Aim("takeover", "stopped_s", 5, unit="s"),
    Aim("backfill", "ingest_ratio", 0.8, at_least=True),
    Aim("backfill", "frames_ratio", 1.2),
)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 or value == int(value) else f"{value:g}"


def about_this_run(sizes: Sizes, began_at: str, load: tuple[float, float, float]) -> Result:
    """Return where and how the figures were made."""
    return {
        "date": began_at,
        "quick": sizes.name != "full",
        "sizes": asdict(sizes),
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
            "system": platform.platform(),
        },
        "versions": {
            "python": platform.python_version(),
            **{
                name: version(name)
                for name in ("kentongan", "asyncpg", "fastapi", "uvicorn", "uvloop", "websockets")
            },
        },
        "load_average_before": load,
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def show(results: dict[str, Result], console: Console) -> None:
    """Print every figure beside its aim."""
    meta = results["meta"]
    table = Table(
        title=f"Kentongan, {meta['sizes']['name']} run", title_justify="left", box=SIMPLE_HEAD
    )
    for name, justify in (
        ("benchmark", "left"),
        ("figure", "left"),
        ("value", "right"),
        ("aim", "left"),
        ("", "left"),
    ):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for aim in AIMS:
        value = results.get(aim.benchmark, {}).get(aim.figure)
        if value is None:
            continue
        table.add_row(aim.benchmark, aim.figure, _number(value), *_verdict(aim, value))
    console.print(table)
    machine = meta["machine"]
    console.print(
        f"{machine['cpu']}, {machine['cores']} cores; load before {meta['load_average_before']}"
    )
    if meta["quick"]:
        console.print("A quick run, with a tenth of the events or fewer: figures are rough.")


def _verdict(aim: Aim, value: float) -> tuple[str, str]:
    if aim.bound in (0, math.inf):
        return "", ""
    return aim.words(), "[green]met[/green]" if aim.met(value) else "[red]missed[/red]"


def write(results: dict[str, Result], path: Path) -> None:
    """Write the results as one JSON object."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
