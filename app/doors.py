"""The busy endpoints, answered before the framework has looked for them.

Where there is a route beside a door, it tells the documents what is answered. To find a route,
and to solve anew what it depends on, is two fifths of what one event costs, half of a read state,
and a fifth of a wall that comes back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app import problems
from app.domain.errors import DomainError

Answer = Callable[[Request], Awaitable[Response]]
#: Returns what serves a request or a websocket, or nothing where that is the framework's.
Door = Callable[[Scope], ASGIApp | None]


class Doors:
    """Hands requests to the first door that takes them, and the rest to the framework."""

    def __init__(self, app: ASGIApp, doors: Sequence[Door]) -> None:
        self._app = app
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve by a door, or pass on what is for others."""
        for door in self._doors:
            app = door(scope)
            if app is not None:
                await app(scope, receive, send)
                return
        await self._app(scope, receive, send)


def answering(answer: Answer) -> ASGIApp:
    """Serve HTTP requests by what answers them, or tells why not."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await answer(Request(scope, receive))
        except (DomainError, ClientDisconnect) as error:
            response = problems.expected(error)
        await response(scope, receive, send)

    return serve
