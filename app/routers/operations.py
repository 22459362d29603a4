"""Operations: life, readiness, metrics, and the documents that describe the service."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.dependencies import PUBLIC, ServicesIn
from app.schemas.asyncapi import asyncapi
from app.schemas.http import ReadinessOut

router = APIRouter(tags=["operations"])


@router.get("/livez", openapi_extra=PUBLIC)
async def livez() -> dict[str, str]:
    """Say that the process answers; nothing else is asked."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    response_model=ReadinessOut,
    responses={503: {"model": ReadinessOut}},
    openapi_extra=PUBLIC,
)
async def readyz(services: ServicesIn) -> JSONResponse:
    """Say whether the service can keep what it takes.

    A region whose folding stopped is told here, and the service is still ready:
    its events are taken and kept.
    """
    found = await services.health.readiness()
    status = "not-ready" if found.problems else "degraded" if found.halted else "ready"
    body = {"status": status, "problems": found.problems, "halted": found.halted}
    return JSONResponse(body, 503 if found.problems else 200, {"Cache-Control": "no-store"})


@router.get("/metrics", response_class=Response, openapi_extra=PUBLIC)
async def read_metrics(services: ServicesIn) -> Response:
    """Return this process's metrics, and which regions are halted, for Prometheus."""
    await services.health.measure()
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@router.get("/asyncapi.json", openapi_extra=PUBLIC)
async def read_asyncapi(request: Request) -> dict[str, Any]:
    """Return the AsyncAPI document of the live protocol."""
    return asyncapi(request.app.version)
