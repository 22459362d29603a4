"""How many live connections there may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Overloaded, TooManyConnections
from app.services.access import DEMO_PAGE, Reader
from app.services.seats import Most, Seats

MOST = Most(in_all=6, of_region=4, of_reader=2)
READERS = [
    Reader(f"key:{number}", region, None, frozenset())
    for number, region in enumerate(("36.71", "36.71", "36.71", "33.28", "33.28"))
] + [DEMO_PAGE]


@given(st.lists(st.tuples(st.sampled_from(READERS), st.booleans()), max_size=60))
def test_no_bound_is_passed_and_no_seat_is_lost(moves: list[tuple[Reader, bool]]) -> None:
    seats, sitting = Seats(MOST), list[Reader]()
    for reader, comes in moves:
        own = sitting.count(reader)
        beside = sum(one.region == reader.region for one in sitting)
        if not comes:
            if own:
                sitting.remove(reader)
                seats.leave(reader)
        elif len(sitting) == MOST.in_all:
            with pytest.raises(Overloaded):
                seats.take(reader)
        elif own == MOST.of_reader or (reader.region and beside == MOST.of_region):
            with pytest.raises(TooManyConnections):
                seats.take(reader)
        else:
            seats.take(reader)
            sitting.append(reader)
    for reader in sitting:
        seats.leave(reader)
    assert (seats._taken, dict(seats._by_reader), dict(seats._by_region)) == (0, {}, {})
