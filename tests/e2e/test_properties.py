"""Properties of the real thing, with few examples: each costs a program some seconds."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import embedded
from app.domain.times import format_instant
from tests.e2e.conftest import Made, make_keys
from tests.e2e.posting import Credential, a_report, post
from tests.e2e.program import Role
from tests.e2e.reading import read_state, serving, settled, verified
from tests.e2e.waiting import eventually
from tests.e2e.watcher import Agreement, Watcher, digest
from tests.ports import free_port

#: No deadline: what takes time here is other processes.
FEW = settings(max_examples=6, deadline=None, database=None)
#: Regions of one zone: what differs between them is the order of arrival alone.
ALIKE = [f"urn:pemda:{region}:laksa" for region in ("33.28", "32.13", "36.03")]
#: A region that only one wall's watchers see change.
WATCHED = "urn:pemda:36.71:laksa"
VERBS = ("submitted", "verified", "assigned", "progressed", "held", "reopened", "resolved", "rated")
_examples = count(1)

pytestmark = pytest.mark.timeout(300)


@dataclass(eq=False)
class Roles:
    """An api and a projector by themselves, which a test may kill without any supervisor."""

    api: Role
    projector: Role
    client: httpx.AsyncClient
    alike: list[Credential]
    watched: Credential
    live_url: str

    async def again(self, role: Role) -> None:
        """Kill a role and start it again."""
        await role.kill()
        await role.start()


@pytest.fixture(scope="module")
async def roles(made: Made, shelf: Path) -> AsyncIterator[Roles]:
    """Give roles on a database of their own."""
    folder, port = shelf / "roles", free_port()
    subprocess.run(["cp", "-a", made.data_dir, folder], check=True)
    async with await embedded.start(folder) as postgres:
        env = {"KENTONGAN_DATABASE_URL": postgres.url}
        *alike, watched = await make_keys(postgres.url, *ALIKE, WATCHED)
        url = f"127.0.0.1:{port}"
        async with (
            Role(shelf, ("api", "--port", str(port)), env) as api,
            Role(shelf, ("projector",), env) as projector,
            httpx.AsyncClient(base_url=f"http://{url}", trust_env=False, timeout=30) as client,
        ):
            await serving(client)
            yield Roles(api, projector, client, alike, watched, f"ws://{url}/v1/live")
            assert await api.stop() == await projector.stop() == 0


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw events of a few reports, which may contradict, repeat and overtake one another."""
    example = next(_examples)
    events = []
    for number in range(draw(st.integers(5, 40))):
        data: dict[str, Any] = {}
        if draw(st.booleans()):
            data["service"] = draw(st.sampled_from(["jalan", "air", "lampu"]))
        if draw(st.booleans()):
            days = draw(st.sampled_from([-2, 2]))
            data["due_at"] = format_instant(datetime.now(UTC) + timedelta(days=days))
        events.append(
            a_report(
                "",
                f"{example}-{number}",
                draw(st.sampled_from(VERBS)),
                case=f"{example}-{draw(st.integers(1, 6))}",
                # Equal times, too: then the id decides.
                minutes=draw(st.integers(-3000, 10)),
                **data,
            )
        )
    return events


@FEW
@given(history=histories(), seed=st.integers(0, 2**32), restarts=st.integers(0, 2))
async def test_any_order_with_repeats_and_restarts_gives_the_same_numbers(
    roles: Roles, history: list[dict[str, Any]], seed: int, restarts: int
) -> None:
    chance = Random(seed)
    for place, key in enumerate(roles.alike):
        events = [event | {"source": key.source} for event in history]
        if place:
            events = chance.sample(events, len(events)) + chance.sample(events, len(events) // 3)
        while events:
            size = chance.randrange(1, 12)
            batch, events = events[:size], events[size:]
            await post(roles.client, key, batch, status=202)
            if place and restarts and chance.random() < 0.3:
                restarts -= 1
                await roles.again(roles.projector)
    heads = [(await read_state(roles.client, key))["head"] for key in roles.alike]
    assert len(set(heads)) == 1
    for key in roles.alike:
        await settled(roles.client, key, heads[0])
        assert await verified(roles.client, key) == []

    async def all_the_same() -> bool:
        # Asked again: an hour or a day may end between two readings.
        pictures = [(await read_state(roles.client, key))["state"] for key in roles.alike]
        numbers = [{m: it[m] for m in ("apps", "events_today", "hours")} for it in pictures]
        return len(set(map(digest, numbers))) == 1

    await eventually(all_the_same, "the same numbers in all regions")


ACTS = st.lists(
    st.sampled_from(["post", "post", "post", "drop", "stall", "read", "restart"]),
    min_size=4,
    max_size=12,
).filter(lambda acts: acts.count("restart") <= 1)


@FEW
@given(acts=ACTS, seed=st.integers(0, 2**32))
async def test_a_snapshot_and_what_follows_it_is_a_fresh_snapshot(
    roles: Roles, acts: list[str], seed: int
) -> None:
    key, chance, agreement = roles.watched, Random(seed), Agreement()
    example, number, seq = next(_examples), count(1), 0
    channel = f"region:{key.region}"
    async with (
        Watcher(roles.live_url, key.key, channel, agreement) as steady,
        Watcher(roles.live_url, key.key, channel, agreement) as tried,
    ):
        for act in [*acts, "post"]:
            match act:
                case "post":
                    events = [
                        a_report(
                            key.source,
                            f"w{example}-{next(number)}",
                            chance.choice(VERBS),
                            case=f"w{example}-{chance.randrange(9)}",
                            minutes=chance.randrange(-2000, 10),
                        )
                        for _ in range(chance.randrange(1, 30))
                    ]
                    answer = await post(roles.client, key, events, status=202)
                    seq = max(receipt["seq"] for receipt in answer.json()["receipts"])
                    if chance.random() < 0.5:
                        await steady.folded(seq)
                case "drop":
                    tried.hang_up()
                case "stall":
                    tried.reading.clear()
                case "read":
                    tried.reading.set()
                case "restart":
                    await roles.again(roles.api)
                    await serving(roles.client)
        tried.reading.set()
        newest = await settled(roles.client, key, seq)
        agreement.note(newest)
        for watcher in (steady, tried):
            await watcher.until(lambda picture: picture["rev"] >= newest["rev"])
            assert watcher.picture
            if watcher.picture["rev"] == newest["rev"]:
                assert digest(watcher.state) == digest(newest["state"])
        async with Watcher(roles.live_url, key.key, channel, agreement) as fresh:
            await tried.until(lambda picture: picture["rev"] >= (fresh.picture or {})["rev"])
    assert set(steady.snapshots + tried.snapshots) <= {"initial", "behind"}
