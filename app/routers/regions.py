"""Regions: the register, their states, and the proof of their numbers."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Scope

from app.dependencies import (
    PUBLIC,
    Key,
    NetworkReader,
    RegionInPath,
    ServicesIn,
    StateReader,
    is_unchanged,
)
from app.domain.regions import parse_region_code
from app.domain.strict_json import dumps
from app.domain.times import format_instant
from app.doors import answering
from app.schemas.http import RegionDetailOut, RegionOut, RegionsOut, VerificationOut
from app.schemas.state import StateOut
from app.services import summaries, verification
from app.services.access import NETWORK_READ, STATE_READ
from app.services.summaries import NETWORK, StateReading, Tenant, region_channel

router = APIRouter(tags=["regions"])


def _region(tenant: Tenant) -> dict[str, Any]:
    return {
        "code": tenant.region.code,
        "name": tenant.region.name,
        "level": tenant.region.level,
        "timezone": tenant.region.timezone,
        "role": tenant.role,
        "partner_since": tenant.partner_since,
        "population": tenant.population,
        "kecamatan": tenant.kecamatan,
    }


@router.get("/v1/regions", openapi_extra=PUBLIC)
async def list_regions(services: ServicesIn) -> RegionsOut:
    """Return the regions of this installation; public facts, open to all."""
    found = await summaries.list_regions(services.engine)
    return RegionsOut(regions=[RegionOut(**_region(tenant)) for tenant in found])


@router.get("/v1/regions/{code}", openapi_extra=PUBLIC)
async def read_region(code: RegionInPath, services: ServicesIn) -> RegionDetailOut:
    """Return a region and its kecamatan; public facts, open to all."""
    tenant, areas = await summaries.read_region(services.engine, code)
    return RegionDetailOut(**_region(tenant), areas=areas)


@router.get("/v1/regions/{code}/state", response_model=StateOut)
async def read_region_state(
    code: RegionInPath, request: Request, reader: StateReader, services: ServicesIn
) -> Response:
    """Return a region's state and its place in the log, with an ETag."""
    reader.require(STATE_READ, code)
    found = await services.states.read(region_channel(code))
    return _state(found, request)


@router.get("/v1/network/state", response_model=StateOut)
async def read_network_state(request: Request, _: NetworkReader, services: ServicesIn) -> Response:
    """Return the network's state: one line per region, and the totals."""
    return _state(await services.states.read(NETWORK), request)


_state_reader, _network_reader = Key(STATE_READ), Key(NETWORK_READ)
_STATE_PATH = re.compile(r"/v1/regions/([^/]{1,20})/state")


async def _answer_region(request: Request) -> Response:
    found = _STATE_PATH.fullmatch(request.scope["path"])
    assert found is not None  # noqa: S101 - else it would not be here
    reader = await _state_reader(request)
    code = parse_region_code(found[1], field="code")
    return await read_region_state(code, request, reader, request.app.state.services)


async def _answer_network(request: Request) -> Response:
    return await read_network_state(
        request, await _network_reader(request), request.app.state.services
    )


_reading_region, _reading_network = answering(_answer_region), answering(_answer_network)


def door(scope: Scope) -> ASGIApp | None:
    """Return what reads a state."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    path = scope["path"]
    if path == "/v1/network/state":
        return _reading_network
    return _reading_region if _STATE_PATH.fullmatch(path) else None


def _state(found: StateReading, request: Request) -> Response:
    """Answer with a state, or 304; both tell how old the picture is."""
    etag = f'"{found.epoch}.{found.rev}"'
    current_at = format_instant(found.current_at)
    headers = {
        "ETag": etag,
        "Cache-Control": "no-cache",
        "Kentongan-Head": str(found.head),
        "Kentongan-Current-At": current_at,
    }
    if is_unchanged(request, etag):
        return Response(status_code=304, headers=headers)
    place: dict[str, Any] = {
        "channel": found.channel,
        "epoch": found.epoch,
        "rev": found.rev,
        "seq": found.seq,
        "head": found.head,
        "current_at": current_at,
    }
    if found.watermark is not None:
        place["watermark"] = format_instant(found.watermark)
    # The state is kept as JSON text, so it is put in as it is and not read.
    body = f'{dumps(place)[:-1]},"state":{found.state}}}'
    return Response(body, headers=headers, media_type="application/json")


@router.get("/v1/regions/{code}/verify")
async def verify_region(
    code: RegionInPath, reader: StateReader, services: ServicesIn
) -> VerificationOut:
    """Recompute a region from its log and tell every difference."""
    reader.require(STATE_READ, code)
    return VerificationOut(**asdict(await verification.verify(services.engine, code)))
