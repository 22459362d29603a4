"""Stopping in order, and starting again: nothing lost, nothing left behind, nothing mixed up."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from app import embedded
from tests.e2e.conftest import LAKSA, Copies, create_key
from tests.e2e.ledger import Load, check_log, read_log
from tests.e2e.posting import Client, a_report, post
from tests.e2e.program import COMMAND, Program, Role, role_of, run
from tests.e2e.reading import serving, settled, verified
from tests.e2e.waiting import SOON
from tests.e2e.watcher import Watcher
from tests.ports import free_port
from tests.processes import gone


async def check_kept(program: Program, a_client: Client, copies: Copies, load: Load) -> None:
    """Check that a program that runs again holds what was acknowledged, and counts it right."""
    client = a_client(program)
    for credential in (copies.keys[0], copies.keys[2]):
        log = await read_log(client, credential)
        check_log(log, credential.region, load.ledger)
        await settled(client, credential, len(log))
        assert await verified(client, credential) == []


async def test_sigterm_under_load_loses_nothing_and_closes_sockets_with_1012(
    copies: Copies, a_client: Client
) -> None:
    program = await copies.program()
    laksa = copies.keys[0]
    cluster = (program.data_dir / "postgres" / "cluster" / "PG_VERSION").stat().st_ino
    region = Watcher(program.live_url, laksa.key, "region:36.71")
    network = Watcher(program.live_url, laksa.key, "network")
    async with region, network, Load(program.url, copies.keys, 4, "a") as load:
        await load.ledger.grown(400)
        family = program.family()
        assert await program.stop(signal.SIGTERM) == 0
        assert program.lines[-2:] == ["Stopped.", ""]
        await program.nothing_left(family)
        for watcher in (region, network):
            await watcher.closed(1012)
            assert set(watcher.closes) == {1012}
        await program.start()
        await load.ledger.grown(200)
        await region.folded(load.ledger.newest("36.71"))
    await check_kept(program, a_client, copies, load)
    assert region.resumed == network.resumed == 1
    assert (program.data_dir / "postgres" / "cluster" / "PG_VERSION").stat().st_ino == cluster


async def test_ctrl_c_stops_the_api_then_the_projector_then_the_database(copies: Copies) -> None:
    program = await copies.program()
    family, order = program.family(), []

    async def note_end(role: str) -> None:
        await gone((await program.child(role)).pid)
        order.append(role)

    async with asyncio.TaskGroup() as tasks:
        for role in ("postgres", "projector", "api"):
            tasks.create_task(note_end(role))
        # Found before any of them can be gone.
        await asyncio.gather(*map(program.child, ("postgres", "projector", "api")))
        # Impatient people press it twice.
        os.killpg(program.pid, signal.SIGINT)
        assert await program.interrupt() == 0
    assert order == ["api", "projector", "postgres"]
    assert program.lines[-2:] == ["Stopped.", ""]
    assert not program.said("unexpectedly")
    await program.nothing_left(family)
    log = (program.data_dir / "postgres" / "log").read_text()
    assert log.rstrip().endswith("database system is shut down")
    assert "Traceback" not in program.text()


async def test_ctrl_c_while_it_comes_up_leaves_nothing_and_the_next_start_works(
    copies: Copies,
) -> None:
    program = await copies.program(start=False)
    for moment in ("postgres", "projector", "api"):
        await program.spawn()
        await program.child(moment)
        family = program.family()
        assert await program.interrupt() == 0
        assert "Traceback" not in program.text()
        assert not program.said("unexpectedly")
        await program.nothing_left(family)
    await program.start()


async def test_it_lives_on_when_nobody_reads_what_it_says(copies: Copies, a_client: Client) -> None:
    program = await copies.program()
    client = a_client(program)
    program.listen_no_more()
    await program.kill("projector")
    await program.kill("api")  # of both deaths the parent speaks
    await serving(client)
    projector = await program.child("projector")
    family = program.family()
    assert projector in family
    assert await program.stop() == 0
    await program.nothing_left(family)


@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["parent", "group"])
async def test_killing_the_parent_ends_all_and_a_new_start_at_once_works(
    copies: Copies, a_client: Client, kill: Callable[[int, int], None]
) -> None:
    program = await copies.program()
    async with (
        Watcher(program.live_url, copies.keys[0].key, "region:36.71") as wall,
        Load(program.url, copies.keys, 3, "a") as load,
    ):
        await load.ledger.grown(200)
        family = program.family()
        assert {"api", "projector", "postgres"} <= {role_of(process) for process in family}
        kill(program.pid, signal.SIGKILL)
        await program.ended()
        # Nobody waits: the database may still be on its way out, the port still be taken.
        await program.start()
        for process in family:
            await gone(process.pid)
        await load.ledger.grown(100)
        await wall.folded(load.ledger.newest("36.71"))
    await check_kept(program, a_client, copies, load)
    family = program.family()
    assert await program.stop() == 0
    await program.nothing_left(family)


async def test_a_port_that_is_taken_is_said_and_nothing_is_begun(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = await run(
            *("up", "--data-dir", folder / "data", "--port", str(port)), cwd=folder, code=1
        )
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert f"port {port} " in done.err
    assert "--port" in done.err
    assert not (folder / "data").exists()


async def test_a_host_that_does_not_exist_is_said(folder: Path) -> None:
    words = ("--data-dir", folder / "data", "--host", "tidak.ada.invalid")
    done = await run("up", *words, cwd=folder, code=1)
    assert done.err.count("\n") == 1
    assert "tidak.ada.invalid" in done.err
    assert "Unknown error" not in done.err


async def test_a_private_directory_that_holds_other_files_is_used_as_it_is(folder: Path) -> None:
    data_dir = folder / "private"
    data_dir.mkdir(mode=0o700)
    note = data_dir / "catatan.txt"
    note.write_text("milik orang lain")
    program = Program(folder, data_dir)
    try:
        async with program:
            key = await create_key(data_dir, LAKSA)
            assert key.source == LAKSA
            family = program.family()
            assert await program.stop() == 0
            await program.nothing_left(family)
        assert data_dir.stat().st_mode & 0o777 == 0o700
        assert note.read_text() == "milik orang lain"
    finally:
        # As root the database lies elsewhere: its account may not enter a private folder.
        embedded.erase(data_dir)
    assert note.exists()


def ordinary_account() -> Any:
    """Return how a process becomes one of an ordinary account: as root of one that owns nothing."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    other: Any = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    try:
        subprocess.run([COMMAND, "--help"], check=True, cwd="/", stdout=subprocess.DEVNULL, **other)
    except PermissionError:
        return {}  # the clone lies in root's private home, and is root's alone to run
    return other


#: The program with one thing broken: what moves the walls fails a moment after the start.
FEED_FAILS = """
import asyncio
from app.services.live_feed import LiveFeed

async def run(self):
    await asyncio.sleep(0.5)
    raise RuntimeError("broken on purpose")

LiveFeed.run = run
from app.cli import main
main()
"""


async def test_an_api_whose_inner_work_failed_ends_and_does_not_go_on_half_dead(
    copies: Copies,
) -> None:
    async with await embedded.start(copies.data_dir()) as postgres:
        env = {"KENTONGAN_DATABASE_URL": postgres.url}
        command = (sys.executable, "-c", FEED_FAILS)
        async with Role(copies.folder, ("api", "--port", str(free_port())), env, command) as api:
            async with asyncio.timeout(SOON):
                assert await api.process.wait() == 1
    assert "broken on purpose" in (copies.folder / "api.log").read_text()


async def test_a_second_api_shares_the_log_and_stops_alone(
    copies: Copies, a_client: Client
) -> None:
    program = await copies.program()
    laksa = copies.keys[0]
    port = free_port()
    words = ("api", "--data-dir", str(program.data_dir), "--port", str(port))
    async with Role(program.folder, words) as second:
        one = a_client(program)
        other = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False)
        async with other:
            await serving(other)
            # The same events at the same instant over both, each in an order of its own.
            events = [a_report(laksa.source, f"b-{number}") for number in range(60)]
            posts = [
                post(client, laksa, Random(n).sample(events, len(events)))
                for n, client in enumerate((one, other) * 6)
            ]
            answers = await asyncio.gather(*posts)
        assert await second.stop() == 0
    receipts = [receipt for answer in answers for receipt in answer.json()["receipts"]]
    assert {answer.status_code for answer in answers} == {202}
    outcomes = Counter(receipt["outcome"] for receipt in receipts)
    assert outcomes == {"accepted": 60, "duplicate": 11 * 60}
    assert len({(receipt["id"], receipt["seq"]) for receipt in receipts}) == 60
    assert sorted(event["seq"] for event in await read_log(one, laksa)) == list(range(1, 61))
    assert (await one.get("/readyz")).status_code == 200


async def test_an_ordinary_account_can_run_it(folder: Path) -> None:
    account = ordinary_account()
    home = folder / "home"
    home.mkdir(mode=0o700)
    if account:
        shutil.chown(home, account["user"], account["group"])
    program = Program(home, home / "var" / "data", account=account)
    async with program:
        family = program.family()
        owners = {process.uids().real for process in family if role_of(process) != "postgres"}
        assert owners == {account.get("user", os.geteuid())}
        assert await program.stop() == 0
        await program.nothing_left(family)
