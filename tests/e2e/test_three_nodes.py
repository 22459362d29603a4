"""The example of three nodes: up by one script, and gone without a trace."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from tests.e2e.program import environment
from tests.e2e.waiting import eventually
from tests.ports import free_port
from tests.processes import gone

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "three_nodes.py"


@pytest.mark.timeout(240)
async def test_three_nodes_come_up_by_one_script_and_stop_in_order(folder: Path) -> None:
    ports = [free_port() for _ in range(3)]
    assert ports == list(range(ports[0], ports[0] + 3))
    log = folder / "said"
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(SCRIPT), "--data-dir", "data", "--port", str(ports[0])),
            cwd=folder,
            env=environment(PYTHONPATH=str(SCRIPT.parents[1])),
            stderr=said,
            start_new_session=True,
        )
    try:
        await eventually(lambda: three_serve(process, log), "three nodes", 180)
        async with httpx.AsyncClient(trust_env=False) as client:
            for port in ports:
                answer = await client.get(f"http://127.0.0.1:{port}/readyz")
                assert answer.json()["status"] == "ready"
        family = psutil.Process(process.pid).children(recursive=True)
        assert sum("nats-server" in one.name() for one in family) == 1
        os.killpg(process.pid, signal.SIGINT)
        async with asyncio.timeout(60):
            assert await process.wait() == 0
        for one in family:
            await gone(one.pid)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    # NATS stopped after all who would have missed it.
    assert "bus.lost" not in log.read_text()
    assert "Traceback" not in log.read_text()
    assert log.read_text().rstrip().endswith("Stopped.")


async def three_serve(process: asyncio.subprocess.Process, log: Path) -> bool:
    """Say whether each node has said that it serves."""
    assert process.returncode is None, log.read_text()
    return log.read_text().count(" serves on ") == 3
