"""What routes are handed: the services of this process, and who is asking."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Security
from fastapi import Path as PathParameter
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from starlette.requests import HTTPConnection

from app.database import Engine
from app.domain.errors import InvalidParameter, MalformedJson, OriginNotAllowed, QuotaExceeded
from app.domain.regions import parse_region_code
from app.domain.strict_json import check_text
from app.domain.times import Clock
from app.live.ticker import Ticker
from app.services.access import (
    CASES_READ,
    EVENTS_READ,
    EVENTS_WRITE,
    NETWORK_READ,
    STATE_READ,
    Access,
    Reader,
)
from app.services.access import PREFIX as KEY_PREFIX
from app.services.admission import Admission
from app.services.health import Health
from app.services.ingest import Ingest
from app.services.leases import Leases
from app.services.live_feed import LiveFeed
from app.services.seats import Seats
from app.services.state_reads import StateReads
from app.services.summaries import NETWORK


class Quota:
    """How often each key may ask; counted in this process."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._item: RateLimitItem = RateLimitItemPerSecond(per_second)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    async def spend(self, reader: Reader) -> None:
        """Count one request.

        Raises:
            QuotaExceeded: the key used up the present second.
        """
        if not await self._limiter.hit(self._item, reader.name):
            raise QuotaExceeded(f"a key may make {self.per_second} requests a second")


@dataclass(slots=True)
class Services:
    """The services that this process's routes call."""

    engine: Engine
    clock: Clock
    access: Access
    admission: Admission
    ingest: Ingest
    states: StateReads
    feed: LiveFeed
    leases: Leases
    seats: Seats
    health: Health
    quota: Quota
    ticker: Ticker
    static: Path
    demo: bool = False
    #: Set when the process is told to stop: answers without end end then.
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    allowed_origins: frozenset[str] = field(default_factory=frozenset)


# Every dependency is a coroutine: FastAPI hands plain functions to a pool of threads, which
# cost 1,400 µs of CPU for one event, against 850 without it and with uvloop.
async def get_services(connection: HTTPConnection) -> Services:
    """Return the services that the composition root built."""
    services: Services = connection.app.state.services
    return services


ServicesIn = Annotated[Services, Depends(get_services)]


#: Of a route that is open to all: what it tells is public, or no more than that we are there.
PUBLIC: dict[str, Any] = {"security": []}


def either(*scopes: str) -> dict[str, Any]:
    """Return what tells of a route that asks by itself, for one of several scopes."""
    return {"security": [{Key.scheme_name: [scope]} for scope in scopes]}


class Key(SecurityBase):
    """Asks for a key: who asks, once within the quota and where the key has the scope.

    One step and not a chain of small ones, each of which FastAPI would solve
    anew for every request.
    """

    scheme_name = "key"
    model = HTTPBearerModel(description="A key of `kentongan key create`.")

    def __init__(self, scope: str | None = None) -> None:
        self._scope = scope

    async def __call__(self, request: Request) -> Reader:
        """Return who asks."""
        services: Services = request.app.state.services
        reader = await services.access.reader_of(request.headers.get("authorization"))
        await services.quota.spend(reader)
        if self._scope is not None:
            reader.require(self._scope)
        return reader


def _of(scope: str) -> Any:
    """Ask for a key of a scope, and tell of it in the documents."""
    return Security(Key(scope), scopes=[scope])


# Who asks. The region is checked by the route, which knows it.
EventWriter = Annotated[Reader, _of(EVENTS_WRITE)]
StateReader = Annotated[Reader, _of(STATE_READ)]
NetworkReader = Annotated[Reader, _of(NETWORK_READ)]
CasesReader = Annotated[Reader, _of(CASES_READ)]
EventsReader = Annotated[Reader, _of(EVENTS_READ)]


async def _who_asks(request: Request) -> Reader:
    return await _any_key(request)


_any_key = Key()
#: Whoever asks; the route requires one of the scopes that it tells of by ``either``.
ReaderIn = Annotated[Reader, Depends(_who_asks)]


async def _region_in_path(code: Annotated[str, PathParameter(max_length=20)]) -> str:
    return parse_region_code(code, field="code")


async def _region_in_query(region: Annotated[str, Query(max_length=20)]) -> str:
    return parse_region_code(region, field="region")


RegionInPath = Annotated[str, Depends(_region_in_path)]
RegionInQuery = Annotated[str, Depends(_region_in_query)]


def clean(text: str | None, field: str) -> str | None:
    """Return a parameter that PostgreSQL can be asked for.

    Raises:
        InvalidParameter: it holds U+0000 or is not UTF-8.
    """
    if text is None:
        return None
    try:
        check_text(text)
    except MalformedJson as error:
        raise InvalidParameter("not text that could be stored here", field=field) from error
    return text


def is_unchanged(request: Request, etag: str) -> bool:
    """Say whether the reader has the answer with this tag already (RFC 9110, section 13.1.2)."""
    offered = request.headers.get("if-none-match", "")
    return bool({etag, "*"} & {tag.strip().removeprefix("W/") for tag in offered.split(",")})


def is_own_page(connection: HTTPConnection) -> bool:
    """Say whether the request comes from a page that this very server served."""
    origin = connection.headers.get("origin")
    host = connection.headers.get("host")
    scheme = {"ws": "http", "wss": "https"}.get(connection.url.scheme, connection.url.scheme)
    return origin is not None and host is not None and origin == f"{scheme}://{host}"


#: Names under which credentials turn up in addresses, where logs would keep them.
_TOKENS_IN_URL = frozenset({"token", "access_token", "ticket", "key", "api_key", "authorization"})


def check_way_in(connection: HTTPConnection, services: Services) -> None:
    """Check, before a live connection is accepted, where a page comes from, and its address.

    Raises:
        OriginNotAllowed: the page is neither ours nor allowed.
        InvalidParameter: a credential stands in the address.
    """
    origin = connection.headers.get("origin")
    allowed = origin is None or origin in services.allowed_origins
    if not allowed and not is_own_page(connection):
        raise OriginNotAllowed("this page's origin may not open live connections")
    named = _TOKENS_IN_URL & {name.lower() for name in connection.query_params}
    if named or any(value.startswith(KEY_PREFIX) for value in connection.query_params.values()):
        raise InvalidParameter("a credential in the address is refused; offer a ticket")


def channel_name(text: str) -> str:
    """Return a live channel's name in its one form.

    Raises:
        InvalidParameter: it is neither the network nor a region.
    """
    if text == NETWORK:
        return text
    prefix, _, code = text.partition(":")
    if prefix != "region":
        raise InvalidParameter("channels are network and region:<code>", field="channel")
    return f"region:{parse_region_code(code, field='channel')}"
