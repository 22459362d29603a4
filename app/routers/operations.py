"""Operations: life, readiness, metrics, and the documents that describe the service."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.dependencies import ServicesIn
from app.schemas.asyncapi import asyncapi
from app.schemas.http import ReadinessOut

router = APIRouter(tags=["operations"])


@router.get("/livez")
async def livez() -> dict[str, str]:
    """Say that the process answers; nothing else is asked."""
    return {"status": "alive"}


@router.get("/readyz", response_model=ReadinessOut, responses={503: {"model": ReadinessOut}})
async def readyz(services: ServicesIn) -> JSONResponse:
    """Say whether the service can keep what it takes.

    A region whose folding stopped is told here, and the service is still ready:
    its events are taken and kept.
    """
    found = await services.health.readiness()
    status = "not-ready" if found.problems else "degraded" if found.halted else "ready"
    body = {"status": status, "problems": found.problems, "halted": found.halted}
    return JSONResponse(body, 503 if found.problems else 200, {"Cache-Control": "no-store"})


@router.get("/metrics", response_class=Response)
async def read_metrics(services: ServicesIn) -> Response:
    """Return this process's metrics, and which regions are halted, for Prometheus."""
    await services.health.measure()
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@router.get("/asyncapi.json")
async def read_asyncapi(request: Request) -> dict[str, Any]:
    """Return the AsyncAPI document of the live protocol."""
    return asyncapi(request.app.version)


@router.get("/docs", include_in_schema=False)
async def docs() -> HTMLResponse:
    """Show the API's documentation, from files of our own: no CDN."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Kentongan API",
        swagger_js_url="/static/swagger/swagger-ui-bundle.js",
        swagger_css_url="/static/swagger/swagger-ui.css",
        swagger_favicon_url="/static/favicon.svg",
    )
