"""``kentongan simulate --storm`` against a running program."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import LAKSA, Copies, Made
from tests.e2e.posting import Client
from tests.e2e.program import Program, run
from tests.e2e.reading import settled, verified

AREA = "36.71.05"


@pytest.fixture(scope="module")
async def running(made: Made, shelf: Path) -> AsyncIterator[Program]:
    """Give a program that runs for all tests of this file in this worker."""
    async with Copies.of(made, shelf) as copies:
        yield await copies.program("storm")


async def stormed(program: Program, *words: str, code: int = 0) -> Any:
    """Let a storm fall and return what is told of it."""
    place = ("--url", program.url, "--data-dir", str(program.data_dir))
    some = ("--region", "36.71", "--rate", "30", "--speed", "600", "--duration", "2")
    said = ("simulate", "--storm", *some, *place, "--json", *words)
    done = await run(*said, cwd=program.folder, code=code)
    return done.json if not code else done


async def test_a_flood_night_is_counted_once_whatever_was_sent_how_often(
    copies: Copies, a_client: Client, made: Made
) -> None:
    program = await copies.program()
    client = a_client(program)
    told = await stormed(program, "--storm-area", "367105")
    storm = told["storm"]
    assert storm["areas"] == [AREA]
    assert min(storm["sent"].values()) > 0
    assert told["conflicts"] == told["rejected"] == 0
    sent, receipts = storm["sent"], storm["receipts"]
    assert receipts["at_once"] == {"accepted": sent["at_once"], "duplicate": sent["at_once"]}
    assert receipts["lost_answer"].get("accepted", 0) <= sent["lost_answer"]
    key = made.keys[LAKSA]
    # What was kept without an answer came back as a duplicate, and is in the log once.
    kept = told["accepted"] + receipts["lost_answer"].get("duplicate", 0)
    state = await settled(client, key, kept)
    assert (state["seq"], state["head"]) == (kept, kept)
    reports = state["state"]["apps"]["laksa"]["report"]
    assert reports["by_area"][AREA] == max(reports["by_area"].values())
    assert reports["by_area"][AREA] > reports["open"] / 2
    assert await verified(client, key) == []


async def test_the_storm_of_one_seed_is_the_same_when_it_falls_again(running: Program) -> None:
    first = await stormed(running, "--seed", "5")
    again = await stormed(running, "--seed", "5")
    assert first["storm"]["areas"] == again["storm"]["areas"]
    assert again["conflicts"] == again["rejected"] == 0
    assert again["accepted"] < first["accepted"] / 2


async def test_a_place_that_no_storm_can_fall_on_is_said(running: Program) -> None:
    done = await stormed(running, "--storm-area", "33.28.01", code=1)
    assert (done.out, done.err.count("\n")) == ("", 1)
    assert "--storm-area" in done.err
