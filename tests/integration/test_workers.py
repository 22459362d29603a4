"""Many regions at once: what workers find and do, and how a pool of them ends."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import structlog

from app.bus import FRAMES, LOG, MemoryBus
from app.database import connect_raw, make_engine, transaction, try_lock, url_of
from app.domain.errors import RebuildUnderWay
from app.repositories.statements import run
from app.services import summaries, verification
from app.workers import work
from app.workers.errors import WorkerLost
from app.workers.pool import _a_worker, _Pool, each_region, processes_for
from app.workers.work import Tools, Work
from tests import regional_work
from tests.builders import a_report
from tests.city import City, a_city
from tests.conftest import Database
from tests.processes import SOON, gone
from tests.regional_work import NOWHERE

REGIONS = ("36.71", "33.28", "72.02", "91.71")
#: Of programs whose words are looked at: debugging of this process has words of its own.
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


@pytest.fixture
async def city(database: Database) -> AsyncIterator[City]:
    """Give a city of four regions that are folded, each with more cases than the one before."""
    async with a_city(database.engine) as city:
        for number, region in enumerate(REGIONS, start=2):
            source, data = f"urn:pemda:{region}:laksa", {"service": "jalan"}
            for case in range(number):
                name = f"{region}-{case}"
                await city.post(a_report("submitted", name, source=source, data=data))
                await city.post(a_report("resolved", name, minutes=5, source=source))
            await city.fold(region)
        yield city


@pytest.fixture
async def nowhere() -> AsyncIterator[Tools]:
    """Give tools for work that asks no database."""
    engine = make_engine(NOWHERE, pool_size=1)
    yield Tools(engine, MemoryBus())
    await engine.dispose()


async def by_a_worker(
    work: Work[Any], tools: Tools, regions: Sequence[str]
) -> tuple[list[Any], list[tuple[str, int]]]:
    """Leave all regions to one worker; return its results, and the progress that was told."""
    told: list[tuple[str, int]] = []
    sizes = dict.fromkeys(regions, 0)
    pool = _Pool(work, tools, sizes, lambda region, events: told.append((region, events)))
    async with asyncio.timeout(SOON), _a_worker() as worker:
        await pool.work_by(worker)
    await gone(worker.pid)
    return [pool.results[region].result() for region in regions], told


def workers() -> list[psutil.Process]:
    """Return the workers that this process has."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "app.workers.worker" in child.cmdline()]


# --- what they do -------------------------------------------------------------------------------


async def test_a_worker_finds_what_this_process_finds(city: City) -> None:
    async with transaction(city.engine) as connection:
        tampering = "UPDATE gauges SET n = n + 1 WHERE region = '72.02'"
        await run(connection, tampering)
    here = [await verification.verify(city.engine, region) for region in REGIONS]
    found, _ = await by_a_worker(work.verify, Tools(city.engine, MemoryBus()), REGIONS)
    assert found == here
    assert [bool(one.differences) for one in found] == [False, False, True, False]


async def test_a_worker_rebuilds_and_its_doorbells_are_rung_here(city: City) -> None:
    bus = MemoryBus()
    rung: dict[str, list[str]] = {LOG: [], FRAMES: []}
    for topic, names in rung.items():
        bus.listen(topic, names.extend)
    with structlog.testing.capture_logs() as lines:
        done, told = await by_a_worker(work.rebuild, Tools(city.engine, bus), REGIONS)
    assert [(one.region, one.cases) for one in done] == [*zip(REGIONS, (2, 3, 4, 5), strict=True)]
    assert dict(told) == {one.region: one.seq for one in done}
    assert rung == {LOG: [*REGIONS], FRAMES: [f"region:{region}" for region in REGIONS]}
    assert [line["region"] for line in lines if line["action"] == "rebuild.done"] == [*REGIONS]
    for one in done:
        assert (await city.projection(f"region:{one.region}")).epoch == one.epoch
        assert (await verification.verify(city.engine, one.region)).differences == []


async def test_what_a_worker_says_by_whatever_way_does_not_disturb(nowhere: Tools) -> None:
    with structlog.testing.capture_logs() as lines:
        done, told = await by_a_worker(regional_work.speak, nowhere, ["a", "b"])
    assert (done, told) == (["a", "b"], [("a", 3), ("b", 3)])
    assert [(line["log_level"], line["region"]) for line in lines] == [
        ("warning", "a"),
        ("warning", "b"),
    ]


async def test_two_regions_are_worked_on_at_once(nowhere: Tools, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    sizes = {f"r:{pipe}": 1, f"w:{pipe}": 2}
    told: list[tuple[str, int]] = []
    async with asyncio.timeout(SOON):
        pids = await each_region(
            regional_work.meet,
            nowhere,
            sizes,
            progress=lambda region, events: told.append((region, events)),
            processes=2,
        )
    # The largest is begun first, and by this process, which need not come up.
    assert pids[1] == os.getpid() != pids[0]
    assert sorted(told) == sorted((region, 7) for region in sizes)
    assert workers() == []


async def test_results_come_in_the_order_of_the_regions(city: City) -> None:
    sizes = await summaries.lengths(city.engine)
    wanted = {region: sizes[region] for region in REGIONS}
    assert list(wanted.values()) == [4, 6, 8, 10]
    told: list[str] = []
    found = await each_region(
        work.verify,
        Tools(city.engine, MemoryBus()),
        wanted,
        found=lambda one: told.append(one.region),
        processes=2,
    )
    assert [one.region for one in found] == told == [*REGIONS]
    assert [one.events for one in found] == [4, 6, 8, 10]


# --- how many -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("processors", "sizes", "count"),
    [
        (1, [1_000_000] * 8, 1),
        (4, [1_000_000] * 8, 4),
        (4, [1_000_000] * 3, 3),
        (4, [1_000_000], 1),
        (4, [100] * 8, 1),
        (4, [5_000] * 8, 2),
        (64, [1_000_000] * 40, 8),
        (4, [], 1),
    ],
)
def test_as_many_processes_as_are_of_use(
    monkeypatch: pytest.MonkeyPatch, processors: int, sizes: list[int], count: int
) -> None:
    monkeypatch.setattr("app.workers.pool._processors", lambda: processors)
    assert processes_for({str(number): size for number, size in enumerate(sizes)}) == count


# --- how it ends --------------------------------------------------------------------------------


@pytest.mark.parametrize("refused_by", ["this process", "a worker"])
async def test_a_region_that_is_refused_ends_the_work_on_the_others(
    nowhere: Tools, refused_by: str
) -> None:
    sizes = {"endless": 1, "refused": 2 if refused_by == "this process" else 0}
    async with asyncio.timeout(SOON):
        with pytest.raises(ExceptionGroup) as failed:
            await each_region(regional_work.refuse_or_go_on, nowhere, sizes, processes=2)
    assert failed.group_contains(RebuildUnderWay, match="by another process")
    assert workers() == []


@pytest.mark.parametrize(("region", "how"), [("killed", "SIGKILL"), ("broken", "exit 1")])
async def test_a_worker_that_ends_too_early_is_told(
    nowhere: Tools, capfd: pytest.CaptureFixture[str], region: str, how: str
) -> None:
    with pytest.raises(WorkerLost, match=rf"worked on {region} has ended \({how}\)"):
        await by_a_worker(regional_work.end, nowhere, [region])
    assert ("ZeroDivisionError: a bug" in capfd.readouterr().err) == (region == "broken")


@pytest.mark.parametrize("which", [0, -1], ids=["the main thread", "another"])
async def test_ctrl_c_ends_all_processes(which: int) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from tests.regional_work import be_busy; be_busy()"),
        env=PLAIN,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    async with asyncio.timeout(SOON):
        begun = [(await process.stdout.readline()).split() for _ in range(2)]
        pids = {int(pid) for _, pid in begun}
        assert len(pids) == 2
        assert process.pid in pids
        # A terminal tells all of the group, and the kernel gives it to any thread of each.
        threads = sorted(int(of.name) for of in Path(f"/proc/{process.pid}/task").iterdir())
        assert len(threads) > 1
        ctypes.CDLL(None).tgkill(process.pid, threads[which], signal.SIGINT)
        for worker in pids - {process.pid}:
            os.kill(worker, signal.SIGINT)
        _, said = await process.communicate()
    assert (process.returncode, said) == (130, b"")
    for pid in pids:
        await gone(pid)


# --- the commands -------------------------------------------------------------------------------

#: The command, with workers for however few events.
COMMAND = "from app.workers import pool; pool.SHARE = 1; from app.cli import main; main()"


async def command(database: Database, *words: str) -> tuple[int | None, str, str]:
    """Run a command with workers to its end; return its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, *words),
        env=PLAIN | {"KENTONGAN_DATABASE_URL": url_of(database.engine)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SOON):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_a_difference_in_one_region_is_the_exit_code_of_all(
    database: Database, city: City
) -> None:
    async with transaction(city.engine) as connection:
        await run(connection, "UPDATE flows SET n = n + 1 WHERE region = '33.28'")
    code, out, _ = await command(database, "verify", "--json")
    told = json.loads(out)
    assert code == 1
    assert {one["region"] for one in told["differences"]} == {"33.28"}
    order = [tenant.region.code for tenant in await summaries.list_regions(city.engine)]
    assert [one["region"] for one in told["regions"]] == order
    assert (await command(database, "verify", "--region", "36.71", "--region", "72.02"))[0] == 0


async def test_the_commands_tell_regions_in_their_order_and_each_once(
    database: Database, city: City
) -> None:
    words = [word for region in (*REGIONS, "72.02") for word in ("--region", region)]
    for name in ("rebuild", "verify"):
        code, _, said = await command(database, name, *words)
        lines = [line for line in said.splitlines() if "cases" in line]
        assert (code, [line.split()[0] for line in lines]) == (0, [*REGIONS])


async def test_one_region_that_cannot_be_rebuilt_is_told_in_a_sentence(
    database: Database, city: City
) -> None:
    holder = await connect_raw(database.url)
    assert await try_lock(holder, "rebuild:33.28")
    code, out, said = await command(database, "rebuild", "--json")
    await holder.close()
    lines = [line for line in said.splitlines() if "rebuild.done" not in line]
    assert (code, out) == (1, "")
    assert lines == ["kentongan: the region is being rebuilt by another process"]
