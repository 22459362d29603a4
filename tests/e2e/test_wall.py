"""The main path, as people see it: from a posted event to a number on a wall in Chromium."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.conftest import LAKSA, SCOPES, Copies, create_key
from tests.e2e.glass import Glass, chromium, network_numbers, region_numbers
from tests.e2e.posting import Client, a_report, post
from tests.e2e.program import Program, run
from tests.e2e.reading import read_state, serving, settled

OPEN = "open-laksa-report"
#: Walls dim after 20 s of silence, twice in some of these tests.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Give the one Chromium of this worker."""
    async with chromium() as browser:
        yield browser


async def test_a_posted_event_moves_the_walls_and_they_outlive_the_server(
    copies: Copies, browser: Browser, a_client: Client
) -> None:
    program = await copies.program(start=False)
    await program.start()
    key = await create_key(program.data_dir, LAKSA, *SCOPES)
    client = a_client(program)
    async with (
        Glass.showing(browser, f"{program.url}/wall/36.71") as wall,
        Glass.showing(browser, f"{program.url}/wall") as network,
    ):
        await wall.give_key("bukan kunci")
        await expect(wall.page.get_by_test_id("access")).to_be_visible()
        for glass in (wall, network):
            await glass.give_key(key.key)
        await wall.shows({"title": "Kota Tangerang"})
        await network.shows({"region-36.71-open": "0"})

        events = [a_report(LAKSA, f"L-{n}", service="jalan", area="36.71.05") for n in range(3)]
        await post(client, key, events, status=202)
        await wall.shows({OPEN: "3", "tile-count-36.71.05": "3"})
        await network.shows({"region-36.71-open": "3", "open-total": "3"})
        await post(client, key, a_report(LAKSA, "S-1", "resolved", case="L-1"), status=202)
        await wall.shows({OPEN: "2", "tile-count-36.71.05": "2"})
        await expect(wall.page.get_by_test_id("demo")).to_have_count(0)

        await program.kill("parent")
        for glass in (wall, network):
            await glass.dims("network")
        await expect(wall.page.get_by_test_id("stale")).to_contain_text("Gambar terakhir pukul")
        await wall.shows({OPEN: "2"})

        await program.start()
        for glass in (wall, network):
            await glass.brightens()
        late = [a_report(LAKSA, f"M-{n}", area="36.71.06") for n in range(1200)]
        await post(client, key, late[:600], status=202)
        await post(client, key, late[600:], status=202)
        await shows_exactly(wall, await settled(client, key, 1204))
        await wall.shows({OPEN: "1.202"})
        whole = await client.get("/v1/network/state", headers=key.headers)
        await network.shows(network_numbers(whole.json()["state"]))
    for glass in (wall, network):
        assert glass.complaints == []
        assert glass.foreign == []


async def shows_exactly(glass: Glass, picture: dict[str, object]) -> None:
    """Wait until a region's wall shows a picture, in every number of it."""
    await glass.at(picture)
    state = picture["state"]
    assert isinstance(state, dict)
    await glass.shows(region_numbers(state))


async def test_a_wall_tells_a_projector_that_stands_still_from_a_server_that_is_away(
    copies: Copies, browser: Browser, a_client: Client
) -> None:
    program = await copies.program()
    key, client = copies.keys[0], a_client(program)
    async with Glass.showing(browser, f"{program.url}/wall/36.71?lang=en") as wall:
        await wall.give_key(key.key)
        await post(client, key, a_report(LAKSA, "L-1"), status=202)
        await wall.shows({OPEN: "1"})

        # The api is started again within seconds: nobody in the room need notice.
        await program.kill("api")
        await program.until_said("api ended unexpectedly")
        await serving(client)
        await post(client, key, a_report(LAKSA, "L-2"), status=202)
        await wall.shows({OPEN: "2"})

        projector = await program.child("projector")
        projector.send_signal(signal.SIGSTOP)
        try:
            await post(client, key, a_report(LAKSA, "L-3"), status=202)
            await wall.dims("projector")
            await expect(wall.page.get_by_test_id("stale")).to_contain_text("Last picture")
            await wall.shows({OPEN: "2"})
        finally:
            projector.send_signal(signal.SIGCONT)
        await wall.brightens()
        await shows_exactly(wall, await settled(client, key, 3))
        await wall.page.reload()  # the key was typed once, and is not asked for again
        await shows_exactly(wall, await read_state(client, key))
    assert wall.complaints == []


async def test_a_demo_shows_a_city_that_lives_by_itself_and_needs_no_key(
    browser: Browser, copies: Copies, a_client: Client
) -> None:
    program = Program(copies.folder, copies.folder / "demo", words=("--demo",))
    copies.stack.push_async_callback(program.clean_up)
    await program.start()
    async with (
        Glass.showing(browser, f"{program.url}/wall/36.71") as wall,
        Glass.showing(browser, f"{program.url}/wall") as network,
    ):
        for glass in (wall, network):
            await glass.shows({"demo": "DEMO"})
            root = glass.page.locator(":root")
            for _ in range(3):
                rev = await root.get_attribute("data-rev")
                await expect(root).not_to_have_attribute("data-rev", rev or "", timeout=60_000)
        await expect(wall.page.get_by_test_id(OPEN)).not_to_have_text("0")
    assert wall.complaints == network.complaints == []
    # A page of somebody else's, and a program, need a key as everywhere.
    client = a_client(program)
    assert (await client.get("/v1/regions/36.71/state")).status_code == 401
    assert (await client.post("/v1/live/tickets")).status_code == 401
    foreign = {"Origin": "http://kota.invalid"}
    assert (await client.post("/v1/live/tickets", headers=foreign)).status_code == 401

    family = program.family()
    await program.kill("parent")
    await program.nothing_left(family)
    real = await run(
        "up",
        "--data-dir",
        program.data_dir,
        "--port",
        str(program.port),
        cwd=program.folder,
        code=1,
    )
    assert real.err.count("\n") == 1
    assert "--demo" in real.err


async def test_a_demo_is_refused_where_real_data_is(copies: Copies) -> None:
    program = await copies.program(start=False, words=("--demo",))
    await program.spawn()
    assert await program.ended() == 1
    assert program.lines[-2].startswith("kentongan: this database is a real one")
    assert program.left() == []
