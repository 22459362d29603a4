"""An outside PostgreSQL: everything works by its address alone, and it is nobody's to stop."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app import embedded
from app.embedded import EmbeddedPostgres
from tests.e2e.conftest import LAKSA
from tests.e2e.posting import Client, Credential, a_report, post
from tests.e2e.program import Program, role_of, run
from tests.e2e.reading import settled
from tests.processes import gone

#: The oldest that the SQL must run on; where Debian's is not installed, our own newest one.
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
async def outside(folder: Path) -> AsyncIterator[EmbeddedPostgres]:
    """Give a PostgreSQL that is none of the program's."""
    binaries = DEBIAN_15 if DEBIAN_15.is_dir() else None
    async with await embedded.start(folder / "outside", binaries=binaries) as postgres:
        yield postgres


def address(postgres: EmbeddedPostgres) -> dict[str, str]:
    """Return the setting that names a database, in the words of PostgreSQL's own tools."""
    return {"KENTONGAN_DATABASE_URL": postgres.url.replace("+asyncpg", "")}


async def test_a_database_by_address_alone_is_prepared_used_and_left_running(
    outside: EmbeddedPostgres, folder: Path, a_client: Client
) -> None:
    here, env = folder / "here", address(outside)
    here.mkdir()
    early = await run("verify", "--json", cwd=here, env=env, code=1)
    assert (early.out, early.err.count("\n")) == ("", 1)
    assert "kentongan migrate" in early.err
    migrated = await run("migrate", "--json", cwd=here, env=env)
    assert list(migrated.json) == ["revision"]
    unseeded = await run("key", "create", "--source", LAKSA, "--json", cwd=here, env=env, code=1)
    assert "kentongan seed" in unseeded.err
    assert (await run("seed", "--json", cwd=here, env=env)).json == {"seeded": True}
    words = ("key", "create", "--source", LAKSA, "--scope", "state:read")
    made = await run(*words, "--scope", "events:write", "--json", cwd=here, env=env)
    key = Credential(made.json["source"], made.json["key"])

    program = Program(here, None, env=env)
    async with program:
        assert {role_of(process) for process in program.family()} == {"api", "projector"}
        client = a_client(program)
        events = [a_report(LAKSA, f"o-{n}", minutes=n / 10) for n in range(50)]
        await post(client, key, [*events, *events[::-1]], status=202)
        state = await settled(client, key, 50)
        assert state["state"]["apps"]["laksa"]["report"]["open"] == 50
        assert await program.stop() == 0
    # A secret may be handed over as a file as well.
    secret = here / "url"
    secret.write_text(env["KENTONGAN_DATABASE_URL"] + "\n")
    by_file = {"KENTONGAN_DATABASE_URL_FILE": str(secret)}
    verified = await run("verify", "--json", cwd=here, env=by_file)
    assert verified.json["differences"] == []
    rebuilt = await run("rebuild", "--region", "36.71", "--json", cwd=here, env=by_file)
    assert [one["seq"] for one in rebuilt.json["rebuilt"]] == [50]
    assert (await run("doctor", "--json", cwd=here, env=by_file)).json["findings"] == []
    os.kill(outside.pid, 0)
    assert [path.name for path in here.iterdir()] == ["url"], "a data directory that nobody needs"


async def test_losing_an_outside_database_for_a_while_ends_nothing(
    outside: EmbeddedPostgres, folder: Path, a_client: Client
) -> None:
    env = address(outside)
    await run("migrate", cwd=folder, env=env)
    await run("seed", cwd=folder, env=env)
    program = Program(folder, None, env=env)
    async with program:
        family = {process.pid for process in program.family()}
        client = a_client(program)
        await outside.stop()
        await gone(outside.pid)
        assert (await client.get("/readyz")).status_code == 503
        answer = await client.get("/v1/regions")
        assert (answer.status_code, answer.headers["Content-Type"]) == (
            503,
            "application/problem+json",
        )
        await outside.launch()
        assert (await client.get("/v1/regions")).status_code == 200
        assert {process.pid for process in program.family()} == family
        assert await program.stop() == 0


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("rahasia", id="no address"),
        pytest.param("mysql://rahasia@127.0.0.1/kota", id="another database"),
        pytest.param("postgresql://rahasia@127.0.0.1:lima/kota", id="no port"),
    ],
)
async def test_an_address_that_cannot_be_one_is_said_without_repeating_it(
    folder: Path, url: str
) -> None:
    env = {"KENTONGAN_DATABASE_URL": url}
    done = await run("verify", "--json", cwd=folder, env=env, code=2)
    assert done.err.startswith("kentongan: KENTONGAN_DATABASE_URL: ")
    assert (done.out, done.err.count("\n")) == ("", 1)
    assert "rahasia" not in done.err


async def test_doctor_finds_that_nobody_answers_and_still_tells_one_document(folder: Path) -> None:
    env = {"KENTONGAN_DATABASE_URL": "postgresql://kota@127.0.0.1:1/kota"}
    done = await run("doctor", "--json", cwd=folder, env=env, code=1)
    assert len(done.json["findings"]) == 1
    assert "database" in done.json["findings"][0]


async def test_a_setting_that_is_empty_is_none(folder: Path) -> None:
    env = {"KENTONGAN_DATABASE_URL": "", "KENTONGAN_PORT": ""}
    done = await run("verify", "--json", cwd=folder, env=env, code=1)
    assert "there is no database in var/data" in done.err
