"""What a test's own process asks its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from app.database import Engine


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Note every statement, by whichever way it goes, of connections taken from now on."""
    found: list[str] = []
    listening: set[Any] = set()

    def note(query: Any) -> None:
        found.append(query.query)

    def listen(connection: Any, *_: Any) -> None:
        if connection.driver_connection not in listening:
            listening.add(connection.driver_connection)
            connection.driver_connection.add_query_logger(note)

    event.listen(engine.sync_engine, "checkout", listen)
    yield found
    event.remove(engine.sync_engine, "checkout", listen)
    for driver in listening:
        driver.remove_query_logger(note)
