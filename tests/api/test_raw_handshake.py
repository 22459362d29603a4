"""Opening handshakes by hand: what is none is refused with a problem, and never left waiting."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api.client import PREFIX, PROBLEM, Place
from tests.api.conftest import Installation
from tests.api.raw_server import RawServer, raw_server
from tests.api.raw_socket import (
    NONCE,
    PING,
    PONG,
    PROTOCOL,
    RSV1,
    TEXT,
    Answer,
    asking,
    check_welcome,
    dialled,
    frame,
    head,
    opened,
)

ASK = asking("network")
SECRET = "RAHASIA"


@pytest.fixture(scope="module")
async def target(installation: Installation, city: Place) -> AsyncIterator[RawServer]:
    """Give a process that is sent all the handshakes of this file."""
    async with raw_server(installation.url, city.key) as running:
        yield running


@pytest.fixture(autouse=True)
async def unharmed(target: RawServer) -> AsyncIterator[None]:
    """Check after each test that nobody else was harmed by it."""
    yield
    await target.check_unharmed()


async def answered(target: RawServer, opening: str) -> Answer:
    """Send a handshake and return its answer."""
    async with dialled(target.base) as client:
        return await client.open(opening)


def check_refusal(answer: Answer, status: int, kind: str) -> None:
    """Check that a handshake was refused as every failure is, and without what was sent."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == PROBLEM
    assert int(answer.headers["content-length"]) == len(answer.body)
    for name in ("x-content-type-options", "content-security-policy"):
        assert name in answer.headers
    problem = json.loads(answer.body)
    assert (problem["status"], problem["type"]) == (status, PREFIX + kind)
    assert SECRET not in str(answer) + str(answer.headers)


# --- what is let in ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "changes"),
    [
        pytest.param([], {}, id="as it should be"),
        pytest.param([], {"Connection": "keep-alive, Upgrade"}, id="one of two options"),
        pytest.param([], {"Connection": "UPGRADE", "Upgrade": "WebSocket"}, id="in other letters"),
        pytest.param(["Content-Length: 0"], {}, id="an empty body"),
        pytest.param(["X-Name: \xe9\xff"], {}, id="a header that is not ASCII"),
        pytest.param([f"X-{at}: y" for at in range(100)], {}, id="a hundred headers"),
        pytest.param(
            ["Sec-WebSocket-Protocol: chat"], {}, id="a second offer in a header of its own"
        ),
        pytest.param(
            [],
            {"Sec_WebSocket_Protocol": f"chat , {PROTOCOL} ,other"},
            id="an offer among others",
        ),
        pytest.param(
            ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"],
            {},
            id="compression is not taken up",
        ),
        pytest.param(
            ["Sec-WebSocket-Extensions: x-webkit-deflate-frame, foo; bar=1, permessage-deflate"],
            {},
            id="nor is any other extension",
        ),
        pytest.param(
            ["Sec-WebSocket-Extensions: ;;=,"], {}, id="extensions that say nothing are not read"
        ),
    ],
)
async def test_a_handshake_is_answered_with_the_proof_that_it_was_read(
    target: RawServer, lines: list[str], changes: dict[str, Any]
) -> None:
    async with opened(target.base, target.key, *lines, **changes) as client:
        await client.send(frame(PING, b"in"), frame(TEXT, ASK))
        pong, told = await client.until(TEXT)
        assert (pong.opcode, pong.payload, told.op) == (PONG, b"in", "snapshot")


async def test_compression_that_was_offered_is_refused_all_the_same(target: RawServer) -> None:
    offer = "Sec-WebSocket-Extensions: permessage-deflate"
    async with opened(target.base, target.key, offer) as client:
        # The text "Hello" as RFC 7692, 7.2.3.1 compresses it.
        await client.send(frame(TEXT, bytes.fromhex("f248cdc9c90700"), reserved=RSV1))
        assert (await client.ended()).payload[:2] == (1002).to_bytes(2, "big")


async def test_frames_that_do_not_wait_for_the_answer_do_no_harm(target: RawServer) -> None:
    async with dialled(target.base) as client:
        # RFC 6455, 4.1 has a client wait; what it sends too early is not read.
        await client.send(head(target.key).encode(), frame(TEXT, ASK), b"\xff" * 5)
        check_welcome(await client.answer())
        assert (await client.frame()).op == "hello"
        await client.send(frame(TEXT, ASK))
        assert (await client.frame()).op == "snapshot"


async def test_a_handshake_of_an_older_http_is_none_or_complete(target: RawServer) -> None:
    async with dialled(target.base) as client:
        answer = await client.open(head(target.key, first="GET /v1/live HTTP/1.0"))
        # RFC 6455, 4.1 asks for HTTP/1.1. Whoever sends all the rest of a handshake means one.
        if answer.status == 101:
            check_welcome(answer)
            assert (await client.frame()).op == "hello"
        else:
            check_refusal(answer, 426, "upgrade-needed")


# --- what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"Sec_WebSocket_Key": None},
        {"Sec_WebSocket_Key": ""},
        {"Sec_WebSocket_Key": SECRET},
        {"Sec_WebSocket_Key": NONCE[:-4]},
        {"Sec_WebSocket_Key": NONCE * 2},
        {"Sec_WebSocket_Key": "\xff" * 24},
        {"Sec_WebSocket_Key": f"{NONCE}\r\nSec-WebSocket-Key: {NONCE}"},
        {"Sec_WebSocket_Protocol": f"{PROTOCOL}, ({SECRET})"},
        {"Sec_WebSocket_Protocol": f'"{SECRET}'},
        {"Sec_WebSocket_Protocol": ""},
        {"Content_Length": "7"},
        {"Transfer_Encoding": "chunked"},
    ],
)
async def test_a_handshake_with_a_fault_is_a_bad_request(
    target: RawServer, changes: dict[str, Any]
) -> None:
    check_refusal(await answered(target, head(target.key, **changes)), 400, "bad-request")


@pytest.mark.parametrize("version", [None, "", "0", "8", "12", "14", "13, 8", "013", SECRET])
async def test_another_version_is_told_ours(target: RawServer, version: str | None) -> None:
    answer = await answered(target, head(target.key, Sec_WebSocket_Version=version))
    check_refusal(answer, 426, "upgrade-needed")
    assert answer.headers["sec-websocket-version"] == "13"
    assert answer.headers["upgrade"] == "websocket"
    assert answer.headers["connection"].lower() == "close"


@pytest.mark.parametrize(
    "changes",
    [
        {"Upgrade": None},
        {"Upgrade": "h2c"},
        {"Upgrade": "websocket2"},
        {"Upgrade": "h2c, websocket"},
        {"Upgrade": SECRET},
        {"Upgrade": "h2c\r\nUpgrade: websocket"},
        {"Connection": "close"},
        {"Connection": "close, upgrades"},
        {"Upgrade": None, "Connection": "close"},
    ],
)
async def test_who_does_not_ask_for_a_websocket_is_told_that_it_is_one(
    target: RawServer, changes: dict[str, Any]
) -> None:
    # The answer is read to its end, which such a client has to ask for.
    lines = [] if "close" in str(changes.get("Connection")) else ["Connection: close"]
    answer = await answered(target, head(target.key, *lines, **changes))
    check_refusal(answer, 426, "upgrade-needed")


@pytest.mark.parametrize("offers", [None, "kentongan.v2", "KENTONGAN.V1", f"ticket.{SECRET}"])
async def test_without_our_subprotocol_nobody_is_let_in(
    target: RawServer, offers: str | None
) -> None:
    answer = await answered(target, head(target.key, Sec_WebSocket_Protocol=offers))
    check_refusal(answer, 422, "invalid-parameter")


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD", "DELETE", "OPTIONS"])
async def test_a_handshake_is_a_get(target: RawServer, method: str) -> None:
    answer = await answered(target, head(target.key, first=f"{method} /v1/live HTTP/1.1"))
    check_refusal(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize(
    ("status", "opening"),
    [
        pytest.param(431, {"X_Long": "x" * 9_000}, id="a header of 9,000 bytes"),
        pytest.param(431, {f"X_{at}": "y" for at in range(200)}, id="two hundred headers"),
    ],
)
async def test_what_is_too_much_is_told_so(
    target: RawServer, status: int, opening: dict[str, str]
) -> None:
    check_refusal(await answered(target, head(target.key, **opening)), status, "headers-too-large")


@pytest.mark.parametrize(
    "address",
    [
        "/v1/live?x=" + "y" * 9_000,
        "/v1/live?x=\xe9\xff",
        "/v1/live\xff",
        "http://127.0.0.1/v1/live",
        "/v1/live/",
        "/v1/nowhere",
        "*",
        "/v1/live?x=%0d%0aX-Evil:%201",
    ],
)
async def test_an_odd_address_is_answered(target: RawServer, address: str) -> None:
    answer = await answered(target, head(target.key, first=f"GET {address} HTTP/1.1"))
    assert answer.status == 101 or 400 <= answer.status < 500
    assert "x-evil" not in answer.headers


@pytest.mark.parametrize(
    "changes",
    [
        {"Sec_WebSocket_Protocol": f"{PROTOCOL}\nX-Evil: 1"},
        {"Sec_WebSocket_Protocol": f"{PROTOCOL}\rX-Evil: 1"},
        {"Sec_WebSocket_Protocol": f"{PROTOCOL}\r\n X-Evil: 1"},
        {"Sec_WebSocket_Protocol": f"{PROTOCOL}\x00X-Evil: 1"},
        {"Sec_WebSocket_Protocol": f"{PROTOCOL}, %0d%0aX-Evil: 1"},
        {"Sec_WebSocket_Key": f"{NONCE}\nX-Evil: 1"},
        {"Sec_WebSocket_Key": f"{NONCE}\r\n\tX-Evil: 1"},
        {"X Evil": "1"},
        {"": "X-Evil: 1"},
        {"X_Evil ": "1"},
        {"Origin": "http://127.0.0.1\r\tX-Evil: 1"},
        {"Host": "127.0.0.1\x7f\x01X-Evil: 1"},
    ],
)
async def test_no_header_can_be_smuggled_into_the_answer(
    target: RawServer, changes: dict[str, Any]
) -> None:
    answer = await answered(target, head(target.key, **changes))
    assert answer.status == 101 or 400 <= answer.status < 500
    assert "evil" not in str(answer).lower()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
async def test_who_leaves_in_the_middle_of_a_handshake_does_no_harm(
    target: RawServer, share: float
) -> None:
    opening = head(target.key).encode()
    async with dialled(target.base) as client:
        await client.send(opening[: int(len(opening) * share)])
        client.writer.write_eof()
        assert await client.rest() == b""


async def test_who_leaves_right_behind_a_handshake_does_no_harm(target: RawServer) -> None:
    for _ in range(20):
        async with dialled(target.base) as client:
            await client.send(head(target.key).encode())
    async with dialled(target.base) as client:
        await client.send(head(target.key).encode())
        client.writer.write_eof()
        await client.rest()
