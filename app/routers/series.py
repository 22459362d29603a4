"""Series: what flowed through a region, over time."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from app.dependencies import RegionInPath, ServicesIn, StateReader, clean, is_unchanged
from app.domain.errors import InvalidParameter
from app.domain.times import format_hour, format_instant
from app.schemas.http import PointOut, ProblemOut, SeriesOut
from app.services.series import Series, Wanted, read_series

router = APIRouter(tags=["regions"])

Metric = Literal["opened", "first_responded", "closed", "resolved", "reopened", "events"]
PARAMETERS = frozenset({"metric", "bucket", "from", "to", "app", "kind", "service", "area"})


@router.get(
    "/v1/regions/{code}/series",
    response_model=SeriesOut,
    responses={
        304: {"description": "Nothing was folded since the answer with this ETag."},
        **{status: {"model": ProblemOut} for status in (401, 403, 404, 422, 429, 503)},
    },
)
async def read(
    code: RegionInPath,
    request: Request,
    reader: StateReader,
    services: ServicesIn,
    metric: Annotated[
        Metric,
        Query(description="What is counted: a flow of cases, or `events` of every type but tests."),
    ],
    bucket: Annotated[
        Literal["hour", "day"], Query(description="An hour, or a day of the region's own zone.")
    ] = "hour",
    start: Annotated[
        str | None,
        Query(
            alias="from",
            max_length=40,
            description="An RFC 3339 instant or a local day; default 24 hours or 30 days back.",
            examples=["2026-11-01", "2026-11-21T00:00:00Z"],
        ),
    ] = None,
    end: Annotated[
        str | None,
        Query(
            alias="to",
            max_length=40,
            description="The first instant, or local day, that is no longer in it; default now.",
            examples=["2026-11-22"],
        ),
    ] = None,
    app: Annotated[str | None, Query(min_length=1, max_length=64, examples=["laksa"])] = None,
    kind: Annotated[str | None, Query(min_length=1, max_length=64, examples=["report"])] = None,
    service: Annotated[str | None, Query(min_length=1, max_length=64, examples=["jalan"])] = None,
    area: Annotated[
        str | None,
        Query(max_length=20, description="A kecamatan or kelurahan.", examples=["36.71.05"]),
    ] = None,
) -> Response:
    """Return how often something happened, hour by hour or day by day, zeros included."""
    reader.require("state:read", code)
    _check_names(request)
    wanted = Wanted(
        metric=metric,
        bucket=bucket,
        start=start,
        end=end,
        app=clean(app, "app"),
        kind=clean(kind, "kind"),
        service=clean(service, "service"),
        area=area,
    )
    return _answer(
        await read_series(services.engine, services.clock, code, wanted), wanted, request
    )


def _check_names(request: Request) -> None:
    """Refuse what would silently count something else than was meant: a filter misspelt or twice.

    Raises:
        InvalidParameter: a name is not one of ours, or stands there twice.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    if not PARAMETERS.issuperset(names):
        raise InvalidParameter(f"the parameters are {', '.join(sorted(PARAMETERS))}")
    if len(names) > len(set(names)):
        raise InvalidParameter("a parameter may be given once")


def _answer(found: Series, wanted: Wanted, request: Request) -> Response:
    """Answer with a series, or 304; both tell how old the numbers are."""
    # Without `to`, the same address asks for another span an hour later.
    span = f"{found.start.timestamp():.0f}-{found.end.timestamp():.0f}"
    etag = f'"{found.epoch}.{found.seq}.{span}"'
    headers = {
        "ETag": etag,
        "Cache-Control": "no-cache",
        "Kentongan-Head": str(found.head),
        "Kentongan-Current-At": format_instant(found.current_at),
    }
    if is_unchanged(request, etag):
        return Response(status_code=304, headers=headers)
    body = SeriesOut(
        region=found.region,
        metric=wanted.metric,
        bucket=wanted.bucket,
        start=format_hour(found.start),
        to=format_hour(found.end),
        timezone=found.timezone,
        epoch=found.epoch,
        seq=found.seq,
        points=[PointOut(at=format_hour(at), value=value) for at, value in found.points],
    )
    return Response(
        body.model_dump_json(by_alias=True), headers=headers, media_type="application/json"
    )
