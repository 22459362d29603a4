"""How a command that failed ends.

Read only then: all that could go wrong, brought together, takes longer to read than most
commands take.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NoReturn

from pydantic import ValidationError
from pydantic_settings import SettingsError

from app.cli.output import CommandError, console
from app.cli.supervise import ChildFailed
from app.domain.errors import DomainError
from app.embedded import EmbeddedPostgresError
from app.workers.errors import WorkerLost

#: What is told in a sentence; a traceback would only hide it.
EXPECTED = (
    CommandError,
    ChildFailed,
    DomainError,
    EmbeddedPostgresError,
    WorkerLost,
    ValidationError,
    SettingsError,
)


def fail_clearly(error: Exception) -> NoReturn:
    """End with one sentence and exit code 1, or 2 for a setting, where the failure is expected."""
    # What fails beside running tasks comes in a group, and is as expected there.
    failures = list(_leaves(error))
    if not all(isinstance(failure, EXPECTED) for failure in failures):
        raise error
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
