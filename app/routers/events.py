"""Posting events, and reading them back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Scope

from app import problems
from app.dependencies import PUBLIC, EventsReader, EventWriter, Key, RegionInQuery, ServicesIn
from app.domain.errors import BodyTooLarge
from app.doors import answering
from app.schemas import cloudevents
from app.schemas import receipts as documents
from app.schemas.http import ProblemOut, ReceiptsOut
from app.services import summaries
from app.services.access import EVENTS_READ, EVENTS_WRITE
from app.services.admission import Visit

router = APIRouter(tags=["events"])

PATH = "/v1/events"
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


@router.post(
    PATH,
    status_code=202,
    response_model=ReceiptsOut,
    responses=_RESPONSES,
    openapi_extra={"requestBody": {"content": _CONTENT, "required": True}},
)
async def post_events(request: Request, writer: EventWriter, services: ServicesIn) -> Response:
    """Take CloudEvents in any of the three modes; a 2xx means they are on disk."""
    await services.health.require_durable()
    allowed = {writer.source} if writer.source is not None else set()
    with services.admission.visit(writer.name) as visit:
        raw = await _body(request, visit)
        await visit.turn()
        known = await services.ingest.known(allowed)
        async with visit.desk() as desk:
            candidates = cloudevents.read(request.headers.raw, raw)
            checked = await services.ingest.check(known, allowed, candidates, desk.pause)
        receipts = await services.ingest.keep(checked)
    body = documents.document(receipts, problems.document)
    return Response(body, documents.status(receipts), media_type="application/json")


_writer = Key(EVENTS_WRITE)


async def _answer(request: Request) -> Response:
    return await post_events(request, await _writer(request), request.app.state.services)


_taking = answering(_answer)


def door(scope: Scope) -> ASGIApp | None:
    """Return what takes events."""
    if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST":
        return _taking
    return None


async def _body(request: Request, visit: Visit) -> bytes:
    """Read the body, as far as it may be long, and this process may hold it.

    The framework's own limit answers in plain text.

    Raises:
        BodyTooLarge: it is longer, or says that it will be.
        Overloaded: too much is held already.
    """
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > MAX_BODY:
        raise BodyTooLarge(f"a body has at most {MAX_BODY} bytes")
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise BodyTooLarge(f"a body has at most {MAX_BODY} bytes")
        visit.hold(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


@router.options(PATH, openapi_extra=PUBLIC)
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
    PATH,
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
