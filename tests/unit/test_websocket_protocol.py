"""What a websocket keeps of a message that is not whole yet."""

from __future__ import annotations

from typing import Any

import uvicorn
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

from app.routers.websocket_protocol import LiveProtocol


async def _nobody(scope: Any, receive: Any, send: Any) -> None:
    """Serve nothing."""


async def test_empty_parts_of_a_message_are_not_kept() -> None:
    config = uvicorn.Config(_nobody, log_config=None)
    config.load()
    protocol = LiveProtocol(config, ServerState(), {})
    protocol.handle_text(Frame(Opcode.TEXT, b"a", fin=False))
    for part in [b""] * 1_000 + [b"b"] + [b""] * 1_000:
        protocol.handle_cont(Frame(Opcode.CONT, part, fin=False))
    assert protocol.frames == [b"a", b"b"]
