"""The check of what is deployed: it passes here, and sees each thing that could go wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import deployment

ROOT = Path(__file__).resolve().parents[2]
READ = ("Dockerfile", ".dockerignore", ".gitignore", "compose.yaml", "pyproject.toml")
COMMON = "deploy/systemd/kentongan.service"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give a copy of all that the check reads."""
    for name in READ:
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "deploy" / "systemd", tmp_path / "deploy" / "systemd")
    for name in (*deployment.BUILT_FROM, "docs/operations.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


def findings(tree: Path) -> list[str]:
    parts: list[Callable[[Path], object]] = [
        *(deployment.of_dockerfile, deployment.of_compose, deployment.of_units)
    ]
    return [finding for part in parts for finding in part(tree)]  # type: ignore[attr-defined]


def test_what_is_here_is_right(tree: Path) -> None:
    assert findings(tree) == []


@pytest.mark.parametrize(
    ("file", "was", "becomes", "told"),
    [
        ("Dockerfile", "USER 10001:10001", "USER root", "USER must be a number"),
        ("Dockerfile", "USER 10001:10001\n", "", "USER must be a number"),
        ("Dockerfile", "USER 10001:10001", "USER 0", "USER must be a number"),
        ("Dockerfile", "3.13-slim-bookworm\n", "latest\n", "names no version"),
        ("Dockerfile", "--from=build", "--from=builder", "no earlier stage"),
        ("Dockerfile", "nats.lock", "gone.lock", "requirements/gone.lock is not there"),
        ("Dockerfile", "COPY requirements/", "COPY locks/", "COPY of locks/"),
        ("Dockerfile", "STOPSIGNAL", "LABEL", "no STOPSIGNAL"),
        ("Dockerfile", "HEALTHCHECK", "LABEL", "no HEALTHCHECK"),
        ("Dockerfile", 'ENTRYPOINT ["kentongan"]', "ENTRYPOINT kentongan", "lists of words"),
        ("Dockerfile", '["up"]', '["serve"]', "no command of kentongan"),
        ("Dockerfile", '["up"]', '["up", "--fast"]', "no option --fast"),
        ("Dockerfile", "KENTONGAN_HOST", "KENTONGAN_BIND", "KENTONGAN_BIND is no setting"),
        (".dockerignore", "docs\n", "docs\nREADME.md\n", "leaves out README.md"),
        (".dockerignore", "docs\n", "docs\nrequirements\n", "leaves out requirements/"),
        ("compose.yaml", "postgres:18-bookworm", "postgres", "names no version"),
        ("compose.yaml", "kentongan:0.1.0", "kentongan:0.0.9", "not of version"),
        ("compose.yaml", "command: [projector]", "command: [project]", "no command of kentongan"),
        ("compose.yaml", "BUS_URL", "BUS_ADDRESS", "KENTONGAN_BUS_ADDRESS is no setting"),
        ("compose.yaml", "[database_url]", "[database_uri]", "is no secret"),
        (
            "compose.yaml",
            "prepare: {condition",
            "before: {condition",
            "before, which is no service",
        ),
        ("compose.yaml", 'restart: "no"', "restart: always", "prepare: no healthcheck"),
        ("compose.yaml", "shm_size: 256m", 'ports: ["5432:5432"]', "database: publishes a port"),
        ("compose.yaml", 'user: "999:999"', 'user: "0"', "not as root"),
        (".gitignore", "/deploy/secrets/", "", "could get into git"),
        (COMMON, "kentongan up", "kentongan start", "no command of kentongan"),
        (COMMON, "/.venv/", "/venv/", "starts /opt/kentongan/venv"),
        (COMMON, "KENTONGAN_DATA_DIR", "KENTONGAN_DATA", "KENTONGAN_DATA is no setting"),
        (COMMON, "User=kentongan", "User=root", "must run as kentongan"),
        (COMMON, "KillMode=mixed", "KillMode=control-group", "KillMode must be mixed"),
        (COMMON, "NoNewPrivileges=true\n", "", "NoNewPrivileges must be true"),
        (COMMON, "operations.md", "operating.md", "docs/operating.md is not there"),
        (
            "deploy/systemd/kentongan-api@.service",
            "--port %i",
            "--listen %i",
            "api has no option --listen",
        ),
        (
            "deploy/systemd/kentongan.target",
            "kentongan-prepare.service",
            "kentongan-migrate.service",
            "kentongan-migrate.service is not there",
        ),
    ],
)
def test_what_is_wrong_is_seen(tree: Path, file: str, was: str, becomes: str, told: str) -> None:
    text = (tree / file).read_text()
    assert was in text
    (tree / file).write_text(text.replace(was, becomes))
    assert [finding for finding in findings(tree) if told in finding]
