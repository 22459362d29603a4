"""Sources: what was refused of them, and how good their data is."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from app import problems
from app.dependencies import EventWriter, ReaderIn, ServicesIn, clean, either
from app.domain.errors import SourceNotAllowed, UnknownQuarantineEntry
from app.domain.regions import parse_source
from app.domain.times import format_instant
from app.schemas import receipts as documents
from app.schemas.http import QualityOut, QuarantineOut, ReceiptsOut, RefusedOut, instant
from app.services import quality, quarantine
from app.services.access import EVENTS_WRITE, STATE_READ, Reader

router = APIRouter(tags=["sources"])

SourceText = Annotated[str, Path(max_length=256)]


@router.get("/v1/sources/{source}/quality", openapi_extra=either(EVENTS_WRITE, STATE_READ))
async def read_quality(source: SourceText, reader: ReaderIn, services: ServicesIn) -> QualityOut:
    """Tell how well a source keeps to the contract: new types, refusals, unlikely moves."""
    name = parse_source(clean(source, "source") or "")
    if reader.source != name.urn or EVENTS_WRITE not in reader.scopes:
        reader.require(STATE_READ, name.region)
    found = await quality.read_quality(services.engine, name.urn)
    return QualityOut(
        source=found.source,
        events=found.events,
        tests=found.tests,
        refused=found.refused,
        new_types=found.new_types,
        anomalies=found.anomalies,
    )


@router.get("/v1/quarantine")
async def list_refused(
    reader: EventWriter,
    services: ServicesIn,
    source: Annotated[str, Query(max_length=256)],
    cursor: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> QuarantineOut:
    """Return the refused events of a source that the key may use, newest first."""
    _check_own(reader, clean(source, "source") or "")
    entries = await quarantine.list_refused(services.engine, source, cursor, limit)
    more = len(entries) == limit
    return QuarantineOut(
        entries=[_entry(entry) for entry in entries],
        next_cursor=entries[-1].id if more else None,
    )


@router.post(
    "/v1/quarantine/{entry_id}/replay",
    status_code=202,
    response_model=ReceiptsOut,
    responses={409: {"model": ReceiptsOut}, 422: {"model": ReceiptsOut}},
)
async def replay(
    entry_id: Annotated[int, Path(ge=1, le=2**62)], writer: EventWriter, services: ServicesIn
) -> Response:
    """Send a refused event through the door again, once the reason is gone."""
    entry = await quarantine.find(services.engine, entry_id)
    try:
        _check_own(writer, entry.source)
    except SourceNotAllowed:
        # A foreign entry and an absent one answer alike.
        raise UnknownQuarantineEntry(
            "no refused event is kept under this number", field="id"
        ) from None
    receipt = await quarantine.replay(services.engine, services.ingest, services.clock, entry)
    body = documents.document([receipt], problems.document)
    return Response(body, documents.status([receipt]), media_type="application/json")


def _check_own(reader: Reader, source: str) -> None:
    if reader.source != source:
        raise SourceNotAllowed("the key is not bound to this source", field="source")


def _entry(entry: quarantine.Entry) -> RefusedOut:
    return RefusedOut(
        id=entry.id,
        source=entry.source,
        first_refused_at=format_instant(entry.first_refused_at),
        last_refused_at=format_instant(entry.last_refused_at),
        times=entry.times,
        problem=problems.TYPE_PREFIX + entry.problem,
        detail=entry.detail,
        field=entry.field,
        event=json.loads(entry.event),
        replayed_at=instant(entry.replayed_at),
    )
