"""Hold the Dockerfile, compose.yaml and the systemd units to the tree that they speak of.

    deployment.py [FOLDER]

The linters of each kind of file know its form and its customs. What they cannot know is checked
here: that a path is there, a setting is one of ours, a command is one that the program has.
Where systemd is installed, its own check of units is asked as well.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pathspec import GitIgnoreSpec

from app import cli
from app.settings import FROM_FILES, Settings

ROOT = Path(__file__).resolve().parent.parent
#: Without these in the image's context, the wheel is not built, or not whole.
BUILT_FROM = (
    *("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "alembic.ini"),
    *("app/main.py", "migrations/env.py", "scripts/web.py", "web/package-lock.json"),
)
PROGRAM = "/opt/kentongan/.venv/bin/kentongan"
#: Where the units expect the tree.
INSTALLED = "/opt/kentongan/"

_SETTING = re.compile(r"\bKENTONGAN_[A-Z_]+\b")
_LOCK = re.compile(r"requirements/[\w.]+\.lock")
_PINNED = re.compile(r"[\w./-]+(:(?!latest\b)[\w.-]+|@sha256:[0-9a-f]{64})")


def main() -> None:
    """Print what is wrong; exit with 1 where anything is."""
    root = Path(sys.argv[1]) if sys.argv[1:] else ROOT
    found = [*of_dockerfile(root), *of_compose(root), *of_units(root), *of_systemd(root)]
    for finding in found:
        print(finding, file=sys.stderr)
    sys.exit(1 if found else 0)


def settings_in(text: str, where: str) -> Iterator[str]:
    """Name the settings in a text that the program does not have."""
    known = {f"KENTONGAN_{name.upper()}" for name in Settings.model_fields}
    known |= {f"KENTONGAN_{name.upper()}_FILE" for name in FROM_FILES}
    for name in sorted({*_SETTING.findall(text)} - known):
        yield f"{where}: {name} is no setting"


def options_of(words: list[str]) -> set[str] | None:
    """Return the options that a command line may have, or nothing where it is no command."""
    if not words or words[0] not in cli.COMMANDS:
        return None
    command = cli.load(words[0])
    for word in words[1:]:
        command = getattr(command, "commands", {}).get(word, command)
    return {name for parameter in command.params for name in parameter.opts}


def of_command(words: list[str], where: str) -> Iterator[str]:
    """Check that the program would know these words."""
    options = options_of(words)
    if options is None:
        yield f"{where}: {' '.join(words)!r} is no command of kentongan"
        return
    for word in words:
        if word.startswith("--") and word.partition("=")[0] not in options:
            yield f"{where}: {words[0]} has no option {word}"


# --- Dockerfile -----------------------------------------------------------------------


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile, lines joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = (line.strip().partition(" ") for line in joined.splitlines() if line.strip())
    return [(word.upper(), rest.strip()) for word, _, rest in pairs]


def of_dockerfile(root: Path) -> Iterator[str]:
    """Check the Dockerfile and what of the tree reaches its build."""
    text = (root / "Dockerfile").read_text(encoding="utf-8")
    steps = instructions(text)
    ignored = GitIgnoreSpec.from_lines((root / ".dockerignore").read_text().splitlines())
    yield from settings_in(text, "Dockerfile")
    yield from of_stages(steps)
    for path in (*BUILT_FROM, *_LOCK.findall(text)):
        if not (root / path).exists():
            yield f"Dockerfile: {path} is not there"
        elif ignored.match_file(path):
            yield f".dockerignore: leaves out {path}, which the image is built from"
    for word, rest in steps:
        if word == "COPY" and "--from=" not in rest:
            for source in rest.split()[:-1]:
                if not (root / source).exists():
                    yield f"Dockerfile: COPY of {source}, which is not there"
    yield from of_last_stage(steps)


def of_stages(steps: list[tuple[str, str]]) -> Iterator[str]:
    """Check where the stages begin, and that they copy from one another."""
    stages: list[str] = []
    for word, rest in steps:
        if word == "FROM":
            image, *name = rest.split(" AS ")
            if image not in stages and not _PINNED.fullmatch(image):
                yield f"Dockerfile: FROM {image} names no version"
            stages += name
        for source in re.findall(r"--from=(\S+)", rest):
            if source not in stages:
                yield f"Dockerfile: --from={source}, which is no earlier stage"


def of_last_stage(steps: list[tuple[str, str]]) -> Iterator[str]:
    """Check what of the image a running container sees."""
    begins = max(place for place, (word, _) in enumerate(steps) if word == "FROM")
    last = dict(steps[begins:])
    if not re.fullmatch(r"[1-9][0-9]*(:[1-9][0-9]*)?", last.get("USER", "")):
        yield "Dockerfile: the last USER must be a number other than 0"
    yield from (
        f"Dockerfile: no {word}" for word in ("HEALTHCHECK", "STOPSIGNAL") if word not in last
    )
    try:
        entry, command = json.loads(last["ENTRYPOINT"]), json.loads(last["CMD"])
    except (KeyError, ValueError):
        # A shell in between would be told to stop, and not pass it on.
        yield "Dockerfile: ENTRYPOINT and CMD must be lists of words"
        return
    yield from of_command([*entry[1:], *command], "Dockerfile")


# --- compose.yaml ---------------------------------------------------------------------


def of_compose(root: Path) -> Iterator[str]:
    """Check the services against the image, the program and one another."""
    text = (root / "compose.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    yield from settings_in(text.replace("${KENTONGAN_PORT", ""), "compose.yaml")
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    for name, service in document["services"].items():
        where = f"compose.yaml: {name}"
        yield from of_service(service, where)
        if "build" in service:
            if service["image"] != f"kentongan:{version}":
                yield f"{where}: the image is not of version {version}"
            yield from of_command(service["command"], where)
        elif "ports" in service:
            yield f"{where}: publishes a port; only our own may be reached from outside"
        for other in {*service.get("depends_on", {})} - document["services"].keys():
            yield f"{where}: depends on {other}, which is no service"
        for secret in {*service.get("secrets", [])} - document["secrets"].keys():
            yield f"{where}: {secret} is no secret"
    for name, secret in document["secrets"].items():
        if not ignored_by_git(root, secret["file"]):
            yield f"compose.yaml: the secret {name} could get into git"


def of_service(service: dict[str, Any], where: str) -> Iterator[str]:
    """Check what every service has."""
    if not _PINNED.fullmatch(service.get("image", "")):
        yield f"{where}: the image names no version"
    check = service.get("healthcheck", {})
    ends = service.get("restart") == "no"
    if not (ends if check.get("disable") else "test" in check):
        yield f"{where}: no healthcheck, and it does not end by itself"
    if not service.get("read_only") or str(service.get("user", "0")).startswith("0"):
        yield f"{where}: must run read-only and not as root"


def ignored_by_git(root: Path, path: str) -> bool:
    """Say whether git leaves a path alone."""
    spec = GitIgnoreSpec.from_lines((root / ".gitignore").read_text().splitlines())
    return spec.match_file(path.removeprefix("./"))


# --- units ----------------------------------------------------------------------------


def unit(text: str) -> dict[str, list[str]]:
    """Return the settings of a unit, whatever their section, each with its values in order."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            found.setdefault(name, []).append(value)
    return found


def of_units(root: Path) -> Iterator[str]:
    """Check the units against the program, the tree and one another."""
    folder = root / "deploy" / "systemd"
    names = {file.name for file in folder.iterdir()}
    for file in sorted(folder.glob("kentongan*.*")):
        where, text = file.relative_to(root).as_posix(), file.read_text(encoding="utf-8")
        members = unit(text)
        yield from settings_in(text, where)
        for other in re.findall(r"\bkentongan[\w-]*@?\.(?:service|target)\b", text):
            if other not in names:
                yield f"{where}: {other} is not there"
        for path in re.findall(rf"file://{INSTALLED}(\S+)", text):
            if not (root / path).is_file():
                yield f"{where}: {path} is not there"
        if file.suffix == ".service":
            yield from of_unit(members, where)


def of_unit(members: dict[str, list[str]], where: str) -> Iterator[str]:
    """Check what a service starts, as whom, and how it is stopped."""
    program, *words = shlex.split(members["ExecStart"][-1])
    if program != PROGRAM:
        yield f"{where}: starts {program}, not {PROGRAM}"
    yield from of_command(words, where)
    if members.get("User") != ["kentongan"]:
        yield f"{where}: must run as kentongan"
    for name, value in (("NoNewPrivileges", "true"), ("ProtectSystem", "strict")):
        if members.get(name) != [value]:
            yield f"{where}: {name} must be {value}"
    if members["Type"] != ["oneshot"] and members.get("KillMode") != ["mixed"]:
        # The program stops its own children, in order; told all at once, the database goes first.
        yield f"{where}: KillMode must be mixed"


def of_systemd(root: Path) -> Iterator[str]:
    """Ask systemd itself, where it is installed, with a program in the place of ours."""
    if not (analyze := shutil.which("systemd-analyze")):
        return
    with tempfile.TemporaryDirectory() as folder:
        copies = []
        for file in sorted((root / "deploy" / "systemd").glob("kentongan*.*")):
            if file.suffix in (".service", ".target"):
                copies.append(Path(folder) / file.name)
                copies[-1].write_text(file.read_text().replace(PROGRAM, sys.executable))
        done = subprocess.run(
            [analyze, "verify", "--man=no", *map(str, copies)],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{folder}:"},
        )
    ours = [line for line in done.stderr.splitlines() if "kentongan" in line]
    yield from (f"systemd-analyze verify: {line}" for line in ours)
    if done.returncode and not ours:
        yield f"systemd-analyze verify: exit {done.returncode}: {done.stderr.strip()}"


if __name__ == "__main__":
    main()
