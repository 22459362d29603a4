"""Cases: lists by cursor, and one case with its history."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.convertors import Convertor, register_url_convertor

from app.dependencies import CasesReader, RegionInPath, RegionInQuery, ServicesIn, clean
from app.domain.cases import Case, CaseKey
from app.domain.regions import parse_region_code
from app.domain.times import format_instant
from app.schemas.http import CaseDetailOut, CaseOut, CasesOut, HistoryLineOut, instant
from app.services import summaries
from app.services.summaries import Filter, HistoryLine

router = APIRouter(tags=["cases"])


class AnyText(Convertor[str]):
    """A rest of a path that may be any text: an app may put slashes and line feeds into names."""

    regex = "(?s:.+)"

    def convert(self, value: str) -> str:
        """Take the text as it is."""
        return value

    def to_string(self, value: str) -> str:
        """Write the text as it is."""
        return value


register_url_convertor("any_text", AnyText())

NameIn = Annotated[str | None, Query(min_length=1, max_length=64)]


@router.get("/v1/cases")
async def list_cases(
    reader: CasesReader,
    services: ServicesIn,
    region: RegionInQuery,
    app: NameIn = None,
    kind: NameIn = None,
    state: NameIn = None,
    service: NameIn = None,
    area: Annotated[str | None, Query(max_length=20)] = None,
    overdue: bool | None = None,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> CasesOut:
    """Return a region's cases, newest opening first."""
    reader.require("cases:read", region)
    wanted = Filter(
        app=clean(app, "app"),
        kind=clean(kind, "kind"),
        state=clean(state, "state"),
        service=clean(service, "service"),
        area=parse_region_code(area, field="area") if area is not None else None,
        overdue=overdue,
    )
    now = services.clock()
    page = await summaries.list_cases(
        services.engine, services.clock, region, wanted, clean(cursor, "cursor"), limit
    )
    cases = [_case(region, case, now) for case in page.cases]
    return CasesOut(cases=cases, next_cursor=page.next_cursor)


@router.get("/v1/cases/{code}/{app}/{kind}/{case_id:any_text}")
async def read_case(
    code: RegionInPath,
    app: Annotated[str, Path(max_length=64)],
    kind: Annotated[str, Path(max_length=64)],
    case_id: Annotated[str, Path(max_length=256)],
    reader: CasesReader,
    services: ServicesIn,
) -> CaseDetailOut:
    """Return one case with its history, as far as the reader may see it."""
    reader.require("cases:read", code)
    parts = [
        clean(part, name) for part, name in ((app, "app"), (kind, "kind"), (case_id, "case_id"))
    ]
    key = CaseKey(*(part or "" for part in parts))
    case, history = await summaries.read_case(services.engine, code, key)
    return CaseDetailOut(
        case=_case(code, case, services.clock()), history=[_line(line) for line in history]
    )


def _case(region: str, case: Case, now: datetime) -> CaseOut:
    assert case.state is not None and case.opened_at is not None  # noqa: S101, PT018 - listed cases
    return CaseOut(
        region=region,
        app=case.key.app,
        kind=case.key.kind,
        case_id=case.key.case_id,
        state=case.state,
        open=case.open,
        overdue=case.overdue(now),
        opened_at=format_instant(case.opened_at),
        first_response_at=instant(case.first_response_at),
        closed_at=instant(case.closed_at),
        due_at=instant(case.due_at),
        service=case.service,
        area=case.area,
        agency=case.agency,
        channel=case.channel,
        reopen_count=case.reopen_count,
    )


def _line(line: HistoryLine) -> HistoryLineOut:
    event = line.event
    return HistoryLineOut(
        seq=event.seq,
        id=event.id,
        source=event.source,
        type=event.type,
        time=format_instant(event.time),
        received_at=format_instant(event.received_at),
        state=line.state,
    )
