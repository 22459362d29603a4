"""Making a database cluster, and the settings that its server starts with."""

import asyncio
import logging
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.embedded import places
from app.embedded.binaries import Binaries
from app.embedded.errors import CannotStart
from app.embedded.places import Home
from app.embedded.processes import Account, die_with_parent

logger = logging.getLogger(__name__)

#: Both the owner of the cluster and the database that the program uses.
NAME = "kentongan"
#: The builtin locale sorts by code point, the same on every machine and after
#: every upgrade of the system's libraries, which a libc locale does not.
BUILTIN_LOCALE_SINCE = 17

SETTINGS = """\
# Written at each start. A deployment's own choices go into local.conf beside this file.

# Reached only through a socket in a private folder: no port, no password.
listen_addresses = ''
unix_socket_directories = '{socket_folder}'
unix_socket_permissions = 0700
cluster_name = '{name}'
# The socket's name.
port = 5432
max_connections = 100

# What is acknowledged is on disk (these are PostgreSQL's defaults, and they stay).
fsync = on
full_page_writes = on
synchronous_commit = on

# A laptop's share of memory; the system's cache does the rest.
shared_buffers = 128MB
# One fsynced checkpoint for a longer stretch of a steady stream of events; a replay of that
# much log after a crash still takes seconds.
checkpoint_timeout = 10min
max_wal_size = 1GB
# Every statement here is short: compiling it would cost more than running it.
jit = off
# Everything is found by its key. The usual sample of ten times as much is two seconds of a
# processor for a log of some size, which autovacuum would take in the middle of a storm.
default_statistics_target = 10
# Pages lie on flash, where a random read costs about as much as the next one.
random_page_cost = 1.1

timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%a '
# A refused row may hold a citizen's data: neither the statement nor its values are logged.
log_error_verbosity = terse
log_min_error_statement = panic
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0

include_if_exists = 'local.conf'
"""


@dataclass(frozen=True, slots=True)
class Server:
    """All that a server is started with."""

    data_dir: Path
    home: Home
    binaries: Binaries
    account: Account | None
    socket_folder: Path

    @property
    def popen(self) -> dict[str, Any]:
        """How each of PostgreSQL's programs is run: as its account, in a session of its own.

        Ctrl-C in a terminal reaches every process of the foreground: the
        database must not hear it, for the program needs it until it has stopped.
        It is handed none of our environment, which may hold secrets and
        ``PG...`` settings that are meant for others.
        """
        path = {"PATH": os.environ.get("PATH", os.defpath)}
        libraries = {k: v for k, v in os.environ.items() if k == "LD_LIBRARY_PATH"}
        return {
            "cwd": "/",
            "env": {"LC_ALL": "C", "TZ": "UTC", **path, **libraries},
            "start_new_session": True,
            "preexec_fn": die_with_parent(signal.SIGINT),
            **(self.account.popen if self.account else {}),
        }


def write_settings(server: Server) -> None:
    """Tell the server what holds for this start."""
    text = SETTINGS.format(socket_folder=server.socket_folder, name=NAME)
    fresh = server.home.settings.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(places.open_in(server.home, fresh.name, os.O_WRONLY), "w") as file:
        file.write(text)
    # Nothing secret, and the server's account must read it.
    fresh.chmod(0o644)
    fresh.replace(server.home.settings)


async def make_cluster(server: Server) -> None:
    """Make the cluster with its database under another name, and rename it when it is whole.

    So a cluster that has its name has its database, whatever was interrupted.

    Raises:
        CannotStart: initdb failed.
    """
    cluster, fresh = server.home.cluster, server.home.folder / "cluster.new"
    if cluster.exists():
        return
    if fresh.exists():
        shutil.rmtree(fresh)
    places.give_private_folder(fresh, server.account)
    await _initdb(server, fresh)
    single = ["--single", "-D", str(fresh), "-c", "log_checkpoints=off", "template1"]
    told = await _run(server, "postgres", single, f"CREATE DATABASE {NAME}\n")
    if "ERROR" in told:
        raise CannotStart("PostgreSQL could not make its database", told, server.home.log)
    fresh.replace(cluster)
    _sync(server.home.folder)
    logger.info("a new PostgreSQL %s database is in %s", server.binaries.version, cluster)


async def _initdb(server: Server, cluster: Path) -> None:
    options = [
        *("-D", str(cluster), "--username", NAME, "--encoding", "UTF8", "--data-checksums"),
        # Whoever can enter the socket's folder is the owner; over a network, nobody is.
        *("--auth-local", "trust", "--auth-host", "reject"),
    ]
    if server.binaries.major >= BUILTIN_LOCALE_SINCE:
        builtin = ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"]
        await _run(server, "initdb", [*options, *builtin])
        return
    try:
        await _run(server, "initdb", [*options, "--locale", "C.UTF-8"])
    except CannotStart as error:
        # Not every libc knows it; "C" sorts the same way.
        if "invalid locale" not in error.last_words:
            raise
        await _run(server, "initdb", [*options, "--locale", "C"])


async def _run(server: Server, program: str, options: list[str], stdin: str = "") -> str:
    """Run one of PostgreSQL's programs to its end and return what it said."""
    process = await asyncio.create_subprocess_exec(
        str(server.binaries.folder / program),
        *options,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        **server.popen,
    )
    try:
        output, _ = await process.communicate(stdin.encode())
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    told = output.decode(errors="replace").strip()
    if process.returncode:
        with os.fdopen(places.open_in(server.home, "log", os.O_WRONLY | os.O_APPEND), "w") as log:
            log.write(f"{told}\n")
        raise CannotStart(f"PostgreSQL's {program} failed", told, server.home.log)
    return told


def _sync(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
