"""The api's composition root: builds it from settings and hands everything its parts."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import problems
from app.clock import now
from app.database import make_engine, transaction
from app.dependencies import Quota, Services
from app.domain.times import Clock
from app.doors import Doors
from app.live.hub import Hub
from app.live.ticker import Ticker
from app.routers import cases, events, live, operations, pages, regions, series, sources, sse
from app.routers.guard import guarded
from app.routers.http_protocol import BoundedProtocol
from app.routers.websocket_protocol import LiveProtocol
from app.services.access import Access
from app.services.admission import Admission
from app.services.group_commit import GroupCommit
from app.services.health import Health
from app.services.ingest import Ingest
from app.services.leases import Leases
from app.services.live_feed import LiveFeed
from app.services.register import is_demo
from app.services.seats import Most, Seats
from app.services.state_reads import StateReads
from app.settings import Settings
from app.wiring import make_bus, running

log = structlog.get_logger()

STATIC = Path(__file__).parent / "static"
#: A client message is a hundred bytes; nothing in the protocol needs more.
MAX_WEBSOCKET_MESSAGE = 16 * 1024
WAIT_FOR_DATABASE_S = 1.0
TIDY_S = 15.0
#: Seconds until an idle connection is closed: longer than proxies and clients keep one (60 s and
#: less), for who closes first may do so just as the other side sends.
IDLE_S = 75


def create_app(
    settings: Settings,
    url: str,
    clock: Clock = now,
    stop: asyncio.Event | None = None,
    leaving: asyncio.Event | None = None,
) -> FastAPI:
    """Build the api role: its services, their tasks, and every route.

    ``leaving`` is set when the process is told to stop, ``stop`` when it does.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = make_engine(url, pool_size=settings.api_pool_size)
        bus = make_bus(settings, url, engine)
        committer = GroupCommit(engine, bus)
        feed, ticker = LiveFeed(engine, bus, Hub()), Ticker()
        leases = Leases(engine, clock)
        services = Services(
            engine=engine,
            clock=clock,
            access=Access(engine, clock),
            admission=Admission(),
            ingest=Ingest(engine, committer, clock),
            states=StateReads(engine),
            feed=feed,
            leases=leases,
            seats=Seats(_most(settings)),
            health=Health(engine, clock, leaving),
            quota=Quota(settings.requests_per_second),
            ticker=ticker,
            static=STATIC,
            allowed_origins=frozenset(settings.allowed_origins),
            stopping=stop or asyncio.Event(),
        )
        app.state.services = services
        try:
            work = bus.run(), committer.run(), feed.run(), ticker.run(), leases.run()
            async with running(*work, _learn_purpose(services), _tidy()):
                # What was loaded at the start stays for good; without this, every
                # full collection walks it again (single p99 40 ms against 12 ms).
                gc.collect()
                gc.freeze()
                # A batch of 500 makes some thousands of objects that all die with it: the usual
                # 700 would have them looked at again and again (a tenth of what a batch costs).
                gc.set_threshold(20_000, 20, 20)
                yield
                await committer.finish()
        except BaseExceptionGroup:
            app.state.failed.set()
            raise
        await engine.dispose()

    app = FastAPI(
        title="Kentongan",
        version=version("kentongan"),
        summary="The live wall of a city's public services.",
        docs_url=None,
        redoc_url=None,
        # To ask for each request whether somebody traces it is 15 µs; `/metrics` has ours.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=lifespan,
    )
    app.state.failed = asyncio.Event()
    for module in (events, cases, regions, series, sources, live, sse, pages, operations):
        app.include_router(module.router)
    app.add_middleware(Doors, doors=(events.door, live.door, regions.door))
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static")
    problems.install(app)
    return app


def _most(settings: Settings) -> Most:
    return Most(settings.sockets, settings.sockets_per_region, settings.sockets_per_key)


async def _learn_purpose(services: Services) -> None:
    """Read whether this is a demo, once the database is there and prepared.

    The api answers meanwhile, with 503 where it needs the database.
    """
    while True:
        try:
            async with transaction(services.engine) as connection:
                services.demo = await is_demo(connection)
                return
        except Exception:
            log.warning("The database is not ready yet", action="api.waits_for_database")
            await asyncio.sleep(WAIT_FOR_DATABASE_S)


async def _tidy() -> None:
    """Collect what holds itself, as a failure does its frames: little, and a few milliseconds.

    By the thresholds alone it would stay for minutes. Connections leave nothing to collect.
    """
    while True:
        await asyncio.sleep(TIDY_S)
        gc.collect()


async def _exit_on(stop: asyncio.Event, server: uvicorn.Server) -> None:
    await stop.wait()
    server.should_exit = True


async def _drain(leaving: asyncio.Event, seconds: float, stop: asyncio.Event) -> None:
    """Stop only when whoever sends here has had the time to see that this process leaves."""
    await leaving.wait()
    if seconds:
        log.info("Leaving; new requests are for others", action="api.leaving", seconds=seconds)
    await asyncio.sleep(seconds)
    stop.set()


def _last_on_its_connection(app: ASGIApp, leaving: asyncio.Event) -> ASGIApp:
    """Have connections end with their next answer once the process is to stop.

    One that were open still in the end would be closed while its client may
    just be sending the next request over it.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start" and leaving.is_set():
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await app(scope, receive, send_last if scope["type"] == "http" else send)

    return serve


async def serve_api(settings: Settings, url: str, stop: asyncio.Event | None = None) -> None:
    """Run the api role until ``stop``: be unready, stop accepting, finish, close sockets (1012)."""
    leaving, stop = stop or asyncio.Event(), asyncio.Event()
    app = create_app(settings, url, stop=stop, leaving=leaving)
    config = uvicorn.Config(
        _last_on_its_connection(guarded(app), leaving),
        host=settings.host,
        port=settings.port,
        http=BoundedProtocol,
        ws=LiveProtocol,
        ws_max_size=MAX_WEBSOCKET_MESSAGE,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        ws_ping_timeout=None,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        access_log=False,
        log_config=None,
        server_header=False,
    )
    server = uvicorn.Server(config)
    # Signals are the command line's to hear: uvicorn would end the process by the signal once it
    # has served, before what outlives the server, such as the database, could be stopped.
    server.capture_signals = nullcontext  # type: ignore[assignment, method-assign]
    exits = (_exit_on(end, server) for end in (stop, app.state.failed))
    async with running(_drain(leaving, settings.drain_seconds, stop), *exits):
        await server.serve()
    if app.state.failed.is_set():
        # uvicorn has logged why, and would have gone on answering without them: an api that
        # takes no events and moves no wall. Whoever supervises starts it again.
        raise SystemExit(1)
