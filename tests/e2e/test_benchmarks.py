"""The benchmarks run: a tiny one, on real processes, from the command to the JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.e2e.program import environment
from tests.e2e.waiting import SOON

ROOT = Path(__file__).resolve().parents[2]


async def test_a_benchmark_writes_its_figures_beside_what_they_were_made_on(folder: Path) -> None:
    out = folder / "bench.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks", "--tiny", "--only", "glass"),
        *("--folder", str(folder / "bench"), "--out", str(out)),
        cwd=ROOT,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(SOON):
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    found = json.loads(out.read_text())
    assert set(found) == {"meta", "glass"}
    assert found["meta"]["quick"] is True
    assert set(found["meta"]) >= {"machine", "versions", "sizes", "load_average_before", "date"}
    assert found["glass"]["missed"] == 0
    assert 0 < found["glass"]["p50_ms"] <= found["glass"]["p99_ms"]
    assert found["glass"]["quiet_p50_ms"] > 0
    assert "quiet_p50_ms" in said.decode()
    assert not (folder / "bench").exists()
