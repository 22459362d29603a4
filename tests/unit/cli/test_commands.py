"""The list of commands, whose modules are read only when they are called."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app import cli

#: What takes long to read: the web server, the database toolkit, models with validation.
HEAVY = ("fastapi", "uvicorn", "sqlalchemy", "alembic", "lokal", "pydantic", "structlog")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_list_says_of_a_command_what_the_command_says_of_itself(name: str) -> None:
    assert cli.COMMANDS[name][1] == cli.load(name).help.splitlines()[0]


def loaded_by(*words: str) -> set[str]:
    """Return what of the heavy packages a command line brings along."""
    script = (
        "import sys\nfrom app.cli import app\nsys.argv = ['kentongan', *sys.argv[1:]]\n"
        "try:\n    app()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=True
    )
    return {*HEAVY} & {*done.stderr.split()}


def test_help_brings_nothing_heavy_along() -> None:
    assert loaded_by("--help") == set()


def test_making_a_key_brings_no_web_server_along() -> None:
    assert not loaded_by("key", "create", "--help") & {"fastapi", "uvicorn"}
