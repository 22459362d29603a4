"""Chance that follows from a name: the same name, the same numbers, everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import shake_128
from struct import Struct
from typing import TypeVar

T = TypeVar("T")

#: Most lives take under 32 numbers, so one call of the hash serves a case.
_WORDS = Struct("<32I")
_ONE_WORD = 2.0**-32


def digest(name: str, length: int = 64) -> bytes:
    """Return bytes that follow from the name alone.

    A hash rather than ``random.Random``: seeding that one costs several times as
    much, and a case needs only a few dozen numbers.
    """
    return shake_128(name.encode()).digest(length)


class Dice:
    """A stream of numbers that follows from a name.

    Only arithmetic that IEEE 754 rounds exactly is used (no ``exp``, no
    ``pow``), so two machines never disagree about an event by a millisecond,
    which would make a repeated delivery a conflict.
    """

    __slots__ = ("_blocks", "_name", "_words")

    def __init__(self, name: str) -> None:
        self._name = name
        self._words = [*_WORDS.unpack(digest(name, _WORDS.size))]
        self._blocks = 1

    def fraction(self) -> float:
        """Return a number in [0, 1).

        >>> Dice("a").fraction() == Dice("a").fraction()
        True
        """
        if not self._words:
            self._words.extend(_WORDS.unpack(digest(f"{self._name}#{self._blocks}", _WORDS.size)))
            self._blocks += 1
        word: int = self._words.pop()
        return word * _ONE_WORD

    def chance(self, probability: float) -> bool:
        """Return True with this probability, 0 to 1."""
        return self.fraction() < probability

    def below(self, count: int) -> int:
        """Return an integer in [0, count); ``count`` is at least 1."""
        return int(self.fraction() * count)

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items, each as likely; repeat an item to weigh it."""
        return items[int(self.fraction() * len(items))]

    def about(self, median: float, longest: float = 2.5) -> float:
        """Return a duration whose median is given, in the unit of the median.

        Skewed as the waiting times of offices are: short for most, long for some.
        Between 0.3 and ``longest`` medians, so that a life has a provable end.
        """
        share = 2 * self.fraction()
        if share < 1:
            return median * (0.3 + 0.7 * share)
        share -= 1
        return median * (1 + (longest - 1) * share * share)
