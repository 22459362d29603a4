"""The busy endpoints, answered before the framework has looked for them.

Their routes tell the documents what is answered. To find one, and to solve anew what it
depends on, is two fifths of what one event costs, and two thirds of a read state.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app import problems
from app.domain.errors import DomainError

Answer = Callable[[Request], Awaitable[Response]]
#: Returns what answers a method and a path, or nothing where that is the framework's.
Door = Callable[[str, str], Answer | None]


class Doors:
    """Hands requests to the first door that takes them, and the rest to the framework."""

    def __init__(self, app: ASGIApp, doors: Sequence[Door]) -> None:
        self._app = app
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on what is for others."""
        answer = self._find(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if answer is None:
            await self._app(scope, receive, send)
            return
        try:
            response = await answer(Request(scope, receive))
        except (DomainError, ClientDisconnect) as error:
            response = problems.expected(error)
        await response(scope, receive, send)

    def _find(self, method: str, path: str) -> Answer | None:
        for door in self._doors:
            answer = door(method, path)
            if answer is not None:
                return answer
        return None
