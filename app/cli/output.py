"""What commands say: one JSON document alone on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

from rich.console import Console


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


def print_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Say something to a person, if one is still there to hear it."""
    # A terminal that was closed takes no more; that is no reason to stop.
    with contextlib.suppress(OSError):
        console.print(text, markup=False, soft_wrap=True)
