"""``kentongan up``: everything on one box, in one process group, in order.

This process holds the database and supervises the roles; it stops them before
the database, and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer

from app import embedded
from app.cli.api import Host, Port
from app.cli.database import DEMO_DATA_DIR, DataDir, settings_for
from app.cli.output import CommandError, say
from app.cli.simulate import KEYS_VARIABLE
from app.cli.supervise import Child, StopRequested, stop_on_signals, supervise, unless_stopped
from app.clock import now
from app.database import make_engine
from app.services import installation
from app.services.access import EVENTS_WRITE, STATE_READ
from app.services.keys import create_key
from app.settings import Settings

#: Seconds for the processes of an instance that was killed to end.
LEAVING_WITHIN_S = 5.0
#: Seconds between two looks at whether the api serves.
GLANCE_S = 0.1
#: Hours of history that a demo city begins with: its wall's last 24 h are full.
DEMO_HISTORY_HOURS = 25
#: Events a second over the week. Far more than real cities have, so that a wall
#: is seen to live; the history at this rate, 84,000 events, takes 15 s to post.
DEMO_RATE = 0.6
#: Reading the state tells the simulator for how long the demo was off.
DEMO_SCOPES = frozenset({EVENTS_WRITE, STATE_READ})


def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="A living demo city, in a data directory of its own.")
    ] = False,
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Run everything: the database, the api, the projector, and with --demo a city."""
    settings = settings_for(data_dir, host=host, port=port)
    if demo and data_dir is None and "data_dir" not in settings.model_fields_set:
        settings = settings_for(DEMO_DATA_DIR, host=host, port=port)
    asyncio.run(_up(settings, demo=demo))


async def _check_port(settings: Settings) -> None:
    """Find out before anything starts that the port cannot be had.

    An instance of ours whose parent was killed is on its way out, and is
    waited for a moment.
    """
    deadline = asyncio.get_running_loop().time() + LEAVING_WITHIN_S
    while True:
        try:
            _try_port(settings)
        except CommandError:
            leaving = await asyncio.to_thread(embedded.running_url, settings.data_dir)
            if leaving is None or asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(GLANCE_S)
        else:
            return


def _try_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise CommandError(
                f"port {settings.port} on {settings.host} cannot be used"
                f" ({error.strerror}); choose another with --port"
            ) from None


async def _up(settings: Settings, *, demo: bool) -> None:
    try:
        with stop_on_signals() as stop:
            await unless_stopped(stop, _check_port(settings))
            async with _database(settings, stop) as url:
                keys = await unless_stopped(stop, _prepare(settings, url, demo=demo))
                children = _children(settings, url, keys if demo else None)
                await supervise(children, stop=stop, tell=_tell)
    except* StopRequested:  # in a group, when the database was being watched already
        pass
    say("Stopped.")


@asynccontextmanager
async def _database(settings: Settings, stop: asyncio.Event) -> AsyncIterator[str]:
    """Give the outside database, or own the embedded one: started first, stopped last."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    async with (
        await unless_stopped(stop, embedded.start(settings.data_dir)) as postgres,
        asyncio.TaskGroup() as tasks,
    ):
        watching = tasks.create_task(postgres.stay_up(say))
        try:
            yield postgres.url
        finally:
            watching.cancel()


async def _prepare(settings: Settings, url: str, *, demo: bool) -> dict[str, str]:
    """Migrate and seed; for a demo also adoptions, sources, and the simulator's keys."""
    engine = make_engine(url, pool_size=2, command_timeout=None)
    try:
        if not demo:
            await installation.prepare(engine, now, demo=False)
            return {}
        names = await installation.prepare_demo(engine, now)
        kept = settings.data_dir / "demo-keys.json"
        keys: dict[str, str] = json.loads(kept.read_text()) if kept.is_file() else {}
        if settings.database_url is not None or keys.keys() != {name.urn for name in names}:
            keys = {name.urn: await create_key(engine, now, name, DEMO_SCOPES) for name in names}
            if settings.database_url is None:
                _write_private(kept, json.dumps(keys))
        return keys
    finally:
        await engine.dispose()


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _children(settings: Settings, url: str, demo_keys: Mapping[str, str] | None) -> list[Child]:
    program = [sys.executable, "-m", "app"]
    env = os.environ | {"KENTONGAN_DATABASE_URL": url}
    env.pop("KENTONGAN_DATABASE_URL_FILE", None)
    address = f"http://{_host_in_url(settings.host)}:{settings.port}"
    place = ["--host", settings.host, "--port", str(settings.port)]

    async def serving() -> None:
        await _until_serving(address)
        _announce(settings, address, demo=demo_keys is not None)

    children = [
        Child("projector", [*program, "projector"], env),
        Child(
            "api",
            [*program, "api", *place],
            env,
            ready=serving,
            stop_within=settings.drain_seconds + settings.shutdown_seconds + 5.0,
        ),
    ]
    if demo_keys is not None:
        simulate = [*program, "simulate", "--url", address, "--rate", str(DEMO_RATE)]
        simulate += ["--history", str(DEMO_HISTORY_HOURS), "--json"]
        simulator_env = env | {KEYS_VARIABLE: json.dumps(demo_keys)}
        children.append(Child("simulator", simulate, simulator_env))
    return children


def _host_in_url(host: str) -> str:
    """Return how this machine reaches an address that was bound."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "127.0.0.1" if host == "0.0.0.0" else "[::1]"  # noqa: S104
    return f"[{host}]" if ":" in host else host


async def _until_serving(address: str) -> None:
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get("/readyz")).status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(GLANCE_S)


def _announce(settings: Settings, address: str, *, demo: bool) -> None:
    where = (
        "an outside database"
        if settings.database_url is not None
        else str(settings.data_dir.resolve())
    )
    title = "Kentongan is running" + (" (DEMO: an invented city)" if demo else "")
    say("")
    say(title)
    for name, value in (
        ("Wall", f"{address}/wall/36.71"),
        ("Network", f"{address}/wall"),
        ("API", f"{address}/docs"),
        ("Data", where),
    ):
        say(f"  {name:<8} {value}")
    say("  Ctrl-C stops everything in order.")
    say("")


def _tell(name: str, line: str) -> None:
    # A log line for machines stays one JSON object.
    say(line if line.startswith("{") else f"{name:>10} | {line}")
