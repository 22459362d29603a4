"""Live over plain HTTP: one channel as server-sent events, with the websocket's own messages.

Source: WHATWG HTML, section 9.2 (server-sent events).
"""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, NoReturn

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from fastapi.sse import format_sse_event
from starlette.types import Receive, Scope, Send

from app import metrics
from app.dependencies import ReaderIn, Services, ServicesIn, channel_name, check_way_in, either
from app.domain.errors import InvalidParameter
from app.live.pictures import Position
from app.live.session import HEARTBEAT_S, Session
from app.schemas.http import ProblemOut
from app.services.access import NETWORK_READ, STATE_READ, Reader
from app.services.leases import Ended

router = APIRouter(tags=["live"])

MEDIA_TYPE = "text/event-stream"
HEADERS = {
    "Content-Type": MEDIA_TYPE,
    "Cache-Control": "no-store",
    # A proxy that gathers what it sends would make of live a minute ago.
    "X-Accel-Buffering": "no",
}
#: How soon a client comes again; what it missed is told then.
RETRY_MS = 2_000


@router.get(
    "/v1/live/sse",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}},
        **{code: {"model": ProblemOut} for code in (401, 403, 404, 422, 429, 503)},
    },
    openapi_extra=either(STATE_READ, NETWORK_READ),
)
async def stream(
    request: Request,
    reader: ReaderIn,
    services: ServicesIn,
    channel: Annotated[str, Query(max_length=64)],
    last_event_id: Annotated[str | None, Header(max_length=128)] = None,
) -> Response:
    """Tell every change of one channel, from the last event that the client has."""
    check_way_in(request, services)
    name = channel_name(channel)
    reader.require_channel(name)
    told = EventStream(services, reader, name)
    services.seats.take(reader)
    try:
        await told.begin(_position(last_event_id) if last_event_id else None)
    except BaseException:
        services.seats.leave(reader)
        raise
    return told


def _position(event_id: str) -> Position:
    """Read ``<epoch>.<rev>``.

    Raises:
        InvalidParameter: it is none of ours.
    """
    epoch, dot, rev = event_id.rpartition(".")
    digits = rev.removeprefix("-")
    if not (dot and epoch and digits.isascii() and digits.isdigit() and len(epoch) <= 64):
        raise InvalidParameter("not the id of an event of this stream", field="Last-Event-ID")
    return Position(epoch, int(rev))


class _Ended(Exception):
    """The client has gone, or the server stops."""


class EventStream(Response):
    """An answer that goes on until either side ends it.

    Not the framework's own: that takes from a generator, through a queue and a
    ping of its own, and would begin the answer before we know that the channel is
    there. Only its framing is ours too.
    """

    def __init__(self, services: Services, reader: Reader, name: str) -> None:
        # As starlette's own streams: without a body, there is no length to tell.
        self.status_code, self.background = 200, None
        self.init_headers(HEADERS)
        self._services = services
        self._name = name
        self._session = Session()
        self._reader = reader
        self._work, self._lost = asyncio.Event(), asyncio.Event()

    async def begin(self, position: Position | None) -> None:
        """Subscribe, from a position or afresh.

        Raises:
            UnknownRegion: there is no such channel.
        """
        feed, name = self._services.feed, self._name
        self._session.greet(self._services.clock())
        channel = await feed.open(name, self._work.set)
        held, reason = None, "initial"
        try:
            if position is not None:
                held, reason = await feed.picture_at(name, channel, position)
        except BaseException:
            feed.close(name, self._work.set)
            raise
        self._session.start(name, channel, held, reason)
        if held is not None and held.rev == channel.picture.rev:
            # Nothing was missed, so that no delta will tell how old the picture is.
            self._session.heartbeat(self._services.clock())
        self._work.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with events as they come."""
        del scope
        metrics.SOCKETS.inc()
        self._services.leases.hold(self._reader, self._lose)
        try:
            head = {"status": 200, "headers": self.raw_headers}
            await send({"type": "http.response.start", **head})
            async with asyncio.TaskGroup() as tasks:
                for work in (self._send(send), self._keep_time(), self._until_left(receive)):
                    tasks.create_task(work)
                for end in (self._services.stopping, self._lost):
                    tasks.create_task(_until(end))
        except* _Ended:
            pass
        finally:
            metrics.SOCKETS.dec()
            self._services.seats.leave(self._reader)
            self._services.leases.release(self._reader, self._lose)
            self._services.feed.close(self._name, self._work.set)
        await send(_body(b"", more=False))

    async def _send(self, send: Send) -> NoReturn:
        """Send what there is to tell; while a send waits, nothing is queued."""
        await send(_body(format_sse_event(retry=RETRY_MS)))
        while True:
            await self._work.wait()
            self._work.clear()
            while (message := self._session.next_message()) is not None:
                at = self._session.position(self._name)
                event_id = None if at is None else f"{at.epoch}.{at.rev}"
                await send(_body(format_sse_event(data_str=message, id=event_id)))

    async def _keep_time(self) -> NoReturn:
        heartbeat_at = time.monotonic() + HEARTBEAT_S
        while True:
            await asyncio.sleep(max(0.0, heartbeat_at - time.monotonic()))
            heartbeat_at += HEARTBEAT_S
            self._session.heartbeat(self._services.clock())
            self._work.set()

    async def _until_left(self, receive: Receive) -> NoReturn:
        while (await receive())["type"] != "http.disconnect":
            pass
        raise _Ended

    def _lose(self, _: Ended) -> None:
        """End the answer; whoever asks again is told why in a problem document."""
        self._lost.set()


async def _until(end: asyncio.Event) -> NoReturn:
    await end.wait()
    raise _Ended


def _body(part: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": part, "more_body": more}
