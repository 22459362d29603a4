"""Replay real 311 requests through the public API and compare every number with the file.

    python benchmarks/replay_311.py nyc-311-animals-2025q1.csv

Each row becomes the events of a LAKSA report, which are posted in shuffled batches
with repeats by several workers to a running server. Then all cases are read back,
and their counts by region, state, service and local day are printed beside those
taken from the file. The exit code is 1 if any differs.

Cases of others in the same regions do not matter, a living city among them, as
long as it leaves the walls at rest now and then for the moment of a comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from rich.console import Console

from benchmarks.nyc_311 import (
    PREFIX,
    REGION_OF_BOROUGH,
    Case,
    Cell,
    Event,
    Place,
    case_of,
    counts_of,
    counts_of_file,
    events_of,
    read_rows,
    source_of,
    split,
    wall_counts_of,
)
from benchmarks.report_311 import Outcome, show

ROOT = Path(__file__).resolve().parent.parent
SCOPES = ("events:write", "state:read", "cases:read")
#: Every fifth event is sent again, somewhere else in the order.
REPEATED = 0.2
WORKERS = 6
#: Folding five thousand cases takes a second or two; a minute is a stuck projector.
DEADLINE = 60.0
RETRIED = frozenset({429, 503})


class ReplayError(Exception):
    """The server did not do what the comparison needs; the message says what."""


def batches_of(events: Sequence[Event], chance: Random) -> Iterator[list[Event]]:
    """Yield the events of one source shuffled, a fifth of them twice, in batches of 1 to 1,000."""
    order = [*events, *(event for event in events if chance.random() < REPEATED)]
    chance.shuffle(order)
    start = 0
    while start < len(order):
        size = chance.choice((1, 3, 10, 30, 100, 300, 1_000))
        yield order[start : start + size]
        start += size


class Server:
    """The public API, as this program uses it."""

    def __init__(self, client: httpx.AsyncClient, keys: Mapping[str, str]) -> None:
        self._client = client
        self._keys = keys

    async def place(self, region: str) -> Place:
        """Return a region's zone and kecamatan from the register."""
        document = (await self._client.get(f"/v1/regions/{region}")).raise_for_status().json()
        return Place(ZoneInfo(document["timezone"]), tuple(sorted(document["areas"])))

    async def state(self, region: str) -> dict[str, Any]:
        """Return the region's state with its ``seq`` and ``head``."""
        return await self._read(region, f"/v1/regions/{region}/state", {})

    async def cases(self, region: str) -> list[dict[str, Any]]:
        """Return all reports of the region, page after page."""
        query = {"region": region, "app": "laksa", "kind": "report", "limit": "1000"}
        cases: list[dict[str, Any]] = []
        while True:
            page = await self._read(region, "/v1/cases", query)
            cases.extend(page["cases"])
            if not page["next_cursor"]:
                return cases
            query["cursor"] = page["next_cursor"]

    async def _read(self, region: str, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        answer = await self._client.get(path, params=dict(query), headers=self._key(region))
        document: dict[str, Any] = answer.raise_for_status().json()
        return document

    def _key(self, region: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._keys[source_of(region)]}"}

    async def post(self, region: str, batch: Sequence[Event]) -> dict[str, Any]:
        """Post a batch until it is taken, and return its receipts document.

        Raises:
            ReplayError: the server refused events.
        """
        headers = self._key(region) | {"Content-Type": "application/cloudevents-batch+json"}
        body = json.dumps(batch, ensure_ascii=False).encode()
        while True:
            answer = await self._client.post("/v1/events", content=body, headers=headers)
            if answer.status_code not in RETRIED:
                break
            await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
        if answer.status_code != httpx.codes.ACCEPTED:
            raise ReplayError(f"the server answered {answer.status_code} to a batch")
        document: dict[str, Any] = answer.json()
        return document

    async def folded(self, region: str, head: int) -> dict[str, Any]:
        """Return the region's state once it has folded up to ``head``, the newest event."""
        while True:
            state = await self.state(region)
            if state["seq"] == state["head"] >= head:
                return state
            # The state decides; the pause only leaves the projector its processor.
            await asyncio.sleep(0.05)

    async def at_rest(self, region: str, head: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the folded state and the cases that belong to it.

        Raises:
            ReplayError: the region is not folded, or does not stand still, in time.
        """
        try:
            async with asyncio.timeout(DEADLINE):
                while True:
                    state = await self.folded(region, head)
                    cases = await self.cases(region)
                    # Only a picture that nothing has changed meanwhile can be compared.
                    if (await self.state(region))["head"] == state["head"]:
                        return state["state"], cases
        except TimeoutError:
            raise ReplayError(
                f"{region} was not folded up to {head}, or did not stand still to be compared"
            ) from None


def case_read(document: Mapping[str, Any], zone: ZoneInfo) -> Case:
    """Return a case of ``GET /v1/cases`` with its times in the region's local time."""

    def local(name: str) -> datetime | None:
        text = document[name]
        at = datetime.fromisoformat(text) if text else None
        return at.astimezone(zone).replace(tzinfo=None) if at else None

    opened = local("opened_at")
    if opened is None:
        raise ReplayError("a case has no time of opening")
    return Case(
        region=document["region"],
        case_id=document["case_id"],
        state=document["state"],
        service=document["service"],
        area=document["area"],
        opened=opened,
        first_response=local("first_response_at"),
        closed=local("closed_at"),
    )


async def post_all(
    server: Server, events: Mapping[str, Sequence[Event]], seed: int, outcome: Outcome
) -> Counter[str]:
    """Post the events of all regions; return how many were new in each."""
    chance = Random(seed)
    queue = [
        (region, batch) for region in sorted(events) for batch in batches_of(events[region], chance)
    ]
    chance.shuffle(queue)
    accepted: Counter[str] = Counter()

    async def work() -> None:
        while queue:
            region, batch = queue.pop()
            answer = await server.post(region, batch)
            outcome.posted.update({"batches": 1, "deliveries": len(batch)})
            outcome.posted.update({name: answer[name] for name in ("accepted", "duplicates")})
            accepted[region] += answer["accepted"]

    began = perf_counter()
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(work())
    except* (ReplayError, httpx.HTTPError) as failed:
        raise failed.exceptions[0] from None
    outcome.seconds["posting"] = perf_counter() - began
    return accepted


async def compare(
    server: Server, region: str, head: int, expected: Mapping[str, Case], outcome: Outcome
) -> None:
    """Read the region back and compare it case by case, number by number."""
    zone = (await server.place(region)).zone
    state, documents = await server.at_rest(region, head)
    cases = [case_read(document, zone) for document in documents]
    ours = {case.case_id: case for case in cases if case.case_id.startswith(PREFIX)}
    outcome.api.update(counts_of(ours.values()))
    outcome.cases_differing.extend(
        sorted(name for name in {*ours, *expected} if ours.get(name) != expected.get(name))
    )
    others = [case for case in cases if not case.case_id.startswith(PREFIX)]
    outcome.file.update(wall_counts_of([*expected.values(), *others]))
    # A region of which nothing has been heard has no apps.
    reports = state["apps"].get("laksa", {}).get("report", {})
    for by in ("by_state", "by_service", "by_area"):
        outcome.api.update({Cell(region, by, name): n for name, n in reports.get(by, {}).items()})


async def replay(path: Path, server: Server, seed: int) -> Outcome:
    """Post the file's requests and compare what the server made of them."""
    rows, left_out = split(read_rows(path))
    outcome = Outcome(len(rows), len(left_out), file=counts_of_file(rows))
    regions = sorted(set(REGION_OF_BOROUGH.values()))
    places = {region: await server.place(region) for region in regions}
    events: defaultdict[str, list[Event]] = defaultdict(list)
    cases: defaultdict[str, dict[str, Case]] = defaultdict(dict)
    for row in rows:
        case = case_of(row, places)
        cases[case.region][case.case_id] = case
        events[case.region].extend(events_of(row, places))
    heads = {region: (await server.state(region))["head"] for region in regions}
    accepted = await post_all(server, events, seed, outcome)
    began = perf_counter()
    for region in regions:
        await compare(server, region, heads[region] + accepted[region], cases[region], outcome)
    outcome.seconds["folding and reading"] = perf_counter() - began
    return outcome


def keys_of_cli(data_dir: Path | None) -> dict[str, str]:
    """Create a key for each region's source with ``kentongan key create``.

    The database is found as the command finds it: by ``data_dir`` or by the
    ``KENTONGAN_*`` variables, which are passed on.
    """
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    where = ["--data-dir", str(data_dir)] if data_dir else []
    keys = {}
    for region in sorted(REGION_OF_BOROUGH.values()):
        command = ["key", "create", "--source", source_of(region), *scopes, "--json", *where]
        keys[source_of(region)] = _run_cli(command)["key"]
    return keys


def _run_cli(command: Sequence[str]) -> dict[str, str]:
    """Run a command of this very source tree, also where it has not been installed."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "app", *command],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise ReplayError("no key could be created: is the server's data directory the one named?")
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path, help="New York 311 requests as CSV")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the running server")
    parser.add_argument("--data-dir", type=Path, help="the server's, to create keys in")
    parser.add_argument("--keys", type=Path, help="a JSON object of keys by source, instead")
    parser.add_argument("--seed", type=int, default=311, help="of order, batches and repeats")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args(words)


async def run(options: argparse.Namespace) -> Outcome:
    """Replay against the server of the options."""
    if options.keys:
        keys = json.loads(options.keys.read_text(encoding="utf-8"))
    else:
        keys = keys_of_cli(options.data_dir)
    async with httpx.AsyncClient(base_url=options.url, timeout=60, trust_env=False) as client:
        return await replay(options.file, Server(client, keys), options.seed)


def main(words: Sequence[str] | None = None) -> int:
    """Replay, print, and return the exit code: 0 if all agrees, 1 if not, 2 if it failed."""
    options = arguments(words)
    # A file or a pipe has no width of its own; this one fits every table.
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        outcome = asyncio.run(run(options))
    except (ReplayError, httpx.HTTPError, OSError) as error:
        print(f"replay failed: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(outcome.as_dict(), indent=1))
    else:
        show(outcome, console)
    return 0 if outcome.agrees() else 1


if __name__ == "__main__":
    sys.exit(main())
