"""Live: tickets for browsers, and the websocket that tells walls what changed."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time

import structlog
from fastapi import APIRouter, Request, WebSocket
from prometheus_client import Counter
from pydantic import TypeAdapter, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from app import metrics, problems
from app.dependencies import (
    Services,
    ServicesIn,
    channel_name,
    check_way_in,
    either,
    is_own_page,
)
from app.domain.errors import (
    CredentialMissing,
    CredentialUnknown,
    DomainError,
    InvalidParameter,
    MalformedJson,
    RetryableError,
    TooManyConnections,
    UpgradeNeeded,
)
from app.domain.strict_json import check_depth, loads
from app.live.line import LINE, Line
from app.live.pictures import Position
from app.live.session import HEARTBEAT_S, Session
from app.schemas.http import ProblemOut
from app.schemas.live import ClientMessage, Seen, Subscribe, TicketOut, Unsubscribe
from app.services.access import (
    DEMO_PAGE,
    NETWORK_READ,
    STATE_READ,
    TICKET_LIFE,
    Reader,
)
from app.services.leases import Ended

log = structlog.get_logger()

router = APIRouter(tags=["live"])

PATH = "/v1/live"
PROTOCOL = "kentongan.v1"
TICKET_PREFIX = "ticket."

#: Close codes (contract 3.4). 4000-4499: reconnect with backoff; 4500-4999: do not.
TICKET_EXPIRED = 4401
LATE = 4408
SLOW = 4413
TOO_MANY_MESSAGES = 4429
NO_SUCH_CREDENTIAL = 4501
REVOKED = 4503
LIMIT = 4504
BAD_MESSAGE = 4510
#: RFC 6455's "try again later": the client comes back with backoff.
LATER = 1013
_ENDS = {Ended.REVOKED: REVOKED, Ended.UNCONFIRMED: LATER}

#: A socket that takes nothing for so long is closed; it comes back when it can.
SLOW_AFTER_S = 10.0
#: Who opened a connection has something to ask.
FIRST_MESSAGE_WITHIN_S = 5.0
#: A client may tell of every rev that it shows, which is ten a second for a channel.
MESSAGES_PER_10_S = 300
#: Beyond every region of the country and the network.
MAX_CHANNELS = 600

_MESSAGES: TypeAdapter[ClientMessage] = TypeAdapter(ClientMessage)


@router.post(
    "/v1/live/tickets",
    status_code=201,
    responses={code: {"model": ProblemOut} for code in (401, 403, 429, 503)},
    openapi_extra=either(STATE_READ, NETWORK_READ),
)
async def issue_ticket(request: Request, services: ServicesIn) -> TicketOut:
    """Give a one-use ticket for one live connection, good for 30 seconds."""
    reader = await _ticket_reader(request, services)
    ticket = await services.access.issue_ticket(reader)
    return TicketOut(ticket=ticket, expires_in=int(TICKET_LIFE.total_seconds()))


async def _ticket_reader(request: Request, services: Services) -> Reader:
    authorization = request.headers.get("authorization")
    if authorization is None and services.demo and is_own_page(request):
        return DEMO_PAGE
    reader = await services.access.reader_of(authorization)
    await services.quota.spend(reader)
    if NETWORK_READ not in reader.scopes:
        reader.require(STATE_READ)
    return reader


@router.get(PATH, status_code=426, response_model=ProblemOut, include_in_schema=False)
async def refuse_plain() -> None:
    """Tell a client whose upgrade got lost what was wrong; proxies drop it at times."""
    raise UpgradeNeeded(f"open a websocket with the subprotocol {PROTOCOL}")


class _Closed(Exception):
    """The server ends the connection with a close code of the contract."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def door(scope: Scope) -> ASGIApp | None:
    """Return what serves a wall.

    There is no route beside it. What leads to one, and solves what that depends on, would
    stand on the stack of every wall for as long as it watches: a fourth of the memory that
    one takes.
    """
    return _serve if scope["type"] == "websocket" and scope["path"] == PATH else None


async def _serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Tell a client every change of its channels, until either side ends it."""
    services: Services = scope["app"].state.services
    # Taken out: the line holds the scope, and the two would have to be found as garbage.
    line: Line = scope["extensions"].pop(LINE)["line"]
    reader = None
    with contextlib.suppress(WebSocketDisconnect):  # gone before it was let in
        reader = await _let_in(WebSocket(scope, receive, send), services)
    if reader is None:
        return
    scope["headers"] = []  # which nobody reads any more, however long the wall watches
    connection = _Connection(line, services, reader)
    metrics.SOCKETS.inc()
    try:
        end = await connection.run(receive)
    finally:
        metrics.SOCKETS.dec()
        services.seats.leave(reader)
    if end is not None:
        await _close(send, end)


async def _let_in(websocket: WebSocket, services: Services) -> Reader | None:
    """Accept a connection and return who opened it, or end it."""
    try:
        _check_handshake(websocket, services)
    except DomainError as error:
        await websocket.send_denial_response(problems.response(error))
        return None
    await websocket.accept(subprotocol=PROTOCOL)
    try:
        reader = await _reader_of(websocket, services)
        services.seats.take(reader)
    except TooManyConnections as error:
        await websocket.close(LIMIT, str(error))
    except _Closed as closed:
        await websocket.close(closed.code, closed.reason)
    except RetryableError as error:
        await websocket.close(LATER, str(error))
    else:
        return reader
    return None


def _check_handshake(websocket: WebSocket, services: Services) -> None:
    """Check, before anything is accepted, where a page comes from and what it offers."""
    check_way_in(websocket, services)
    services.seats.require_one()
    if PROTOCOL not in websocket.scope["subprotocols"]:
        raise InvalidParameter(f"offer the subprotocol {PROTOCOL}", field="Sec-WebSocket-Protocol")


async def _reader_of(websocket: WebSocket, services: Services) -> Reader:
    """Return who opened the connection, by ticket or by key."""
    tickets = [
        offered.removeprefix(TICKET_PREFIX)
        for offered in websocket.scope["subprotocols"]
        if offered.startswith(TICKET_PREFIX)
    ]
    if tickets:
        reader = await services.access.take_ticket(tickets[0])
        if reader is None:
            raise _Closed(TICKET_EXPIRED, "the ticket was used or has expired")
        return reader
    try:
        return await services.access.reader_of(websocket.headers.get("authorization"))
    except (CredentialMissing, CredentialUnknown) as error:
        raise _Closed(NO_SUCH_CREDENTIAL, str(error)) from None


async def _close(send: Send, end: _Closed) -> None:
    with contextlib.suppress(RuntimeError, OSError):  # the client was quicker
        await send({"type": "websocket.close", "code": end.code, "reason": str(end)})


class _Connection:
    """One websocket: a wall's messages are read, and its channels write to it by themselves.

    There is one of it for each wall, and so it holds little.
    """

    __slots__ = (
        "_end",
        "_first_by",
        "_heartbeat_at",
        "_line",
        "_patience",
        "_reader",
        "_received",
        "_services",
        "_session",
    )

    def __init__(self, line: Line, services: Services, reader: Reader) -> None:
        self._services = services
        self._reader = reader
        self._session = Session()
        self._line = line
        self._line.on_room = self._push
        self._received: list[float] = []
        self._patience = asyncio.timeout(None)
        #: Why it ends, where that is not for being slow.
        self._end: _Closed | None = None
        now = asyncio.get_running_loop().time()
        self._heartbeat_at = now + HEARTBEAT_S
        self._first_by: float | None = now + FIRST_MESSAGE_WITHIN_S

    async def run(self, receive: Receive) -> _Closed | None:
        """Serve the connection to its end; return why we end it, where we do."""
        self._session.greet(self._services.clock())
        self._push()
        try:
            async with self._patience:
                self._services.ticker.add(self._tick)
                self._services.leases.hold(self._reader, self._lose)
                await self._read(receive)
        except _Closed as end:
            return end
        except TimeoutError:
            if not self._patience.expired():
                raise
            return self._end or _Closed(SLOW, "the connection takes nothing")
        finally:
            self._services.ticker.discard(self._tick)
            self._services.leases.release(self._reader, self._lose)
            for name in self._session.channels:
                self._services.feed.close(name, self._push)
        return None

    async def _read(self, receive: Receive) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            self._first_by = None
            self._check_rate()
            text = message.get("text")
            if text is None:
                raise _Closed(BAD_MESSAGE, "messages are text")
            await self._receive(text)
            self._push()

    def _check_rate(self) -> None:
        now = time.monotonic()
        self._received = [at for at in self._received if now - at < 10.0]
        self._received.append(now)
        if len(self._received) > MESSAGES_PER_10_S:
            raise _Closed(TOO_MANY_MESSAGES, "too many messages")

    async def _receive(self, text: str) -> None:
        try:
            document = loads(text.encode("utf-8", "surrogatepass"))
            check_depth(document)
        except MalformedJson as error:
            raise _Closed(BAD_MESSAGE, str(error)) from None
        if not isinstance(document, dict) or not isinstance(document.get("op"), str):
            raise _Closed(BAD_MESSAGE, "a message is an object with an op")
        try:
            message = _MESSAGES.validate_python(document)
        except ValidationError as error:
            place = error.errors(include_input=False, include_context=False)[0]["loc"]
            field = ".".join(str(part) for part in place[1:] if part != "<tagged-union>") or "op"
            self._tell(InvalidParameter("this member of the message is invalid", field=field))
            return
        try:
            await self._obey(message)
        except DomainError as error:
            self._tell(error)

    def _tell(self, error: DomainError) -> None:
        self._session.problem(problems.document(error))

    async def _obey(self, message: ClientMessage) -> None:
        match message:
            case Subscribe():
                await self._subscribe(message)
            case Unsubscribe():
                name = channel_name(message.channel)
                if self._session.stop(name):
                    self._services.feed.close(name, self._push)
            case Seen():
                metrics.GLASS.observe(message.glass_ms / 1000)

    async def _subscribe(self, message: Subscribe) -> None:
        name = channel_name(message.channel)
        self._reader.require_channel(name)
        if name not in self._session.channels and len(self._session.channels) >= MAX_CHANNELS:
            raise _Closed(LIMIT, "too many channels")
        feed = self._services.feed
        channel = await feed.open(name, self._push)
        held, reason = None, "initial"
        try:
            if message.position is not None:
                position = Position(message.position.epoch, message.position.rev)
                held, reason = await feed.picture_at(name, channel, position)
        except BaseException:
            if name not in self._session.channels:
                feed.close(name, self._push)
            raise
        self._session.start(name, channel, held, reason)
        if held is not None and held.rev == channel.picture.rev:
            # Nothing was missed, so that no delta will tell how old the picture is.
            self._session.heartbeat(self._services.clock())

    def _push(self) -> None:
        """Send what the session has to say; while the peer is behind, nothing is queued.

        It is called for every socket and frame, and so is no task of its own.
        """
        while self._line.has_room and (message := self._session.next_message()) is not None:
            self._line.deliver(message)
            _sent(message.op).inc()

    def _lose(self, why: Ended) -> None:
        """End the connection, whose credential has ended."""
        self._give_up(asyncio.get_running_loop().time(), _Closed(_ENDS[why], why.value))

    def _give_up(self, now: float, end: _Closed | None = None) -> None:
        self._end = self._end or end
        self._patience.reschedule(now)

    def _tick(self, now: float) -> None:
        """Have heartbeats sent, and end a connection that takes nothing."""
        since = self._line.stalled_since
        if since is not None and now - since > SLOW_AFTER_S and self._patience.when() is None:
            self._give_up(now)
        if self._first_by is not None and now > self._first_by:
            self._first_by = None
            self._give_up(now, _Closed(LATE, "nothing was asked"))
        if now >= self._heartbeat_at:
            self._heartbeat_at += HEARTBEAT_S
            self._session.heartbeat(self._services.clock())
            self._push()


@functools.cache
def _sent(op: str) -> Counter:
    """Return the counter of an op; to find it anew for every message takes longer than to send."""
    return metrics.SENT.labels(op)
