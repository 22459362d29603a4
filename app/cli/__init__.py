"""The command line ``kentongan``: every command runs one root or one use case.

A command's module is read when the command is called: some bring a web server or a
database toolkit along, and who makes a key, or only asks for help, should not wait for those.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

#: Each command, the module and name of what it runs, and its line in the list of commands.
COMMANDS = {
    "up": (
        "up:up",
        "Run everything: the database, the api, the projector, and with --demo a city.",
    ),
    "api": ("api:api", "Serve the HTTP API, the live protocol and the pages."),
    "projector": ("projector:projector", "Fold the event logs into cases, numbers and frames."),
    "migrate": ("setup:migrate", "Bring the database to this program's schema."),
    "seed": ("setup:seed", "Bring in the documented regions and apps; what is there stays."),
    "doctor": (
        "setup:doctor",
        "Look at the machine and the database, and say what needs a person.",
    ),
    "key": ("keys:app", "Keys for programs."),
    "simulate": (
        "simulate:simulate",
        "Post the events of a plausible city through the public API.",
    ),
    "import": (
        "importing:import_events",
        "Bring old events in from a file, one a line, without disturbing what is live.",
    ),
    "verify": (
        "numbers:verify",
        "Recompute from the log and tell every difference; exit code 1 where there is one.",
    ),
    "rebuild": (
        "numbers:rebuild",
        "Fold the logs again beside the living tables and swap, under a new epoch.",
    ),
    "quarantine": ("quarantine:app", "Events that were refused."),
}


def load(name: str) -> Any:
    """Return a command itself, reading the module that it is in."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    found = getattr(import_module(f"{__name__}.{module}"), attribute)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(name)(found)
        found = alone
    command = typer.main.get_command(found)
    command.name = name
    return command


class _Commands(TyperGroup):
    """A list of names and lines, of which the one that is called becomes a command."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Load the command that the words call, or tell that there is none."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, None if listed is None else load(listed.name or ""), rest


app = typer.Typer(
    name="kentongan",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A command center for cities: from a posted event to a moving wall.",
)


def _listed() -> None:
    """Stand in the list of commands; what runs is loaded by name."""


for _name, (_, _line) in COMMANDS.items():
    app.command(_name, help=_line)(_listed)


def main() -> None:
    """Run the command line; expected failures end with one sentence and exit code 1."""
    try:
        app()
    except Exception as error:
        # Not at the top: it brings along what it tells the failures of.
        from app.cli.failures import fail_clearly  # noqa: PLC0415

        fail_clearly(error)
