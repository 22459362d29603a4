"""How many live connections there may be: in all, of a region, and of one reader.

Each costs memory for as long as it watches, and a loop gone wild opens thousands.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from app.domain.errors import Overloaded, TooManyConnections
from app.services.access import Reader


@dataclass(frozen=True, slots=True)
class Most:
    """How many connections of this process."""

    in_all: int
    of_region: int
    of_reader: int


class Seats:
    """The live connections of this process, counted."""

    def __init__(self, most: Most) -> None:
        self._most = most
        self._taken = 0
        self._by_reader: Counter[str] = Counter()
        self._by_region: Counter[str] = Counter()

    def require_one(self) -> None:
        """Refuse, before anybody is asked who it is, where there is no seat at all.

        Raises:
            Overloaded: all are taken.
        """
        if self._taken >= self._most.in_all:
            raise Overloaded("this process has as many live connections as it may have")

    def take(self, reader: Reader) -> None:
        """Give a connection its seat, until ``leave``.

        Raises:
            Overloaded: all are taken.
            TooManyConnections: those of the reader, or of its region, are.
        """
        self.require_one()
        if self._by_reader[reader.name] >= self._most.of_reader:
            raise TooManyConnections("this credential has as many connections as it may have")
        if reader.region and self._by_region[reader.region] >= self._most.of_region:
            raise TooManyConnections("this region has as many connections as it may have")
        self._taken += 1
        self._by_reader[reader.name] += 1
        if reader.region:
            self._by_region[reader.region] += 1

    def leave(self, reader: Reader) -> None:
        """Take a connection's seat back."""
        self._taken -= 1
        _less(self._by_reader, reader.name)
        if reader.region:
            _less(self._by_region, reader.region)


def _less(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
