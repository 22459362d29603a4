"""Channels and sessions: what each holder of each picture is told, with no I/O."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.domain.patches import apply, difference
from app.live.hub import Channel, Hub
from app.live.pictures import Picture, Position
from app.live.session import Session
from tests.builders import NOW


def a_picture(rev: int = 1, **document: Any) -> Picture:
    return Picture("region:36.71", "e1", rev, rev, rev, NOW, None, document)


def advance(channel: Channel, **document: Any) -> None:
    """Move a channel on by one frame, as the feed does."""
    patch = difference(channel.picture.document, document)
    rev = channel.picture.rev + 1
    channel.advance(rev, a_picture(rev), patch)


def told(session: Session) -> list[dict[str, Any]]:
    """Return all that a session wants to say now."""
    messages = []
    while (message := session.next_message()) is not None:
        messages.append(json.loads(message))
    return messages


#: So large that a delta is never larger than the state.
LARGE: dict[str, Any] = {"padding": "x" * 2_000}


def test_the_first_message_of_a_channel_is_its_state() -> None:
    channel, session = Channel(a_picture(a=1)), Session()
    session.start("region:36.71", channel, None, "initial")
    (message,) = told(session)
    assert (message["op"], message["reason"], message["state"]) == ("snapshot", "initial", {"a": 1})


def test_a_frame_is_told_as_the_patch_that_was_logged() -> None:
    channel, session = Channel(a_picture(a=1, **LARGE)), Session()
    session.start("region:36.71", channel, None, "initial")
    told(session)
    advance(channel, a=2, **LARGE)
    (message,) = told(session)
    assert (message["from"], message["rev"], message["patch"]) == (1, 2, {"a": 2})
    assert "coalesced" not in message


def test_holders_of_the_same_rev_are_handed_the_same_text() -> None:
    channel = Channel(a_picture(a=1, **LARGE))
    sessions = [Session(), Session()]
    for session in sessions:
        session.start("region:36.71", channel, None, "initial")
        told(session)
    advance(channel, a=2, **LARGE)
    one, other = (session.next_message() for session in sessions)
    assert one is other


def test_who_fell_behind_gets_one_difference() -> None:
    channel, session = Channel(a_picture(a=1, **LARGE)), Session()
    session.start("region:36.71", channel, None, "initial")
    told(session)
    for n in range(2, 7):
        advance(channel, a=n, **LARGE)
    (message,) = told(session)
    assert (message["from"], message["rev"], message["coalesced"]) == (1, 6, 5)


def test_a_position_that_holds_is_resumed_and_not_sent_whole() -> None:
    channel, session = Channel(a_picture(a=1, **LARGE)), Session()
    held = channel.picture
    advance(channel, a=2, **LARGE)
    session.start("region:36.71", channel, held, "expired")
    resumed, delta = told(session)
    assert (resumed["op"], resumed["rev"]) == ("resumed", 1)
    assert (delta["from"], delta["rev"]) == (1, 2)


def test_a_current_position_is_resumed_with_nothing_to_add() -> None:
    channel, session = Channel(a_picture(a=1)), Session()
    session.start("region:36.71", channel, channel.picture, "expired")
    assert [message["op"] for message in told(session)] == ["resumed"]


def test_a_delta_larger_than_the_state_is_a_snapshot() -> None:
    channel, session = Channel(a_picture(**{f"k{n}": n for n in range(50)})), Session()
    held = channel.picture
    advance(channel, a=1)
    session.start("region:36.71", channel, held, "expired")
    (message,) = told(session)
    assert (message["op"], message["reason"]) == ("snapshot", "behind")


def test_another_epoch_is_a_snapshot() -> None:
    channel, session = Channel(a_picture(a=1)), Session()
    session.start("region:36.71", channel, None, "initial")
    told(session)
    channel.reset(Picture("region:36.71", "e2", 1, 1, 1, NOW, None, {"a": 5}))
    (message,) = told(session)
    assert (message["reason"], message["epoch"]) == ("epoch", "e2")


def test_a_heartbeat_tells_where_the_client_stands_and_how_old_that_is() -> None:
    channel, session = Channel(a_picture(a=1)), Session()
    session.start("region:36.71", channel, None, "initial")
    told(session)
    channel.touch(9, NOW + timedelta(seconds=3), None)
    session.heartbeat(NOW)
    (message,) = told(session)
    position = message["positions"]["region:36.71"]
    assert (position["rev"], position["head"]) == (1, 9)
    assert position["current_at"] == "2026-11-21T05:00:03.000Z"


def test_what_a_heartbeat_told_is_never_taken_back() -> None:
    channel, session = Channel(a_picture(a=1, **LARGE)), Session()
    session.start("region:36.71", channel, None, "initial")
    told(session)
    channel.touch(9, NOW + timedelta(seconds=3), None)
    session.heartbeat(NOW)
    (before,) = told(session)
    # The next one goes out before what this client is behind by.
    advance(channel, a=2, **LARGE)
    session.heartbeat(NOW)
    after = told(session)[0]
    assert after["positions"] == before["positions"]


def test_a_heartbeat_waits_for_nothing_and_tells_what_the_client_holds() -> None:
    channel, session = Channel(a_picture(a=1, **LARGE)), Session()
    session.start("region:36.71", channel, None, "initial")
    told(session)
    session.heartbeat(NOW)
    advance(channel, a=2, **LARGE)
    heartbeat, delta = told(session)
    assert (heartbeat["op"], delta["op"]) == ("heartbeat", "delta")
    assert heartbeat["positions"]["region:36.71"]["rev"] == delta["from"] == 1


def test_a_busy_channel_does_not_starve_the_others() -> None:
    busy, quiet, session = Channel(a_picture(a=1, **LARGE)), Channel(a_picture(b=1)), Session()
    session.start("region:36.71", busy, None, "initial")
    session.start("network", quiet, None, "initial")
    session.next_message()
    advance(busy, a=2, **LARGE)
    message = json.loads(session.next_message() or "{}")
    assert message["state"] == {"b": 1}


def test_a_stopped_channel_says_nothing_more() -> None:
    channel, session = Channel(a_picture(a=1)), Session()
    session.start("region:36.71", channel, None, "initial")
    assert session.stop("region:36.71")
    assert not session.stop("region:36.71")
    assert told(session) == []


def test_a_channel_that_nobody_watches_is_let_go() -> None:
    hub, channel = Hub(), Channel(a_picture())
    hub.channels["network"] = channel
    hub.subscribe("network", print)
    hub.unsubscribe("network", print)
    assert hub.channels == {}


def test_recent_pictures_can_be_had_again() -> None:
    channel = Channel(a_picture(a=1))
    advance(channel, a=2)
    held = channel.at(Position("e1", 1))
    assert held is not None
    assert held.document == {"a": 1}


@given(
    st.lists(
        st.tuples(
            st.dictionaries(
                st.sampled_from("abc"), st.dictionaries(st.sampled_from("xy"), st.integers(0, 3))
            ),
            st.booleans(),
        ),
        max_size=20,
    )
)
def test_whenever_a_client_listens_it_holds_the_newest_state(
    steps: list[tuple[dict[str, Any], bool]],
) -> None:
    channel, session = Channel(a_picture()), Session()
    session.start("region:36.71", channel, None, "initial")
    document: Any = None
    rev = 0
    for new, listens in [*steps, ({}, True)]:
        advance(channel, **new)
        if not listens:
            continue
        for message in told(session):
            if message["op"] == "snapshot":
                document = message["state"]
            else:
                assert message["from"] == rev
                document = apply(document, message["patch"])
            rev = message["rev"]
        assert (rev, document) == (channel.picture.rev, channel.picture.document)
