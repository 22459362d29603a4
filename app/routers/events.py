"""Posting events, and reading them back."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from app import problems
from app.dependencies import EventsReader, EventWriter, Key, RegionInQuery, ServicesIn
from app.domain.errors import BodyTooLarge
from app.schemas import cloudevents
from app.schemas import receipts as documents
from app.schemas.http import ProblemOut, ReceiptsOut
from app.services import summaries
from app.services.access import EVENTS_READ, EVENTS_WRITE

router = APIRouter(tags=["events"])


class _Directly(APIRoute):
    """Calls the one busy endpoint by hand.

    What it depends on is told to the documents as everywhere; to have FastAPI
    solve it anew for each request is a fifth of what an event costs.
    """

    _writer = Key(EVENTS_WRITE)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""

        async def handle(request: Request) -> Response:
            writer = await self._writer(request)
            return await post_events(request, writer, request.app.state.services)

        return handle


#: Of the busy endpoint alone.
_busy = APIRouter(tags=["events"], route_class=_Directly)

#: A batch of a thousand events of 5 KB.
MAX_BODY = 5_000_000

_EXAMPLE = {
    "specversion": "1.0",
    "id": "my-first-event",
    "source": "urn:pemda:36.71:laksa",
    "type": "id.go.tangerangkota.laksa.report.submitted.v1",
    "subject": "MY-0001",
    "data": {"service": "jalan_rusak", "area": "36.71.05"},
}
_CONTENT = {
    "application/cloudevents+json": {"schema": {"type": "object"}, "example": _EXAMPLE},
    "application/cloudevents-batch+json": {
        "schema": {"type": "array", "items": {"type": "object"}}
    },
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    207: {"model": ReceiptsOut, "description": "Some events were kept, others not."},
    403: {"model": ReceiptsOut, "description": "No event is from a source that the key may use."},
    409: {"model": ReceiptsOut, "description": "None was kept; an id holds other content."},
    422: {"model": ReceiptsOut, "description": "None was kept."},
    **{code: {"model": ProblemOut} for code in (400, 401, 413, 415, 429, 503)},
}


@_busy.post(
    "/v1/events",
    status_code=202,
    response_model=ReceiptsOut,
    responses=_RESPONSES,
    openapi_extra={"requestBody": {"content": _CONTENT, "required": True}},
)
async def post_events(request: Request, writer: EventWriter, services: ServicesIn) -> Response:
    """Take CloudEvents in any of the three modes; a 2xx means they are on disk."""
    await services.health.require_durable()
    candidates = cloudevents.read(request.headers.raw, await _body(request))
    allowed = {writer.source} if writer.source is not None else set()
    receipts = await services.ingest.submit(allowed, candidates)
    body = documents.document(receipts, problems.document)
    return Response(body, documents.status(receipts), media_type="application/json")


router.include_router(_busy)


async def _body(request: Request) -> bytes:
    """Read the body, as far as it may be long.

    The framework's own limit answers in plain text.

    Raises:
        BodyTooLarge: it is longer, or says that it will be.
    """
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > MAX_BODY:
        raise BodyTooLarge(f"a body has at most {MAX_BODY} bytes")
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise BodyTooLarge(f"a body has at most {MAX_BODY} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


@router.options("/v1/events")
async def handshake(request: Request, services: ServicesIn) -> Response:
    """Answer the handshake of CloudEvents webhooks: any origin may send, given a key.

    Source: CloudEvents, HTTP 1.1 Web Hooks for Event Delivery, section 4.
    """
    headers = {
        "Allow": "GET, POST, OPTIONS",
        "WebHook-Allowed-Origin": "*",
    }
    if "webhook-request-rate" in request.headers:
        headers["WebHook-Allowed-Rate"] = str(services.quota.per_second * 60)
    return Response(status_code=200, headers=headers)


@router.get(
    "/v1/events",
    response_class=Response,
    responses={200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}},
)
async def read_events(
    reader: EventsReader,
    services: ServicesIn,
    region: RegionInQuery,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> Response:
    """Return a region's events after a seq, one JSON object a line, in seq order."""
    reader.require(EVENTS_READ, region)
    events = await summaries.read_events(services.engine, region, after, limit)
    lines = [f'{event[:-1]},"region":"{region}","seq":{seq}}}\n' for seq, event in events]
    return Response("".join(lines), media_type="application/x-ndjson")
