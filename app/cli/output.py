"""What commands say: one JSON document alone on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

import structlog
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from app.cli.supervise import ChildFailed
from app.domain.errors import DomainError
from app.embedded import EmbeddedPostgresError


class _Console(Console):
    """A console whose reader may leave: a pipe's other end, a terminal that was closed."""

    def on_broken_pipe(self) -> None:
        """Go on in silence: who supervises has other work than to be read."""
        self.quiet = True
        # Else the interpreter's last flush fails as well, and with it the exit code.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stderr.fileno())
        os.close(nowhere)


#: People's eyes; stdout is for what was asked for.
console = _Console(stderr=True, highlight=False)


class CommandError(Exception):
    """A command cannot do what was asked; its message says why and what helps."""


#: What is told in a sentence; a traceback would only hide it.
EXPECTED = (
    CommandError,
    ChildFailed,
    DomainError,
    EmbeddedPostgresError,
    ValidationError,
    SettingsError,
)


@contextlib.contextmanager
def fail_clearly() -> Iterator[None]:
    """End with one sentence and exit code 1, or 2 for a setting, where a failure is expected."""
    try:
        yield
    except Exception as error:
        # What fails beside running tasks comes in a group, and is as expected there.
        failures = list(_leaves(error))
        if not all(isinstance(failure, EXPECTED) for failure in failures):
            raise
        for sentence in (line for failure in failures for line in _sentences(failure)):
            console.print(f"kentongan: {sentence}", style="red", markup=False, soft_wrap=True)
        sys.exit(2 if isinstance(failures[0], ValidationError | SettingsError) else 1)


def _leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _sentences(failure: Exception) -> Iterator[str]:
    if not isinstance(failure, ValidationError):
        yield str(failure)
        return
    for item in failure.errors(include_input=False, include_url=False, include_context=False):
        place = ".".join(str(part) for part in item["loc"]).upper()
        said = item["msg"].removeprefix("Value error, ")
        yield f"KENTONGAN_{place}: {said}" if place else said


def print_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Say something to a person, if one is still there to hear it."""
    # A terminal that was closed takes no more; that is no reason to stop.
    with contextlib.suppress(OSError):
        console.print(text, markup=False, soft_wrap=True)


def configure_logging(*, as_json: bool) -> None:
    """Send log lines to stderr: a sentence for people, a stable ``action`` for machines."""
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
