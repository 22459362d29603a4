"""Where the database lives: beside the other data, or where its account can reach it."""

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.embedded.errors import AlreadyRunning, CannotReach
from app.embedded.processes import Account, account_for, can_enter

#: For root alone: where a cluster, and a copy of the programs, lie when the
#: account that PostgreSQL runs under cannot enter the folder they belong to.
SYSTEM_FOLDER = Path("/var/lib/kentongan")
#: A file in the data directory that names the home elsewhere.
POINTER = "postgres.at"
#: sockaddr_un holds 108 bytes with a final zero on Linux, 104 elsewhere;
#: "/.s.PGSQL.5432.lock" takes 19 of them.
LONGEST_SOCKET_FOLDER = 84
#: What needs no quoting in an address or a list of folders.
PLAIN_PATH = re.compile(r"[\w./~+@ -]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one database.

    It belongs to whoever starts the program, who writes ``lock``,
    ``postgresql.conf`` and ``log`` in it; only ``cluster`` and the sockets'
    folder belong to the account that the server runs under, so that this
    account can trick root into nothing.
    """

    folder: Path

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.folder / "cluster"

    @property
    def settings(self) -> Path:
        """What the server is told, written afresh at each start."""
        return self.folder / "postgresql.conf"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "log"


def find(data_dir: Path) -> Home | None:
    """Return the home of the database of ``data_dir``, or ``None`` where there is none yet.

    Raises:
        CannotReach: the data directory is closed to us, or names a home that is gone.
    """
    try:
        elsewhere = (data_dir / POINTER).read_text().strip()
    except FileNotFoundError:
        beside = data_dir / "postgres"
        return Home(beside) if beside.exists() else None
    except OSError as error:
        raise CannotReach(f"{data_dir} cannot be read: {error.strerror}.") from error
    if not Path(elsewhere).exists():
        raise CannotReach(
            f"{data_dir / POINTER} says that the database is in {elsewhere}, which is not there. "
            "Put it back, or remove that file to begin with an empty database."
        )
    return Home(Path(elsewhere))


def settle(data_dir: Path, system_folder: Path) -> tuple[Home, Account | None]:
    """Return the home of the database and its server's account; a new home where there is none.

    Raises:
        CannotReach: a folder on the way is closed to us or to that account.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        home = find(data_dir)
        if home is None:
            return _new_home(data_dir, system_folder)
    except OSError as error:
        raise CannotReach(f"{data_dir} cannot be used: {error.strerror}.") from error
    account = account_for(home.cluster)
    if account and not can_enter(home.folder, account):
        raise CannotReach(
            f"PostgreSQL runs as the account {account.name} here, which cannot enter "
            f"{home.folder}. Open the folders above it to that account, as they were "
            "when the database was made."
        )
    return home, account


def _new_home(data_dir: Path, system_folder: Path) -> tuple[Home, Account | None]:
    beside = Home(data_dir / "postgres")
    account = account_for(beside.cluster)
    beside.folder.mkdir(mode=0o700, exist_ok=True)
    if account is None:
        return beside, None
    # The account may pass through to what is its own, and list nothing.
    beside.folder.chmod(0o711)
    if can_enter(beside.folder, account):
        return beside, account
    beside.folder.rmdir()
    elsewhere = Home(_fresh_name(open_folder(system_folder), data_dir))
    elsewhere.folder.mkdir()
    elsewhere.folder.chmod(0o711)
    (data_dir / POINTER).write_text(f"{elsewhere.folder}\n")
    return elsewhere, account


def _fresh_name(system_folder: Path, data_dir: Path) -> Path:
    """Name a home after its data directory.

    One of that name may be left of a directory that was deleted: whoever
    deletes data wants none of it back, and nobody wants it destroyed unasked.
    """
    name = system_folder / short_hash(data_dir)
    number = 1
    while name.exists():
        number += 1
        name = system_folder / f"{short_hash(data_dir)}-{number}"
    return name


def open_folder(folder: Path) -> Path:
    """Return a folder of root's own that everybody may pass through and only root may change."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    return folder


def short_hash(path: Path) -> str:
    """Return a short name for a path, the same every time."""
    return hashlib.sha256(str(path).encode()).hexdigest()[:12]


def socket_folder(home: Home, account: Account | None, system_folder: Path) -> Path:
    """Return a folder for the server's socket, which only its account and root may enter.

    In the home where the path is short and plain enough for a socket; else in
    the system's folder for root, or in the one for temporary files.

    Raises:
        CannotReach: no such folder could be had, or another user made it first.
    """
    folder = home.folder / "socket"
    if not _suits_a_socket(folder):
        name = short_hash(home.folder)
        shared = Path(tempfile.gettempdir()) / f"kentongan-{os.geteuid()}-{name}"
        folder = open_folder(system_folder / "sockets") / name if account else shared
    if not _suits_a_socket(folder):
        raise CannotReach(f"{folder} is too long a name for a socket. Set TMPDIR to a shorter one.")
    give_private_folder(folder, account)
    return folder


def _suits_a_socket(folder: Path) -> bool:
    path = str(folder)
    return len(path.encode()) <= LONGEST_SOCKET_FOLDER and bool(PLAIN_PATH.fullmatch(path))


def give_private_folder(folder: Path, account: Account | None) -> None:
    """Make ``folder`` with mode 0700 for ``account``, or check that it is so already."""
    owner = account.uid if account else os.geteuid()
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        status = folder.lstat()
        ours = folder.is_dir() and not folder.is_symlink() and status.st_uid == owner
        if not ours or status.st_mode & 0o077:
            raise CannotReach(
                f"{folder} is there already, but is not a private folder of the account that "
                "PostgreSQL runs under. Remove it."
            ) from None
        return
    if account:
        os.chown(folder, account.uid, account.gid)


def take(home: Home, data_dir: Path) -> int:
    """Take the home for this process as long as it lives, and return the lock's descriptor.

    The kernel lets go of it however the process ends, and no number of a
    process that is long gone can be mistaken for its owner.

    Raises:
        AlreadyRunning: another process has it.
    """
    descriptor = open_in(home, "lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 20, 0).decode()
        os.close(descriptor)
        raise AlreadyRunning(data_dir, int(owner) if owner.isdecimal() else None) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def open_in(home: Home, name: str, flags: int) -> int:
    """Open a private file in the home, made where it is missing, for the home's owner.

    Root that starts a user's database must leave no file of root's behind, and
    must follow no link that the user has put in its way.
    """
    flags |= os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(home.folder / name, flags, 0o600)
    if os.geteuid() == 0:
        owner = home.folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def remove(data_dir: Path) -> None:
    """Delete the database of ``data_dir``, wherever it lies; other files there stay."""
    home = find(data_dir)
    if home is None:
        return
    # Taken first: files must not vanish below a server that runs.
    lock = take(home, data_dir)
    try:
        shutil.rmtree(home.folder)
        (data_dir / POINTER).unlink(missing_ok=True)
    finally:
        os.close(lock)
