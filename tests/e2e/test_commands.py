"""The command line beside a running program, and without one: one JSON document alone on stdout."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from app import cli
from app.domain.times import format_instant
from tests.e2e.conftest import LAKSA, Copies, Made, create_key
from tests.e2e.ledger import Load
from tests.e2e.posting import PREFIX, Client, Credential, a_report, post
from tests.e2e.program import Done, Program, run
from tests.e2e.reading import read_state, settled
from tests.e2e.waiting import eventually
from tests.e2e.watcher import Watcher
from tests.ports import free_port


@pytest.fixture(scope="module")
async def running(made: Made, shelf: Path) -> AsyncIterator[Program]:
    """Give a program that runs for all tests of this file in this worker."""
    async with Copies.of(made, shelf) as copies:
        yield await copies.program("commands")


@pytest.fixture
async def client(running: Program, a_client: Client) -> httpx.AsyncClient:
    """Give a client of the running program."""
    return a_client(running)


def leaves(command: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Return every command that does something, with the words that lead to it."""
    inner = getattr(command, "commands", None)
    if inner is None:
        return [(path, command)]
    return [leaf for name, one in inner.items() for leaf in leaves(one, (*path, name))]


COMMANDS = [leaf for name in cli.COMMANDS for leaf in leaves(cli.load(name), (name,))]
EACH = [pytest.param(words, command, id=" ".join(words)) for words, command in COMMANDS]


@pytest.mark.parametrize(("words", "command"), EACH)
def test_every_command_has_help_and_takes_a_data_directory(
    words: tuple[str, ...], command: Any
) -> None:
    shown = CliRunner().invoke(cli.app, [*words, "--help"], terminal_width=200)
    assert shown.exit_code == 0
    assert command.help.splitlines()[0] in " ".join(shown.output.replace("│", "").split())
    assert "--data-dir" in {name for option in command.params for name in option.opts}


def test_the_commands_are_those_of_the_contract() -> None:
    assert {" ".join(words) for words, _ in COMMANDS} >= {
        *("up", "api", "projector", "migrate", "seed", "doctor", "key create", "simulate"),
        *("verify", "rebuild", "quarantine list", "quarantine replay"),
    }


async def test_help_is_shown_where_a_person_asks_for_it(folder: Path) -> None:
    asked, lost = await asyncio.gather(
        run("--help", cwd=folder), run("no-such-command", cwd=folder, code=2)
    )
    assert "rebuild" in asked.out
    assert asked.err == ""
    assert lost.out == ""
    assert list(folder.iterdir()) == []


# --- keys ---------------------------------------------------------------------------------------


async def test_a_key_is_told_to_the_letter_and_opens_what_it_says(
    running: Program, client: httpx.AsyncClient
) -> None:
    words = ("--source", LAKSA, "--scope", "events:write", "--scope", "state:read")
    done = await in_program(running, "key", "create", *words, "--json")
    assert done.out.endswith("}\n")
    assert done.out.count("\n") == 1
    assert done.err == ""
    told = done.json
    assert list(told) == ["key", "id", "source", "scopes", "created_at"]
    assert (told["source"], sorted(told["scopes"])) == (LAKSA, ["events:write", "state:read"])
    key = Credential(told["source"], told["key"])
    receipt = (await post(client, key, a_report(LAKSA, "k-1"), status=202)).json()["receipts"][0]
    await settled(client, key, receipt["seq"])
    path = "/v1/regions/33.28/state"
    assert (await client.get(path, headers=key.headers)).status_code == 403


async def test_a_key_is_listed_and_revoked_by_its_number(
    running: Program, client: httpx.AsyncClient
) -> None:
    source = "urn:pemda:36.71:laksa:putar"
    words = ("--source", source, "--label", "server lama", "--days", "30")
    told = (await in_program(running, "key", "create", *words, "--json")).json
    assert told["label"] == "server lama"
    assert told["created_at"] < told["expires_at"]
    key, event = Credential(source, told["key"]), a_report(source, "p-1")
    await post(client, key, event, status=202)
    listed = (await in_program(running, "key", "list", "--source", source, "--json")).json["keys"]
    assert [one["id"] for one in listed] == [told["id"]]
    assert listed[0]["last_used_at"]
    assert told["key"] not in str(listed)
    done = (await in_program(running, "key", "revoke", told["id"], "--json")).json
    assert done["revoked_at"]

    async def is_refused() -> bool:
        answer = await client.post("/v1/events", json=event, headers=key.headers)
        return answer.status_code == 401

    await eventually(is_refused, "the revoked key is refused")
    shown = await in_program(running, "key", "list")
    line = next(line for line in shown.out.splitlines() if told["id"] in line)
    assert "revoked" in line
    assert "server lama" in line
    lost = await in_program(
        running, "key", "revoke", "00000000-0000-0000-0000-000000000000", code=1
    )
    assert lost.err.count("\n") == 1
    await in_program(running, "key", "revoke", "not-a-number", code=2)


async def test_a_new_source_is_registered_with_its_region_and_app_and_undotted_is_understood(
    running: Program, client: httpx.AsyncClient
) -> None:
    """A region that is not in the seed, and an app that is not in the catalogue."""
    told = await in_program(running, "key", "create", "--source", "urn:pemda:7202:sipd", "--json")
    assert told.json["source"] == "urn:pemda:72.02:sipd"
    assert told.json["scopes"] == ["events:write"]
    reader = await create_key(running.data_dir, "urn:pemda:72.02:sipd", "state:read")
    state = (await read_state(client, reader))["state"]
    assert state["region"]["timezone"] == "Asia/Makassar"
    await until_listed(client, reader, "urn:pemda:72.02:sipd")
    writer = Credential(told.json["source"], told.json["key"])
    event = a_report(writer.source, "t-1") | {"type": f"{PREFIX}egov.transaction.started.v1"}
    await post(client, writer, event, status=202)
    folded = await settled(client, reader, 1)
    assert folded["state"]["apps"]["sipd"]["transaction"]["open"] == 1


async def until_listed(client: httpx.AsyncClient, key: Credential, source: str) -> None:
    """Wait until a source stands on its region's wall."""

    async def listed() -> bool:
        return source in (await read_state(client, key))["state"]["sources"]

    await eventually(listed, f"{source} among the sources")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--source", "urn:pemda:99.99:rahasia"), id="unknown region"),
        pytest.param(("--source", "urn:pemda:36.71.05:rahasia"), id="region that is no pemda"),
        pytest.param(("--source", "rahasia"), id="no source"),
        pytest.param(("--source", LAKSA, "--scope", "rahasia"), id="unknown scope"),
    ],
)
async def test_a_key_that_cannot_be_is_refused_in_one_sentence_without_its_words(
    running: Program, words: tuple[str, ...]
) -> None:
    done = await in_program(running, "key", "create", *words, "--json", code=1)
    assert done.out == ""
    assert done.err.startswith("kentongan: ")
    assert done.err.count("\n") == 1
    assert "rahasia" not in done.err


async def in_program(program: Program, *words: str, code: int | None = 0) -> Done:
    """Run a command beside a running program."""
    return await run(*words, "--data-dir", program.data_dir, cwd=program.folder, code=code)


async def test_a_data_directory_in_use_is_said_and_left_alone(
    running: Program, client: httpx.AsyncClient
) -> None:
    done = await in_program(running, "up", "--port", str(free_port()), code=1)
    assert done.err.count("\n") == 1
    assert f"already in use (process {running.pid})" in done.err
    assert (await client.get("/readyz")).status_code == 200


# --- numbers ------------------------------------------------------------------------------------


async def test_verify_and_doctor_tell_one_document(
    running: Program, client: httpx.AsyncClient, made: Made
) -> None:
    key = made.keys[LAKSA]
    answer = await post(client, key, [a_report(LAKSA, f"v-{n}") for n in range(9)], status=202)
    await settled(client, key, answer.json()["receipts"][-1]["seq"])
    verify, doctor = await asyncio.gather(
        in_program(running, "verify", "--json"), in_program(running, "doctor", "--json")
    )
    assert verify.json["differences"] == []
    assert {region["region"] for region in verify.json["regions"]} >= {"36.71", "33.28"}
    assert doctor.json["findings"] == []
    assert doctor.json["events"] >= 9


async def test_rebuild_under_load_gives_walls_a_new_epoch_and_never_zeros(
    copies: Copies, a_client: Client
) -> None:
    program = await copies.program()
    laksa, client = copies.keys[0], a_client(program)
    async with Watcher(program.live_url, laksa.key, "region:36.71") as wall:
        async with Load(program.url, copies.keys[:2], 2, "a") as load:
            await load.ledger.grown(600)
            await wall.folded(load.ledger.newest("36.71"))
            cases = sum(reports(wall)["by_state"].values())
            wall.demand = lambda state: (
                sum(state["apps"]["laksa"]["report"]["by_state"].values()) >= cases
            )
            done = await in_program(program, "rebuild", "--region", "36.71", "--json")
            await load.ledger.grown(200)
            await wall.folded(load.ledger.newest("36.71"))
        assert wall.snapshots == ["initial", "epoch"]
        assert wall.picture
        assert [one["epoch"] for one in done.json["rebuilt"]] == [wall.picture["epoch"]]
        newest = await settled(client, laksa, load.ledger.newest("36.71"))
        await wall.until(lambda picture: picture["rev"] == newest["rev"])
        assert wall.state == newest["state"]
    assert (await in_program(program, "verify", "--json")).json["differences"] == []


def reports(wall: Watcher) -> Any:
    """Return the numbers of LAKSA's reports as a wall has them."""
    return wall.state["apps"]["laksa"]["report"]


# --- quarantine ---------------------------------------------------------------------------------


async def test_a_refused_event_is_listed_and_let_in_once_its_reason_is_gone(
    running: Program, client: httpx.AsyncClient, made: Made
) -> None:
    key = made.keys[LAKSA]
    # Four seconds too far ahead: what is refused now will soon be right.
    soon = format_instant(datetime.now(UTC) + timedelta(hours=24, seconds=4))
    event = a_report(LAKSA, "q-1") | {"time": soon}
    await post(client, key, event, status=422)
    listed = await in_program(running, "quarantine", "list", "--source", LAKSA, "--json")
    assert listed.json["source"] == LAKSA
    (entry,) = [one for one in listed.json["entries"] if one["event"]["id"] == "q-1"]
    assert (entry["problem"], entry["times"], entry["replayed"]) == ("time-out-of-range", 1, False)

    async def replayed() -> Done | None:
        words = ("quarantine", "replay", str(entry["id"]), "--json")
        done = await in_program(running, *words, code=None)
        assert done.json["outcome"] == ("rejected" if done.code else "accepted")
        return None if done.code else done

    accepted = (await eventually(replayed, "a replay that is accepted")).json
    again = (await post(client, key, event, status=202)).json()["receipts"][0]
    assert (again["outcome"], again["seq"]) == ("duplicate", accepted["seq"])
    listed = await in_program(running, "quarantine", "list", "--source", LAKSA, "--json")
    assert [one["replayed"] for one in listed.json["entries"] if one["id"] == entry["id"]] == [True]
    await settled(client, key, accepted["seq"])


async def test_a_number_that_no_refused_event_has_is_said(running: Program) -> None:
    done = await in_program(running, "quarantine", "replay", "999999", "--json", code=1)
    assert (done.out, done.err.count("\n")) == ("", 1)


# --- simulator ----------------------------------------------------------------------------------


async def test_the_same_seed_gives_the_same_events_and_another_gives_others(
    running: Program,
) -> None:
    words = ["simulate", "--url", running.url, "--region", "33.28", "--app", "laksa"]
    words += ["--rate", "60", "--speed", "1440", "--duration", "2", "--json"]
    first = (await in_program(running, *words, "--seed", "7")).json
    again = (await in_program(running, *words, "--seed", "7")).json
    other = (await in_program(running, *words, "--seed", "8")).json
    assert first["accepted"] > 50
    assert first["accepted"] + first["duplicates"] == first["posted"]
    # The second run's day ends some seconds later; what is in both is the same to the last byte.
    assert again["conflicts"] == first["conflicts"] == other["conflicts"] == 0
    assert again["accepted"] < first["accepted"] / 10
    assert other["accepted"] > 50


@pytest.mark.parametrize("url", ["rahasia", "ftp://rahasia", "http://", "http://rahasia:lima"])
async def test_a_server_that_can_never_answer_is_not_waited_for(folder: Path, url: str) -> None:
    words = ("simulate", "--url", url, "--key", f"{LAKSA}=rahasia", "--duration", "1")
    done = await run(*words, cwd=folder, code=1)
    assert (done.out, done.err.count("\n")) == ("", 1)
    assert "--url" in done.err
    assert "rahasia" not in done.err


# --- without a running program, and with an outside database --------------------------------------


async def test_every_command_works_without_a_running_program_and_leaves_none(
    copies: Copies,
) -> None:
    program = await copies.program(start=False)
    for word in ("migrate", "verify", "doctor", "rebuild"):
        assert isinstance((await in_program(program, word, "--json")).json, dict)
    key = await create_key(program.data_dir, LAKSA, "events:write", "state:read")
    assert program.left() == []
    await program.start()
    async with httpx.AsyncClient(base_url=program.url, trust_env=False) as client:
        await post(client, key, a_report(LAKSA, "w-1"), status=202)


async def test_a_first_command_begins_only_what_somebody_named(folder: Path) -> None:
    words = ("key", "create", "--source", LAKSA, "--json")
    lost = await run(*words, cwd=folder, code=1)
    assert (lost.out, lost.err.count("\n")) == ("", 1)
    assert "kentongan up" in lost.err
    assert list(folder.iterdir()) == []
    # By .env too, as a person who works in one folder names it once.
    (folder / ".env").write_text("KENTONGAN_DATA_DIR=kota\n")
    assert (await run(*words, cwd=folder)).json["source"] == LAKSA
    assert sorted(path.name for path in folder.iterdir()) == [".env", "kota"]
    assert (await run("verify", "--json", cwd=folder)).json["differences"] == []
