"""Frames as no library would send them: what breaks RFC 6455 ends one connection, and no more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.api.client import Place
from tests.api.conftest import Installation
from tests.api.raw_server import RawServer, raw_server
from tests.api.raw_socket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    MASKED,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    RawSocket,
    asking,
    check_welcome,
    close,
    dialled,
    fragments,
    frame,
    head,
    opened,
)

#: app/main.py says why.
LONGEST = 16 * 1024
ASK = asking("network")
#: Not a channel, and so answered by a problem; four bytes, of which each may begin a frame.
DRUM = asking("🥁")
AT = DRUM.index("🥁".encode())


@pytest.fixture(scope="module")
async def target(installation: Installation, city: Place) -> AsyncIterator[RawServer]:
    """Give a process that is sent all the frames of this file."""
    async with raw_server(installation.url, city.key) as running:
        yield running


@pytest.fixture(autouse=True)
async def unharmed(target: RawServer) -> AsyncIterator[None]:
    """Check after each test that nobody else was harmed by it."""
    yield
    await target.check_unharmed()


@pytest.fixture
async def client(target: RawServer) -> AsyncIterator[RawSocket]:
    """Give a connection that was greeted."""
    async with opened(target.base, target.key) as connection:
        yield connection


# --- what ends a connection --------------------------------------------------------------

RESERVED = [
    *(
        pytest.param([frame(TEXT, ASK, reserved=bits)], 1002, id=f"reserved bits {bits:#x}")
        for bits in (RSV1, RSV2, RSV3, RSV1 | RSV2 | RSV3)
    ),
    pytest.param([frame(PING, reserved=RSV1)], 1002, id="a compressed ping"),
    pytest.param(
        [frame(TEXT, ASK[:5], fin=False), frame(CONTINUATION, ASK[5:], reserved=RSV1)],
        1002,
        id="a compressed continuation",
    ),
    *(
        pytest.param([frame(opcode)], 1002, id=f"reserved opcode {opcode:#x}")
        for opcode in (*range(0x3, 0x8), *range(0xB, 0x10))
    ),
    pytest.param([frame(0x7, ASK, fin=False)], 1002, id="a reserved opcode in fragments"),
]

MASKING = [
    pytest.param([frame(TEXT, ASK, mask=b"")], 1002, id="text without a mask"),
    pytest.param([frame(PING, mask=b"")], 1002, id="a ping without a mask"),
    pytest.param([frame(CLOSE, mask=b"")], 1002, id="a close without a mask"),
    pytest.param(
        [frame(TEXT, ASK[:5], fin=False), frame(CONTINUATION, ASK[5:], mask=b"")],
        1002,
        id="a continuation without a mask",
    ),
]

FRAGMENTS = [
    pytest.param([frame(CONTINUATION, ASK)], 1002, id="a continuation of nothing"),
    pytest.param([frame(CONTINUATION, ASK, fin=False)], 1002, id="which is to go on"),
    pytest.param(
        [*fragments(ASK[:5], ASK[5:]), frame(CONTINUATION)], 1002, id="a continuation too many"
    ),
    pytest.param(
        [frame(TEXT, ASK[:5], fin=False), frame(TEXT, ASK)], 1002, id="text within a message"
    ),
    pytest.param(
        [frame(TEXT, ASK[:5], fin=False), frame(BINARY, ASK)], 1002, id="bytes within a message"
    ),
    *(
        pytest.param([frame(opcode, fin=False)], 1002, id=f"control frame {opcode:#x} in fragments")
        for opcode in (CLOSE, PING, PONG)
    ),
    *(
        pytest.param([frame(opcode, b"x" * 126)], 1002, id=f"control frame {opcode:#x} too long")
        for opcode in (CLOSE, PING, PONG)
    ),
]

BAD_TEXT = {
    "a sequence cut short": b"\xe2\x82",
    "a continuation byte alone": b"\x80",
    "an overlong slash": b"\xc0\xaf",
    "an overlong nul of three bytes": b"\xe0\x80\x80",
    "an overlong sequence of four bytes": b"\xf0\x80\x80\xaf",
    "the first surrogate": b"\xed\xa0\x80",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "0xFE": b"\xfe",
    "0xFF": b"\xff",
}
ENCODING = [
    *(
        pytest.param([frame(TEXT, b'{"op":"' + bad + b'"}')], 1007, id=name)
        for name, bad in BAD_TEXT.items()
    ),
    pytest.param([frame(TEXT, DRUM[: AT + 2])], 1007, id="cut short at the end of the text"),
    # RFC 6455, 8.1 lets a server wait for the message's end before it looks.
    pytest.param(
        fragments(DRUM[: AT + 2], b"", DRUM[AT + 3 :]), 1007, id="a byte lost between fragments"
    ),
    pytest.param(
        [frame(TEXT, b"\xff"), frame(TEXT, b"\xfe"), *(frame(PING),) * 20],
        1007,
        id="bad text twice, and pings behind it",
    ),
    pytest.param([close(1000, b"\xff")], 1007, id="a close whose reason is no text"),
    pytest.param([close(1000, "🥁".encode()[:3])], 1007, id="a close whose reason is cut short"),
]

LENGTHS = [
    pytest.param([frame(TEXT, b" " * (LONGEST + 1))], 1009, id="a byte too long"),
    pytest.param(fragments(b" " * LONGEST, b" "), 1009, id="a byte too long in fragments"),
    pytest.param(fragments(*(b" " * 2048,) * 9), 1009, id="too long in nine fragments"),
    pytest.param(fragments(*(b" " * 9_000,) * 2, opcode=BINARY), 1009, id="bytes, too long"),
    # Nothing follows: it is refused for what it says, before anything is kept for it.
    pytest.param([frame(TEXT, declared=(1 << 63) - 1)], 1009, id="a length that nobody sends"),
    # RFC 6455, 5.2 forbids the highest bit; that such a frame is too long is as true.
    pytest.param([frame(TEXT, declared=1 << 63)], 1009, id="the highest bit of a length"),
    pytest.param([frame(PING, declared=1 << 62)], 1009, id="a ping of a length that nobody sends"),
]

CLOSES = [
    pytest.param([frame(CLOSE, b"\x03")], 1002, id="a close of one byte"),
    *(
        pytest.param([close(code)], 1002, id=f"close code {code}")
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535)
    ),
    # A close may stand between fragments (RFC 6455, 5.4), but then the message is never whole;
    # this server says so instead of echoing the code.
    pytest.param([frame(TEXT, ASK[:5], fin=False), close(1000)], 1002, id="close within a message"),
]

CONTRACT = [
    pytest.param([frame(BINARY, ASK)], 4510, id="a message of bytes"),
    pytest.param([frame(BINARY)], 4510, id="an empty message of bytes"),
    pytest.param(fragments(ASK[:5], ASK[5:], opcode=BINARY), 4510, id="bytes in fragments"),
    pytest.param([frame(TEXT)], 4510, id="an empty text"),
    pytest.param(fragments(b"", b"", b""), 4510, id="an empty text in fragments"),
]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        *(*RESERVED, *MASKING, *FRAGMENTS, *ENCODING),
        *(*LENGTHS, *CLOSES, *CONTRACT),
    ],
)
async def test_what_breaks_the_rules_is_told_so_and_read_no_further(
    client: RawSocket, sent: list[bytes], code: int
) -> None:
    await client.send(*sent, *fragments(asking("region:99.99")))
    end = await client.until(CLOSE)
    assert int.from_bytes(end[-1].payload[:2], "big") == code
    end[-1].payload[2:].decode()
    # What came behind it is not obeyed; pings among it may have been answered before.
    assert {told.opcode for told in end[:-1]} <= {TEXT, PONG}
    assert "problem" not in [told.op for told in end if told.opcode == TEXT]
    with suppress(ConnectionError):  # only a breach of the contract waits for our answer
        await client.send(frame(CLOSE, end[-1].payload))
    assert await client.rest() == b""


async def test_a_message_that_is_far_too_long_is_not_read_to_its_end(client: RawSocket) -> None:
    with suppress(ConnectionError):
        await client.send(frame(TEXT, b" " * (1 << 22)))
    # A connection that is closed with bytes unread is reset, and then the code may be lost to a
    # client that is still sending; to read on, only to tell it, would be to take what it sends.
    told = await client.rest()
    assert told == b"" or told[:4] == bytes([FIN | CLOSE, told[1]]) + (1009).to_bytes(2, "big")


async def test_what_came_before_a_broken_frame_is_answered(client: RawSocket) -> None:
    await client.send(frame(PING, b"before"), frame(0x3))
    pong, end = await client.until(CLOSE)
    assert (pong.opcode, pong.payload) == (PONG, b"before")
    assert end.payload[:2] == (1002).to_bytes(2, "big")
    assert await client.rest() == b""


# --- what goes on ------------------------------------------------------------------------

BYTES = [ASK[at : at + 1] for at in range(len(ASK))]
PADDED = ASK.ljust(LONGEST)
PINGED = [
    piece
    for at, part in enumerate(fragments(*BYTES))
    for piece in ([frame(PING, b"%d" % at)] if at else []) + [part]
]


@pytest.mark.parametrize(
    ("sent", "pongs", "op"),
    [
        pytest.param([frame(TEXT, ASK)], [], "snapshot", id="whole"),
        pytest.param([frame(TEXT, ASK, mask=bytes(4))], [], "snapshot", id="a mask of zeros"),
        pytest.param(fragments(ASK[:5], ASK[5:]), [], "snapshot", id="two fragments"),
        pytest.param(fragments(*BYTES), [], "snapshot", id="a fragment for each byte"),
        pytest.param(fragments(b"", ASK, b""), [], "snapshot", id="empty fragments around it"),
        pytest.param(
            fragments(ASK[:5], *(b"",) * 5_000, ASK[5:]), [], "snapshot", id="empty ones within it"
        ),
        pytest.param(
            PINGED,
            [b"%d" % at for at in range(1, len(ASK))],
            "snapshot",
            id="a ping between any two fragments",
        ),
        pytest.param(
            [frame(TEXT, ASK[:5], fin=False), frame(PONG, b"x"), frame(CONTINUATION, ASK[5:])],
            [],
            "snapshot",
            id="a pong within a message",
        ),
        pytest.param([frame(TEXT, DRUM)], [], "problem", id="a sign of four bytes"),
        *(
            pytest.param(
                fragments(DRUM[: AT + at], DRUM[AT + at :]),
                [],
                "problem",
                id=f"cut after {at} of them",
            )
            for at in (1, 2, 3)
        ),
        pytest.param(
            [frame(TEXT, asking("\U0010ffff\uffff"))], [], "problem", id="the last of all"
        ),
        pytest.param([frame(TEXT, PADDED)], [], "snapshot", id="as long as may be"),
        pytest.param(
            fragments(PADDED[:9_000], PADDED[9_000:]), [], "snapshot", id="as long, in fragments"
        ),
        # RFC 6455, 5.2 wants as few bytes as will do. A longer form says the same, and is taken.
        pytest.param([frame(TEXT, ASK, width=2)], [], "snapshot", id="a length of 16 bits"),
        pytest.param([frame(TEXT, ASK, width=8)], [], "snapshot", id="a length of 64 bits"),
        pytest.param([frame(PING), frame(TEXT, ASK)], [b""], "snapshot", id="an empty ping"),
        pytest.param(
            [frame(PING, bytes(range(125))), frame(TEXT, ASK)],
            [bytes(range(125))],
            "snapshot",
            id="a ping of 125 bytes",
        ),
        pytest.param(
            [*(frame(PING, b"%d" % at) for at in range(200)), frame(TEXT, ASK)],
            [b"%d" % at for at in range(200)],
            "snapshot",
            id="200 pings in one segment",
        ),
        pytest.param(
            [frame(PONG), frame(PONG, b"x" * 125), frame(TEXT, ASK)],
            [],
            "snapshot",
            id="pongs that nobody asked for",
        ),
    ],
)
async def test_what_keeps_the_rules_is_obeyed(
    client: RawSocket, sent: list[bytes], pongs: list[bytes], op: str
) -> None:
    await client.send(*sent)
    told = await client.until(TEXT)
    assert [pong.payload for pong in told[:-1]] == pongs
    assert told[-1].op == op
    await client.send(frame(PING, b"still"), close(1000, b"enough"))
    assert [pong.payload for pong in (await client.until(PONG))[-1:]] == [b"still"]
    assert (await client.ended()).payload == (1000).to_bytes(2, "big") + b"enough"


async def test_many_messages_in_one_segment_are_all_answered(client: RawSocket) -> None:
    channels = [f"region:{at}.99" for at in range(10, 60)]
    await client.send(*(frame(TEXT, asking(channel)) for channel in channels))
    assert {(await client.frame()).op for _ in channels} == {"problem"}
    await client.send(close(1000))
    await client.ended()


async def test_a_conversation_comes_byte_by_byte(target: RawServer) -> None:
    async with dialled(target.base) as client:
        await client.trickle(head(target.key).encode())
        check_welcome(await client.answer())
        assert (await client.frame()).op == "hello"
        await client.trickle(frame(TEXT, PADDED[:300], fin=False))
        await client.trickle(frame(PING, b"meanwhile") + frame(CONTINUATION, b"", fin=True))
        pong, told = await client.until(TEXT)
        assert (pong.payload, told.op) == (b"meanwhile", "snapshot")
        await client.trickle(close(4000, b"slowly"))
        assert (await client.ended()).payload == (4000).to_bytes(2, "big") + b"slowly"


# --- the end -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        *(
            code.to_bytes(2, "big")
            for code in (1000, 1001, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999)
        ),
        (1000).to_bytes(2, "big") + "selesai 🥁".encode(),
        (1000).to_bytes(2, "big") + b"x" * 123,
    ],
)
async def test_a_close_is_echoed_and_what_follows_is_ignored(
    client: RawSocket, body: bytes
) -> None:
    # In one piece, so that it is read before the server has let go.
    await client.send(frame(CLOSE, body), frame(PING), frame(TEXT, ASK), frame(0x3), b"\xff" * 50)
    end = await client.frame()
    assert (end.opcode, end.payload) == (CLOSE, body)
    assert await client.rest() == b""


@pytest.mark.parametrize("text", [ASK, b"\xff"])
async def test_a_message_right_before_a_close_does_no_harm(client: RawSocket, text: bytes) -> None:
    await client.send(*(frame(TEXT, text),) * 3, close(1001))
    end = await client.ended()
    assert end.payload == (1001).to_bytes(2, "big")


async def test_who_answers_our_close_is_let_go_at_once(client: RawSocket) -> None:
    await client.send(frame(BINARY))
    end = (await client.until(CLOSE))[-1]
    # What was on its way before the close was seen is no fault.
    await client.send(
        frame(TEXT, b"\xff"), frame(PING), frame(TEXT, ASK), frame(CLOSE, end.payload)
    )
    assert {told[0] & 0x0F for told in [await client.rest()] if told} <= {PONG}


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="between frames"),
        pytest.param(bytes([FIN | TEXT]), id="in the middle of a head"),
        pytest.param(bytes([FIN | TEXT, MASKED | 126, 1]), id="in the middle of a length"),
        pytest.param(bytes([FIN | TEXT, MASKED | 5, 1, 2]), id="in the middle of a mask"),
        pytest.param(frame(TEXT, ASK)[:-1], id="in the middle of a payload"),
        pytest.param(frame(TEXT, ASK, fin=False), id="in the middle of a message"),
        pytest.param(frame(TEXT, ASK), id="right behind a message"),
    ],
)
@pytest.mark.parametrize("how", ["reset", "half closed"])
async def test_a_connection_that_breaks_off_is_let_go(
    client: RawSocket, sent: bytes, how: str
) -> None:
    await client.send(sent)
    if how == "reset":
        client.reset()
    else:
        client.writer.write_eof()
        # There is nobody left to close in order with; what was asked may still be answered.
        told = await client.rest()
        assert told == b"" or told[0] == FIN | TEXT
