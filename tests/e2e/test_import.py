"""``kentongan import`` beside a running program: killed, begun again, and from any kind of file."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.domain.times import format_instant
from tests.e2e.conftest import LAKSA, Copies, Made
from tests.e2e.posting import REPORT, Client, Credential, a_report, post
from tests.e2e.program import COMMAND, Program, environment, run
from tests.e2e.reading import read_state, settled
from tests.e2e.waiting import eventually

TEGAL = "urn:pemda:33.28:laksa"
OLDEST = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
async def running(made: Made, shelf: Path) -> AsyncIterator[Program]:
    """Give a program that runs for all tests of this file in this worker."""
    async with Copies.of(made, shelf) as copies:
        yield await copies.program("import")


@pytest.fixture
async def client(running: Program, a_client: Client) -> httpx.AsyncClient:
    """Give a client of the running program."""
    return a_client(running)


def old_events(name: str, count: int, source: str | None = None) -> list[dict[str, Any]]:
    """Make reports of long ago, three events each, of two regions unless of one source."""
    events = []
    for number in range(count):
        urn = source or (LAKSA, TEGAL)[number // 3 % 2]
        verb = ("submitted", "verified", "resolved")[number % 3]
        at = OLDEST + timedelta(minutes=20 * number)
        event = a_report(urn, f"{name}-{number}", verb, case=f"{name}-{number // 3}")
        events.append(event | {"time": format_instant(at)})
    return events


def written(path: Path, events: list[dict[str, Any]]) -> Path:
    """Write events as a file has them."""
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return path


async def log_of(client: httpx.AsyncClient, credential: Credential) -> list[dict[str, Any]]:
    """Return the whole log of the credential's region."""
    found: list[dict[str, Any]] = []
    while True:
        after = found[-1]["seq"] if found else 0
        answer = await client.get(
            "/v1/events",
            params={"region": credential.region, "after": after, "limit": 1_000},
            headers=credential.headers,
        )
        lines = answer.text.splitlines()
        if not lines:
            return found
        found += [json.loads(line) for line in lines]


async def imported(program: Program, *words: str | Path, code: int = 0) -> Any:
    """Run an import to its end and return its summary."""
    place = ("--data-dir", program.data_dir, "--json")
    return (await run("import", *words, *place, cwd=program.folder, code=code)).json


async def killed_at(
    program: Program, file: Path, client: httpx.AsyncClient, credential: Credential, head: int
) -> None:
    """Start an import, and kill -9 it once the region's log has grown so far."""
    process = await asyncio.create_subprocess_exec(
        *(COMMAND, "import", file, "--data-dir", program.data_dir, "--json"),
        cwd=program.folder,
        env=environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def grown() -> bool:
        return int((await read_state(client, credential))["head"]) >= head

    await eventually(grown, f"a log of {head} events")
    process.kill()
    await process.wait()


async def test_an_import_that_is_killed_again_and_again_leaves_the_log_of_one_run(
    copies: Copies, a_client: Client
) -> None:
    program = await copies.program()
    client = a_client(program)
    keys = {key.region: key for key in copies.keys}
    events = old_events("k", 3_000)
    file = written(program.folder / "events.ndjson", events)
    for head in (1, 500, 1_000):
        await killed_at(program, file, client, keys["36.71"], head)
    summary = await imported(program, file)
    assert summary["complete"]
    assert (summary["accepted"] + summary["duplicates"], summary["events"]) == (3_000, 3_000)
    assert summary["duplicates"] >= 1_900
    for region, credential in keys.items():
        logged = await log_of(client, credential)
        expected = [one["id"] for one in events if one["source"].split(":")[2] == region]
        assert [one["id"] for one in logged] == expected
        assert [one["seq"] for one in logged] == [*range(1, len(expected) + 1)]
        await settled(client, credential, len(expected))
    words = ("verify", "--json", "--data-dir", program.data_dir)
    assert (await run(*words, cwd=program.folder)).json["differences"] == []
    again = await imported(program, file)
    assert (again["accepted"], again["duplicates"]) == (0, 3_000)


async def test_old_events_restate_history_and_leave_today_and_the_source_alone(
    running: Program, client: httpx.AsyncClient, made: Made
) -> None:
    key = made.keys[LAKSA]
    answer = await post(client, key, a_report(LAKSA, "h-today"), status=202)
    before = await settled(client, key, answer.json()["receipts"][0]["seq"])
    file = written(running.folder / "history.ndjson", old_events("h", 300, LAKSA))
    await imported(running, file)
    after = await settled(client, key, before["seq"] + 300)
    report, was = (one["state"]["apps"]["laksa"]["report"] for one in (after, before))
    assert report["today"] == was["today"]
    assert report["by_state"]["resolved"] == was["by_state"].get("resolved", 0) + 100
    assert after["state"]["events_today"] == before["state"]["events_today"]
    assert after["state"]["sources"][LAKSA] == before["state"]["sources"][LAKSA]


async def test_refused_lines_are_reported_by_number_and_the_rest_is_taken(
    running: Program, folder: Path
) -> None:
    good = old_events("r", 5, LAKSA)
    far = a_report(LAKSA, "r-far") | {"time": "1999-12-31T00:00:00Z"}
    lines = [json.dumps(good[0]), "", '{"rahasia":', json.dumps(far), *map(json.dumps, good[1:])]
    stranger = a_report("urn:pemda:33.28:damkar", "r-who") | {
        "type": REPORT.replace("laksa.report", "damkar.transaction") + "started.v1"
    }
    lines.append(json.dumps(stranger))
    file, report = folder / "some.ndjson", folder / "refused.ndjson"
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    summary = await imported(running, file, "--report", report, code=1)
    assert (summary["accepted"], summary["rejected"], summary["complete"]) == (5, 3, True)
    told = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    assert told == summary["refused"]
    assert [(one["line"], one["problem"]) for one in told] == [
        (3, "malformed-json"),
        (4, "time-out-of-range"),
        (9, "unknown-source"),
    ]
    assert "rahasia" not in report.read_text(encoding="utf-8")
    assert summary["unknown_sources"] == ["urn:pemda:33.28:damkar"]
    summary = await imported(running, file, "--register-sources", code=1)
    assert (summary["accepted"], summary["registered"]) == (1, ["urn:pemda:33.28:damkar"])


async def test_a_compressed_file_that_was_cut_is_taken_as_far_as_it_goes(
    running: Program, folder: Path
) -> None:
    packed = gzip.compress(written(folder / "e", old_events("z", 3_000, LAKSA)).read_bytes())
    cut, whole = folder / "cut.gz", folder / "whole.gz"
    cut.write_bytes(packed[: len(packed) // 2])
    whole.write_bytes(packed)
    summary = await imported(running, cut, code=1)
    assert not summary["complete"]
    assert 0 < summary["accepted"] < 3_000
    again = await imported(running, whole)
    assert (again["complete"], again["duplicates"]) == (True, summary["accepted"])
    assert again["accepted"] + again["duplicates"] == 3_000


async def test_events_come_from_a_pipe_as_well(running: Program) -> None:
    lines = "".join(json.dumps(event) + "\n" for event in old_events("p", 50, LAKSA))
    process = await asyncio.create_subprocess_exec(
        *(COMMAND, "import", "-", "--data-dir", running.data_dir, "--json"),
        cwd=running.folder,
        env=environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(lines.encode())
    summary = json.loads(out)
    assert (process.returncode, summary["accepted"], summary["file"]) == (0, 50, "-")


async def test_a_file_that_is_not_there_is_said_in_a_sentence(running: Program) -> None:
    done = await run(
        "import", "nowhere", "--data-dir", running.data_dir, cwd=running.folder, code=1
    )
    assert (done.out, done.err.count("\n")) == ("", 1)
    assert "nowhere" in done.err
