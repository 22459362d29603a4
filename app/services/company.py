"""Who came lately, and who of them had more of the work than is fair (G9)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import exp

#: Seconds for which a sender who came is company to others, and in which what somebody had of
#: the work counts for a third (1/e) of what it did.
COMPANY_S = 1.0
#: Whose part of the work is so many times an equal one has more than is fair. Of senders that
#: are alike, some have a half more than others in any one second.
UNFAIR = 2.0
#: And of the work of two or three.
OF_TWO = 0.75


@dataclass(slots=True)
class Sender:
    """A sender, and what it had of the work lately, in the units of what requests cost."""

    seen: float
    had: float = 0.0
    at: float = 0.0
    #: Until then, by the clock that it came by, it leaves others their turns.
    rests_until: float = 0.0


class Company:
    """The senders of the last moments."""

    def __init__(self) -> None:
        #: The latest last.
        self._senders: OrderedDict[str, Sender] = OrderedDict()
        self._all = Sender(0.0)

    def come(self, name: str, now: float) -> Sender:
        """Return the sender who comes; whoever has not come for long is forgotten."""
        sender = self._senders.setdefault(name, Sender(now))
        sender.seen = now
        self._senders.move_to_end(name)
        while now - next(iter(self._senders.values())).seen > COMPANY_S:
            self._senders.popitem(last=False)
        return sender

    @property
    def is_one(self) -> bool:
        """Whether there is nobody else for anybody."""
        return len(self._senders) < 2

    def take(self, sender: Sender, cost: float, now: float) -> None:
        """Count work that is done for a sender."""
        for one in (sender, self._all):
            one.had = _left(one, now) + cost
            one.at = now

    def is_unfair(self, sender: Sender, now: float) -> bool:
        """Say whether a sender has more of the work than is fair to the others who come."""
        if self.is_one:
            return False
        part = min(UNFAIR / len(self._senders), OF_TWO)
        return _left(sender, now) > part * _left(self._all, now)


def _left(sender: Sender, now: float) -> float:
    """Return what somebody had lately; the longer ago, the less it counts."""
    return sender.had * exp((sender.at - now) / COMPANY_S)
