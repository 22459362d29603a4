"""The command line ``kentongan``: every command runs one root or one use case."""

from __future__ import annotations

import typer

from app.cli import importing, keys, numbers, quarantine, roles, setup, simulate, up
from app.cli.output import fail_clearly

app = typer.Typer(
    name="kentongan",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A command center for cities: from a posted event to a moving wall.",
)
app.command("up")(up.up)
app.command("api")(roles.api)
app.command("projector")(roles.projector)
app.command("migrate")(setup.migrate)
app.command("seed")(setup.seed)
app.command("doctor")(setup.doctor)
app.add_typer(keys.app, name="key")
app.command("simulate")(simulate.simulate)
app.command("import")(importing.import_events)
app.command("verify")(numbers.verify)
app.command("rebuild")(numbers.rebuild)
app.add_typer(quarantine.app, name="quarantine")


def main() -> None:
    """Run the command line; expected failures end with one sentence and exit code 1."""
    with fail_clearly():
        app()
