"""From a clone to a program: how a Python, a browser and what changed are found."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import bootstrap, web

ROOT = Path(__file__).resolve().parents[2]
#: Starts, yet has nothing behind it, like the names that version managers leave on the path.
EMPTY_SHIM = "#!/bin/sh\nexit 127\n"
TOO_OLD = '#!/bin/sh\n[ "$1" = -c ] && exit 1\necho wrong one ran\n'
NEW_ENOUGH = '#!/bin/sh\n[ "$1" = -c ] && exit 0\necho "$0 $*"\n'
WITHOUT_ENSUREPIP = (
    '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\n[ "$1" = -c ] && exit 0\necho "$0 $*"\n'
)


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder that is the whole path: a shell, and what a test adds."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "awk"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return folder


def make(target: str, commands: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("make")
    assert program
    shutil.copy(ROOT / "Makefile", commands.parent)
    environment = {"PATH": str(commands)}
    return subprocess.run(
        [program, "--no-print-directory", target],
        cwd=commands.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def put(commands: Path, **programs: str) -> None:
    for name, text in programs.items():
        path = commands / name.replace("_", ".")
        path.write_text(text)
        path.chmod(0o755)


def test_make_alone_lists_every_target_that_has_a_word_about_it(commands: Path) -> None:
    listed = make("help", commands).stdout
    for target in ("run", "test", "setup", "check", "lock", "clean"):
        assert f"make {target}" in listed


def test_the_first_python_that_starts_and_is_new_enough_is_taken(commands: Path) -> None:
    put(commands, python3_13=EMPTY_SHIM, python3_12=NEW_ENOUGH, python3=NEW_ENOUGH)
    assert make("setup", commands).stdout == f"{commands}/python3.12 scripts/bootstrap.py setup\n"


def test_an_old_python_is_passed_over(commands: Path) -> None:
    put(commands, python3=TOO_OLD, python=NEW_ENOUGH)
    assert make("setup", commands).stdout == f"{commands}/python scripts/bootstrap.py setup\n"


def test_a_python_that_can_make_environments_is_taken_before_a_newer_one(commands: Path) -> None:
    put(commands, python3_13=WITHOUT_ENSUREPIP, python3=NEW_ENOUGH)
    assert make("setup", commands).stdout == f"{commands}/python3 scripts/bootstrap.py setup\n"


def test_a_python_that_cannot_make_environments_is_better_than_none(commands: Path) -> None:
    put(commands, python3_11=WITHOUT_ENSUREPIP)
    assert make("setup", commands).stdout == f"{commands}/python3.11 scripts/bootstrap.py setup\n"


def test_without_any_python_the_one_command_is_named(commands: Path) -> None:
    done = make("setup", commands)
    assert done.returncode != 0
    assert "sudo apt-get install -y python3 python3-venv" in done.stderr


def test_the_one_command_is_named_where_environments_cannot_be_made(
    commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(commands, python=WITHOUT_ENSUREPIP)
    monkeypatch.setattr(bootstrap, "base_python", lambda: str(commands / "python"))
    monkeypatch.setenv("PATH", str(commands))
    with pytest.raises(bootstrap.CannotGoOn, match="sudo apt-get install -y python3-venv"):
        bootstrap.require_ensurepip()


def test_a_browser_that_does_not_start_is_none(
    commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(commands, chromium="#!/bin/sh\necho install it from elsewhere; exit 1\n")
    monkeypatch.setenv("PATH", str(commands))
    assert bootstrap.system_browser() is None
    (commands / "google-chrome").write_text("#!/bin/sh\nexit 0\n")
    (commands / "google-chrome").chmod(0o755)
    assert bootstrap.system_browser() == str(commands / "google-chrome")


def test_the_one_command_is_named_where_no_browser_can_be_had(
    commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(commands, python=EMPTY_SHIM)
    monkeypatch.setattr(bootstrap, "PYTHON", commands / "python")
    monkeypatch.setenv("PATH", str(commands))
    with pytest.raises(bootstrap.CannotGoOn, match="sudo apt-get install -y chromium"):
        bootstrap.ensure_chromium()


def test_a_step_is_done_again_only_when_what_it_was_made_from_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "STAMPS", tmp_path / "stamps")
    lock = tmp_path / "runtime.lock"
    lock.write_text("one")
    assert not bootstrap.is_current("program", bootstrap.digest([lock]))
    bootstrap.stamp("program", bootstrap.digest([lock]))
    assert bootstrap.is_current("program", bootstrap.digest([lock]))
    os.utime(lock, (0, 0))
    assert bootstrap.is_current("program", bootstrap.digest([lock]))
    lock.write_text("two")
    assert not bootstrap.is_current("program", bootstrap.digest([lock]))


def test_an_environment_whose_python_is_gone_does_not_work(tmp_path: Path) -> None:
    assert bootstrap.works(Path(sys.executable))
    assert not bootstrap.works(tmp_path / "python")


def test_what_tools_made_is_no_part_of_what_the_pages_are_built_from(tmp_path: Path) -> None:
    (tmp_path / "web" / "src").mkdir(parents=True)
    (tmp_path / "web" / "src" / "main.ts").write_text("1")
    before = web.digest_of_sources(tmp_path)
    (tmp_path / "web" / "node_modules").mkdir()
    (tmp_path / "web" / "node_modules" / "made.js").write_text("2")
    assert web.digest_of_sources(tmp_path) == before
    (tmp_path / "web" / "src" / "main.ts").write_text("3")
    assert web.digest_of_sources(tmp_path) != before


@pytest.mark.parametrize("lock", ["runtime", "dev", "build"])
def test_every_locked_package_has_a_hash_and_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text()
    packages = text.replace("\\\n", "").splitlines()
    assert packages
    assert [line for line in packages if "--hash=sha256:" not in line] == []
    assert "://" not in text


def test_the_packages_of_the_web_part_are_locked_without_an_address() -> None:
    assert '"resolved"' not in (ROOT / "web" / "package-lock.json").read_text()
