"""Children that end with their parent, and the account they run under."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.embedded.errors import CannotReach

#: <linux/prctl.h>
PR_SET_PDEATHSIG = 1
#: Whom root lets PostgreSQL run as: it refuses root. Debian's own account for
#: it comes first, then the one that every system has.
ACCOUNTS = ("postgres", "nobody")


def die_with_parent(signum: signal.Signals) -> Callable[[], None]:
    """Return a ``preexec_fn`` that has the kernel signal the child when its parent is gone.

    Holds after SIGKILL of the parent too, when no handler of ours can run. The
    kernel means the parent's *thread*: start such children from one that lives
    as long as the process. Where there is no such call it does nothing.
    """
    if sys.platform != "linux":
        return lambda: None
    # Found before the fork: after it, only calls that need no lock are safe.
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def leash() -> None:
        prctl(PR_SET_PDEATHSIG, signum)
        # The parent may have gone between the fork and the line above.
        if os.getppid() != parent:
            os._exit(1)

    return leash


def as_a_child() -> Callable[[], None]:
    """Return a ``preexec_fn``: the child ends with us, and leaves Ctrl-C and hang-ups to us."""
    end_with_us = die_with_parent(signal.SIGTERM)

    def prepare() -> None:
        # Blocked and not ignored: a handler that the child sets would undo the latter.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
        end_with_us()

    return prepare


def how_it_ended(code: int) -> str:
    """Say an exit code for a person; a negative one is the number of a signal."""
    if code >= 0:
        return f"exit {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


@dataclass(frozen=True, slots=True)
class Account:
    """The account that the server runs under; ``None`` in its place means our own."""

    name: str
    uid: int
    gid: int

    @property
    def popen(self) -> dict[str, Any]:
        """The arguments that make a child run as this account and nothing more."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def account_for(cluster: Path) -> Account | None:
    """Return whom the server of ``cluster`` must run as.

    Only root needs another account. Files that are there already belong to
    someone: the server must go on as them.

    Raises:
        CannotReach: the cluster belongs to root, or no account will do.
    """
    if os.geteuid() != 0:
        return None
    if cluster.exists():
        return _owner(cluster)
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise CannotReach(
        "PostgreSQL refuses to run as root, and this system has no account named "
        f"{' or '.join(ACCOUNTS)}. Start Kentongan as an ordinary user."
    )


def _owner(cluster: Path) -> Account:
    status = cluster.stat()
    if status.st_uid == 0:
        raise CannotReach(
            f"The database in {cluster} belongs to root, and PostgreSQL refuses to run as root. "
            "Give it back to the account that made it (chown -R)."
        )
    try:
        name = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        name = str(status.st_uid)
    return Account(name, status.st_uid, status.st_gid)


def can_enter(folder: Path, account: Account | None) -> bool:
    """Tell whether ``account`` may enter ``folder``, by having it try."""
    if account is None:
        return os.access(folder, os.X_OK)
    return _succeeds(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], account)


def can_run(program: Path, account: Account | None) -> bool:
    """Tell whether ``account`` may run ``program``, with all that it loads."""
    return _succeeds([str(program), "--version"], account)


def _succeeds(command: list[str], account: Account | None) -> bool:
    options = account.popen if account else {}
    # From "/": our own working folder may be closed to the account.
    try:
        done = subprocess.run(command, check=False, capture_output=True, cwd="/", **options)
    except PermissionError:
        return False
    return done.returncode == 0
