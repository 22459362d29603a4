"""Folding on a real database: what any arrival order of the same events must make."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rfc8785

from app.database import Engine
from app.services import verification
from tests.builders import a_report, an_event
from tests.city import Hands, a_city, comparable

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "fold-small.json").read_text())
#: A moment of the vectors' second day, in Kota Tangerang.
LATER = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


async def test_vectors_give_their_cases_and_numbers(engine: Engine) -> None:
    async with a_city(engine, Hands(LATER)) as city:
        await city.post(*VECTORS["arrival"])
        state = await city.fold()
    for app, kinds in VECTORS["apps"].items():
        for kind, expected in kinds.items():
            found = state["apps"][app][kind]
            assert {name: found[name] for name in expected} == expected
    today = {
        f"{app}.{kind}": numbers["today"]
        for app, kinds in state["apps"].items()
        for kind, numbers in kinds.items()
    }
    assert {name: flows for name, flows in today.items() if flows} == {
        name: days["2026-11-21"] for name, days in VECTORS["flows"].items() if "2026-11-21" in days
    }


async def test_any_arrival_gives_the_same_state(engine: Engine) -> None:
    digests = set()
    chance = random.Random(7)
    unique = {(event["source"], event["id"]): event for event in VECTORS["arrival"]}
    for region in ("36.71", "33.28"):
        # The same city twice, under two codes: shuffled, cut and repeated differently.
        events = [_moved(event, region) for event in unique.values()]
        chance.shuffle(events)
        async with a_city(engine, Hands(LATER)) as city:
            while events:
                batch = [events.pop() for _ in range(min(len(events), chance.randint(1, 9)))]
                await city.post(*batch)
                if chance.random() < 0.5:
                    await city.post(chance.choice(batch))
                if chance.random() < 0.5:
                    await city.fold(region)
                if chance.random() < 0.3:
                    city.restart()
            state = comparable(await city.fold(region))
        del state["region"]
        digests.add(rfc8785.dumps(json.loads(json.dumps(state).replace(region, "R"))))
    assert len(digests) == 1


def _moved(event: dict[str, Any], region: str) -> dict[str, Any]:
    moved: dict[str, Any] = json.loads(json.dumps(event).replace("36.71", region))
    # Kelurahan have other codes elsewhere; the kecamatan is what is counted.
    if moved["data"].get("area", "").count(".") == 3:
        moved["data"]["area"] = moved["data"]["area"][:8]
    return moved


async def test_an_event_that_comes_late_restates_history(engine: Engine) -> None:
    async with a_city(engine) as city:
        await city.post(a_report("submitted"), a_report("resolved", minutes=30))
        before = await city.fold()
        await city.post(a_report("verified", minutes=10))
        after = await city.fold()
        found = await verification.verify(engine, "36.71")
    assert before["apps"]["laksa"]["report"]["today"]["first_responded"] == 1
    assert after["apps"]["laksa"]["report"] == before["apps"]["laksa"]["report"]
    assert found.differences == []


async def test_a_late_reopening_is_counted_between_two_closings(engine: Engine) -> None:
    async with a_city(engine) as city:
        await city.post(a_report("submitted"), a_report("resolved", minutes=10))
        await city.fold()
        await city.post(a_report("resolved", minutes=40))
        await city.fold()
        await city.post(a_report("reopened", minutes=20))
        today = (await city.fold())["apps"]["laksa"]["report"]["today"]
    assert (today["closed"], today["resolved"], today["reopened"]) == (2, 2, 1)


async def test_a_correction_moves_the_case_to_its_other_area(engine: Engine) -> None:
    async with a_city(engine) as city:
        await city.post(a_report("submitted"))
        await city.fold()
        fix = {"area": "36.71.06", "service": "drainase"}
        await city.post(a_report("corrected", minutes=1, data=fix))
        report = (await city.fold())["apps"]["laksa"]["report"]
    assert report["by_area"] == {"36.71.06": 1}
    assert report["by_service"] == {"drainase": 1}


async def test_a_test_event_is_heard_and_never_counted(engine: Engine) -> None:
    async with a_city(engine) as city:
        receipts = await city.post(an_event(test=True))
        state = await city.fold()
    assert receipts[0].seq == 1
    assert (state["apps"], state["events_today"], state["latest"]) == ({}, {}, {})
    assert state["sources"]["urn:pemda:36.71:laksa"]["status"] == "live"


async def test_an_unknown_type_is_counted_and_never_a_case(engine: Engine) -> None:
    async with a_city(engine) as city:
        await city.post(an_event(type="org.example.anything", subject=None, data=[1, "x"]))
        state = await city.fold()
    assert state["events_today"] == {"laksa": 1}
    assert state["apps"] == {}


async def test_fields_given_before_the_opening_belong_to_the_case(engine: Engine) -> None:
    async with a_city(engine) as city:
        await city.post(a_report("corrected", minutes=-5, data={"service": "lampu"}))
        early = await city.fold()
        await city.post(a_report("submitted", data={}))
        late = await city.fold()
    assert early["apps"] == {}
    assert late["apps"]["laksa"]["report"]["by_service"] == {"lampu": 1}


async def test_two_sources_may_use_one_id(engine: Engine) -> None:
    async with a_city(engine) as city:
        permit = an_event(
            id="same", source="urn:pemda:36.71:perizinan", type="org.example.x", subject=None
        )
        receipts = await city.post(an_event(id="same"), permit)
    assert [receipt.outcome for receipt in receipts] == ["accepted", "accepted"]


async def test_services_beyond_fifty_are_summed(engine: Engine) -> None:
    async with a_city(engine) as city:
        await city.post(
            *(a_report("submitted", f"L-{n}", data={"service": f"s{n:02}"}) for n in range(53))
        )
        by_service = (await city.fold())["apps"]["laksa"]["report"]["by_service"]
    assert by_service["_rest"] == 3
    assert len(by_service) == 51
