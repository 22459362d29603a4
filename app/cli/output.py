"""What commands say: one JSON document alone on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import structlog
from pydantic import ValidationError
from rich.console import Console

from app.domain.errors import DomainError
from app.embedded import EmbeddedPostgresError

#: People's eyes; stdout is for what was asked for.
console = Console(stderr=True, highlight=False)


class CommandError(Exception):
    """A command cannot do what was asked; its message says why and what helps."""


@contextlib.contextmanager
def fail_clearly() -> Iterator[None]:
    """End with one sentence and exit code 1 where a failure is expected."""
    try:
        yield
    except (CommandError, DomainError, EmbeddedPostgresError) as error:
        console.print(f"kentongan: {error}", style="red", markup=False)
        sys.exit(1)
    except ValidationError as error:
        for item in error.errors(include_input=False, include_url=False, include_context=False):
            name = "KENTONGAN_" + ".".join(str(part) for part in item["loc"]).upper()
            console.print(f"kentongan: {name}: {item['msg']}", style="red", markup=False)
        sys.exit(2)


def print_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Say something to a person."""
    console.print(text, markup=False)


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
