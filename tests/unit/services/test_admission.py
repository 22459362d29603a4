"""Whose turn it is, as whatever comes and goes (G9)."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import Overloaded
from app.services import admission, company
from app.services.admission import (
    HELD,
    HELD_ALWAYS,
    HELD_SHARE,
    LARGE,
    LONG_IF_UNFAIR,
    LONG_IN_COMPANY,
    REQUEST_COST,
    ROOM,
    SHARE,
    SHORT_IF_UNFAIR,
    SHORT_IN_COMPANY,
    TURNS,
    Admission,
    Visit,
)

#: Of a size that three of them are just a sender's share.
THIRD = SHARE // 3 - REQUEST_COST


class Guest:
    """One request: comes, waits for its turn, and leaves."""

    def __init__(self, door: Admission, name: str, size: int) -> None:
        self.name, self.size = name, size
        self.cost = min(REQUEST_COST + size, SHARE)
        self._stack = ExitStack()
        self.visit: Visit = self._stack.enter_context(door.visit(name))
        self.visit.hold(size)
        self.long = size > LARGE
        self.turn = asyncio.create_task(self.visit.turn())

    @property
    def works(self) -> bool:
        """Say whether it has its turn, even if it has yet to hear of it."""
        return self.visit.cost > 0

    @property
    def rests(self) -> bool:
        """Say whether its sender leaves others their turns."""
        return self.long and bool(self.visit.sender.rests_until)

    async def leave(self) -> None:
        """Leave, wherever it is."""
        self.turn.cancel()
        await asyncio.gather(self.turn, return_exceptions=True)
        self._stack.close()


async def settled() -> None:
    """Let everybody who was called come."""
    for _ in range(3):
        await asyncio.sleep(0)


async def come(door: Admission, name: str, size: int) -> Guest:
    """Let a request come."""
    guest = Guest(door, name, size)
    await settled()
    return guest


def check(inside: list[Guest]) -> None:
    """Check what holds in each room at every moment, of all inside, in the order they came."""
    for long in (False, True):
        room = [guest for guest in inside if guest.long is long]
        working = [guest for guest in room if guest.works]
        waiting = [guest for guest in room if not guest.works]
        in_hand = sum(guest.cost for guest in working)
        assert in_hand <= ROOM
        for name in {guest.name for guest in room}:
            own = [guest for guest in working if guest.name == name]
            assert sum(guest.cost for guest in own) <= SHARE
            assert len(own) <= TURNS
            order = [guest.works for guest in room if guest.name == name]
            assert order == sorted(order, reverse=True), "a sender's requests go in their order"
        # Nobody waits where there is room for everybody: for the longest, and in each one's share.
        if waiting:
            assert working or any(guest.rests for guest in waiting)
            crowded = in_hand + max(guest.cost for guest in waiting) > ROOM
            first = {guest.name: guest for guest in reversed(waiting)}
            assert crowded or all(
                guest.rests or has_its_share(guest, working) for guest in first.values()
            )


def has_its_share(guest: Guest, working: list[Guest]) -> bool:
    """Say whether a sender has all that it may have beside others, or nearly so."""
    own = [one for one in working if one.name == guest.name]
    most = LONG_IF_UNFAIR if guest.long else SHORT_IF_UNFAIR
    return len(own) >= most or sum(one.cost for one in own) + guest.cost > SHARE


SIZES = st.sampled_from([0, 400, 20_000, THIRD, SHARE, ROOM, HELD_SHARE // 8])


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from("abcdefgh"), SIZES),
            st.integers(min_value=0, max_value=30),
        ),
        max_size=60,
    )
)
def test_whoever_comes_and_goes_nobody_is_forgotten(moves: list[tuple[str, int] | int]) -> None:
    async def live() -> None:
        door = Admission()
        inside: list[Guest] = []
        for move in moves:
            if isinstance(move, tuple):
                inside.append(await come(door, *move))
            elif inside:
                await inside.pop(move % len(inside)).leave()
                await settled()
            check(inside)
        while inside:
            gone = next((guest for guest in inside if guest.works), None)
            if gone is None:  # all that wait are of senders who rest
                await asyncio.sleep(admission.RESTS_S)
            else:
                inside.remove(gone)
                await gone.leave()
            await settled()
            check(inside)
        assert not door._held
        assert door._held_by_all == 0
        for room in (door._short, door._long):
            assert not room._places
            assert not room._queue
            assert room._taken == 0

    with patch.multiple(admission, TURN_WITHIN_S=600.0, RESTS_S=0.001):
        asyncio.run(live())


async def test_a_quiet_sender_waits_for_none_of_a_crowd() -> None:
    door = Admission()
    crowd = [await come(door, "noisy", THIRD) for _ in range(50)]
    quiet = await come(door, "quiet", LARGE + 1)
    assert quiet.works
    assert sum(guest.works for guest in crowd) == 3
    for guest in (quiet, *crowd):
        await guest.leave()


@pytest.mark.parametrize(
    ("size", "fair_part", "most"),
    [
        # Of the work of two nobody can have more than is fair here, or already who has the half.
        (400, 1.0, SHORT_IN_COMPANY),
        (400, 0.4, SHORT_IF_UNFAIR),
        (20_000, 1.0, LONG_IN_COMPANY),
        (20_000, 0.4, LONG_IF_UNFAIR),
    ],
)
async def test_a_sender_has_less_in_hand_while_others_come_too(
    size: int, fair_part: float, most: int
) -> None:
    now = 100.0
    with (
        patch.multiple(company, OF_TWO=fair_part),
        patch.multiple(admission, monotonic=lambda: now, RESTS_S=0.0),
    ):
        door = Admission()
        crowd = [await come(door, "noisy", size) for _ in range(50)]
        assert sum(guest.works for guest in crowd) == TURNS
        other = await come(door, "quiet", 400)
        gone = [guest for guest in crowd if guest.works]
        for guest in gone:
            await guest.leave()
        await settled()
        rest = crowd[TURNS:]
        assert sum(guest.works for guest in rest) == most
        # The other has not come again: the sender has all it may have by itself.
        now += company.COMPANY_S + 1
        again = await come(door, "noisy", size)
        assert sum(guest.works for guest in rest) == TURNS
        for guest in (other, again, *rest):
            await guest.leave()


async def test_who_has_more_than_is_fair_rests_after_a_long_request() -> None:
    now = 100.0
    with patch.multiple(admission, monotonic=lambda: now, RESTS_S=0.02):
        door = Admission()
        for n in range(3):
            await (await come(door, f"quiet{n}", 400)).leave()
        crowd = [await come(door, "noisy", 200_000) for _ in range(5)]
        assert [guest.works for guest in crowd] == [True, False, False, False, False]
        now += 0.5
        await crowd[0].leave()
        await settled()
        assert not crowd[1].works
        beside = await come(door, "quiet0", 20_000)
        assert beside.works, "others go on meanwhile"
        async with asyncio.timeout(5):
            await crowd[1].turn  # by the timer alone: neither comes nor leaves anybody
        assert not crowd[2].works
        for guest in (beside, *crowd):
            await guest.leave()


async def test_where_all_room_is_taken_senders_go_by_turns() -> None:
    door = Admission()
    taken = [await come(door, f"s{n}", SHARE - REQUEST_COST) for n in range(ROOM // SHARE)]
    assert all(guest.works for guest in taken)
    crowd = [await come(door, "noisy", THIRD) for _ in range(6)]
    quiet = [await come(door, "quiet", THIRD) for _ in range(2)]
    await taken[0].leave()
    await settled()
    assert [guest.works for guest in crowd] == [True, True, False, False, False, False]
    assert [guest.works for guest in quiet] == [True, False]
    for guest in (*taken[1:], *crowd, *quiet):
        await guest.leave()


async def test_a_longer_request_is_not_passed_by_for_ever() -> None:
    door = Admission()
    others = [await come(door, f"o{n}", SHARE) for n in range(ROOM // SHARE - 1)]
    small = await come(door, "small", LARGE + 1)
    long = await come(door, "long", SHARE)
    # There is room for these, and none for the one that was before them.
    later = [await come(door, f"l{n}", LARGE + 1) for n in range(5)]
    assert not any(guest.works for guest in (long, *later))
    await small.leave()
    await settled()
    assert long.works
    assert not any(guest.works for guest in later)
    await long.leave()
    await settled()
    assert all(guest.works for guest in later)
    for guest in (*others, *later):
        await guest.leave()


async def test_long_requests_of_many_do_not_stop_a_short_one() -> None:
    door = Admission()
    crowd = [await come(door, f"s{n % 8}", SHARE) for n in range(40)]
    assert not all(guest.works for guest in crowd)
    quiet = await come(door, "quiet", 400)
    assert quiet.works
    for guest in (quiet, *crowd):
        await guest.leave()


async def test_a_room_without_shares_is_found_out() -> None:
    everything = patch.multiple(admission, SHARE=ROOM, TURNS=10_000)
    with everything, pytest.raises(AssertionError):
        await test_a_quiet_sender_waits_for_none_of_a_crowd()


async def test_the_longest_body_leaves_room_for_others() -> None:
    door = Admission()
    longest = await come(door, "long", HELD_SHARE // 2)
    assert longest.works
    others = [await come(door, f"o{n}", THIRD) for n in range(5)]
    assert all(guest.works for guest in others)
    for guest in (longest, *others):
        await guest.leave()


async def test_who_would_wait_too_long_is_told_to_come_again() -> None:
    door = Admission()
    first = await come(door, "a", SHARE)
    with patch.object(admission, "TURN_WITHIN_S", 0.01):
        second = await come(door, "a", SHARE)
    with pytest.raises(Overloaded):
        await second.turn
    await second.leave()
    third = await come(door, "a", 400)
    await first.leave()
    await settled()
    assert third.works
    await third.leave()


async def test_nobody_holds_more_than_a_share_of_what_can_be_held() -> None:
    door = Admission()
    with door.visit("a") as one, door.visit("a") as two, door.visit("b") as other:
        one.hold(HELD_SHARE - 10)
        two.hold(10)
        with pytest.raises(Overloaded):
            two.hold(1)
        other.hold(HELD_SHARE)
    with ExitStack() as stack:
        for n in range(HELD // HELD_SHARE):
            stack.enter_context(door.visit(f"s{n}")).hold(HELD_SHARE)
        with door.visit("late") as late:
            late.hold(HELD_ALWAYS)
            with pytest.raises(Overloaded):
                late.hold(1)
    assert door._held_by_all == 0
    assert not door._held


async def test_long_bodies_are_read_in_turns_and_short_ones_beside_them() -> None:
    door = Admission()
    told: list[str] = []

    async def work(name: str, size: int) -> None:
        with door.visit(name) as visit:
            visit.hold(size)
            async with visit.desk() as desk:
                for _ in range(3):
                    told.append(name)
                    await desk.pause()

    await asyncio.gather(work("a", LARGE + 1), work("b", LARGE + 1))
    assert told == ["a", "b"] * 3
    assert not door.desk.locked()
    told.clear()
    await asyncio.gather(work("a", LARGE + 1), work("short", LARGE), work("b", LARGE + 1))
    assert sorted(told) == ["a"] * 3 + ["b"] * 3 + ["short"] * 3
    assert told.index("short") < 2
    assert told[-1] != "short"


async def test_who_is_cut_off_at_the_desk_leaves_it_to_others() -> None:
    door = Admission()
    with door.visit("a") as one, door.visit("b") as other:
        one.hold(LARGE + 1)
        other.hold(LARGE + 1)

        async def stay() -> None:
            async with one.desk() as desk:
                while True:
                    await desk.pause()

        staying = asyncio.create_task(stay())
        await settled()
        async with other.desk():
            await settled()
            staying.cancel()  # while it waits to go on
            await settled()
        async with asyncio.timeout(5), other.desk():
            assert staying.cancelled()
    assert not door.desk.locked()
