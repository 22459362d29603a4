"""What a server leaves for others to read: its pid file, its socket, its log."""

import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from app.embedded import places
from app.embedded.places import Home

#: A storm of errors must not fill the disk that the data are on.
LARGEST_LOG = 16 * 1024 * 1024
#: The end of the log that a message to a person may quote.
LAST_WORDS = 400


@dataclass(frozen=True, slots=True)
class Status:
    """The lines of ``postmaster.pid`` that say where a server is and how it does."""

    pid: int
    port: int
    socket_folder: Path
    word: str

    @property
    def socket(self) -> Path:
        """The socket that the server made, or would make."""
        return self.socket_folder / f".s.PGSQL.{self.port}"


def status(home: Home) -> Status | None:
    """Return what the pid file says, true or stale; ``None`` where it is missing or unfinished.

    Source: PostgreSQL, ``src/include/utils/pidfile.h``.
    """
    try:
        lines = (home.cluster / "postmaster.pid").read_text().splitlines()
        return Status(int(lines[0]), int(lines[3]), Path(lines[4]), lines[7].strip())
    except (FileNotFoundError, IndexError, ValueError):
        return None


def is_ready(home: Home, pid: int) -> bool:
    """Tell whether our server ``pid`` takes connections."""
    told = status(home)
    return told is not None and told.pid == pid and told.word == "ready"


def listening(home: Home) -> Status | None:
    """Return the status of a living server of this home, or ``None``.

    Its socket is asked, not the number in its file: after a crash that number
    may belong to any process.
    """
    told = status(home)
    if told is None or not told.socket_folder.is_absolute():
        return None
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2)
        try:
            client.connect(str(told.socket))
        except TimeoutError:
            return told
        except OSError:
            return None
    return told


def sweep(home: Home, socket_folder: Path) -> None:
    """Remove what a crash left and PostgreSQL would not dare to.

    Its pid file names a process; where another process has that number now,
    and runs as the same account, PostgreSQL refuses to start. Call it with the
    home taken and nobody listening. (Memory that a last process of the dead
    server still uses is guarded by PostgreSQL with more than this file.)
    """
    for left in socket_folder.glob(".s.PGSQL.*"):
        left.unlink(missing_ok=True)
    file = home.cluster / "postmaster.pid"
    try:
        pid = int(file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    if _is_another_program(pid, home.cluster):
        file.unlink(missing_ok=True)


def _is_another_program(pid: int, cluster: Path) -> bool:
    """Tell whether ``pid`` surely is no server of this cluster: a server works inside it."""
    try:
        return not Path(f"/proc/{pid}/cwd").readlink().is_relative_to(cluster)
    except OSError:
        return False


def last_words(home: Home, since: int) -> str:
    """Return why the server gave up: the fatal lines of its log from byte ``since`` on."""
    with home.log.open("rb") as log:
        log.seek(since)
        lines = log.read().decode(errors="replace").splitlines()
    fatal = [line.split(": ", 1)[1].strip() for line in lines if "FATAL: " in line]
    return "; ".join(fatal or lines[-1:])[-LAST_WORDS:]


def trim_log(home: Home) -> None:
    """Move a log that has grown large to ``log.1``, and empty it.

    The server goes on writing to the same file: it appends, so it notices nothing.
    """
    if home.log.stat().st_size < LARGEST_LOG:
        return
    old = places.open_in(home, "log.1", os.O_WRONLY | os.O_TRUNC)
    with home.log.open("rb") as log, os.fdopen(old, "wb") as kept:
        shutil.copyfileobj(log, kept)
    os.truncate(home.log, 0)
