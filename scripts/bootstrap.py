"""Turn a clone into a program that runs, with nothing but Python's own library.

    bootstrap.py run      .venv/ with the program and its built pages
    bootstrap.py check    that, with the tools that look at the code
    bootstrap.py setup    that, with a Chromium for the tests in a browser

Each step leaves a stamp: a hash of all that it was made from. What has not
changed is not done again, so a second start costs a fraction of a second.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = ROOT / "requirements"
STAMPS = VENV / "stamps"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
GOALS = ("run", "check", "setup")


class CannotGoOn(Exception):
    """Something is missing that only the person at the keyboard can decide about."""


def main() -> None:
    """Do the steps of one goal, one process at a time in one clone."""
    goal = sys.argv[1] if sys.argv[1:] else ""
    if goal not in GOALS:
        sys.exit(f"usage: bootstrap.py {'|'.join(GOALS)}")
    with Path(__file__).open() as door:
        # `make test` beside a `make run` that still installs must wait for it.
        fcntl.flock(door, fcntl.LOCK_EX)
        try:
            reach(goal)
        except CannotGoOn as reason:
            sys.exit(f"\n{reason}\n")
        except subprocess.CalledProcessError as failed:
            sys.exit(f"\nThis step failed (exit {failed.returncode}): {' '.join(failed.cmd)}\n")


def reach(goal: str) -> None:
    """Do what ``goal`` needs and is not done yet."""
    make_venv()
    install_packages(with_tools=goal != "run")
    install_project()
    run(PYTHON, ROOT / "scripts" / "web.py", "install" if goal == "check" else "build")
    if goal == "setup":
        ensure_chromium()


# --- Python -------------------------------------------------------------------------------------


def make_venv() -> None:
    """Make ``.venv/``; make it again where its Python is gone or the clone was moved."""
    made_from = digest([], extra=str(ROOT))
    if is_current("venv", made_from) and works(PYTHON):
        return
    require_ensurepip()
    say(f"making .venv/ with Python {sys.version.split()[0]}")
    run(base_python(), "-m", "venv", "--clear", VENV)
    stamp("venv", made_from)


def base_python() -> str:
    """Return the interpreter that lies outside any virtual environment."""
    return getattr(sys, "_base_executable", sys.executable)


def works(python: Path) -> bool:
    """Tell whether ``python`` starts, is new enough, and has pip."""
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return (
            subprocess.run([python, "-c", probe], check=False, capture_output=True).returncode == 0
        )
    except OSError:
        return False


def require_ensurepip() -> None:
    """Debian keeps the part of Python that makes environments in a package of its own."""
    probe = [base_python(), "-c", "import ensurepip"]
    if subprocess.run(probe, check=False, capture_output=True).returncode == 0:
        return
    command = "apt-get install -y python3-venv"
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"this Python cannot make environments yet: {command}")
        apt_get("python3-venv")
        return
    raise CannotGoOn(f"This Python cannot make virtual environments. Run:\n\n    sudo {command}")


def install_packages(*, with_tools: bool) -> None:
    """Install what the locks name; the tools' lock names the program's packages too."""
    tools, program = [LOCKS / "dev.lock"], [LOCKS / "build.lock", LOCKS / "runtime.lock"]
    if is_current("tools", digest(tools)):
        return
    name, locks = ("tools", tools) if with_tools else ("program", program)
    made_from = digest(locks)
    if is_current(name, made_from):
        return
    say(f"installing the packages of {' and '.join(lock.name for lock in locks)}")
    # The locks are complete, so pip has nothing to resolve.
    pip("--no-deps", "--require-hashes", *(word for lock in locks for word in ("-r", lock)))
    stamp(name, made_from)


def install_project() -> None:
    """Make the ``kentongan`` command, pointing at this working tree."""
    made_from = digest([ROOT / "pyproject.toml", ROOT / "hatch_build.py"])
    if is_current("project", made_from) and (VENV / "bin" / "kentongan").exists():
        return
    pip("--no-deps", "--no-build-isolation", "--no-index", "--editable", ROOT)
    stamp("project", made_from)


def pip(*words: str | Path) -> None:
    """Install quietly: an error is still printed whole."""
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words)


# --- Chromium -----------------------------------------------------------------------------------


def ensure_chromium() -> None:
    """Find a browser for the end-to-end tests: the system's, Debian's, or Playwright's."""
    if system_browser() or playwright_browser():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("installing Chromium for the tests in a browser: apt-get install -y chromium")
        if attempt(apt_get, "chromium") and system_browser():
            return
    say("downloading Playwright's Chromium for the tests in a browser")
    if attempt(run, PYTHON, "-m", "playwright", "install", "chromium") and playwright_browser():
        return
    raise CannotGoOn(
        "The tests need Chromium, and none could be had. Run:\n\n    "
        "sudo apt-get install -y chromium"
    )


def system_browser() -> str | None:
    """Return the first browser on the path that really starts.

    Ubuntu has a command of this name that only tells of another package.
    """
    for name in BROWSERS:
        found = shutil.which(name)
        if found and attempt(run, found, "--version", quiet=True):
            return found
    return None


def playwright_browser() -> bool:
    """Tell whether Playwright has a Chromium of its own already."""
    probe = (
        "import pathlib, sys; from playwright.sync_api import sync_playwright as start\n"
        "with start() as p: sys.exit(not pathlib.Path(p.chromium.executable_path).exists())"
    )
    return attempt(run, PYTHON, "-c", probe, quiet=True)


# --- small tools --------------------------------------------------------------------------------


def run(*words: str | Path, quiet: bool = False) -> None:
    """Run one command; its output is the person's to read unless ``quiet``."""
    out = subprocess.DEVNULL if quiet else None
    subprocess.run([str(word) for word in words], check=True, cwd=ROOT, stdout=out, stderr=out)


def attempt(step: object, *words: object, **options: object) -> bool:
    """Tell whether a step that may fail went well."""
    try:
        step(*words, **options)  # type: ignore[operator]
    except (subprocess.CalledProcessError, OSError):
        return False
    return True


def apt_get(package: str) -> None:
    """Install one of Debian's packages, without a question on the terminal."""
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run("apt-get", "-q", "update")
    run("apt-get", "-q", "install", "-y", package)


def digest(files: Iterable[Path], extra: str = "") -> str:
    """Return a hash over the contents of ``files``."""
    whole = hashlib.sha256(extra.encode())
    for file in files:
        whole.update(file.read_bytes() + b"\0")
    return whole.hexdigest()


def is_current(name: str, made_from: str) -> bool:
    """Tell whether the step ``name`` was last done from exactly this."""
    mark = STAMPS / name
    return mark.exists() and mark.read_text() == made_from


def stamp(name: str, made_from: str) -> None:
    """Remember from what the step ``name`` was done; written last, so a break is seen."""
    STAMPS.mkdir(exist_ok=True)
    (STAMPS / name).write_text(made_from)


def say(what: str) -> None:
    """Tell what takes a while before it does."""
    print(f"kentongan: {what}", flush=True)


if __name__ == "__main__":
    main()
