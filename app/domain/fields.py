"""The fields of an event's ``data`` that the fold reads, and their limits (DOMAIN 3)."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from app.domain.errors import AreaUnknown, InvalidData, InvalidParameter
from app.domain.regions import parse_region_code, tenant_of
from app.domain.times import parse_instant

MAX_NAME = 64
MAX_SUMMARY = 4_000
MAX_CASE_ID = 256
#: Summed services of the state document; a service of that name would hide there.
REST = "_rest"


#: Text fields of ``data`` and their least and most characters.
_TEXTS = (
    ("service", 1, MAX_NAME),
    ("agency", 1, MAX_NAME),
    ("channel", 1, MAX_NAME),
    ("reason", 1, MAX_NAME),
    ("summary", 0, MAX_SUMMARY),
    ("duplicate_of", 1, MAX_CASE_ID),
)


def check_fields(data: Mapping[str, Any]) -> None:
    """Check the fields of ``data`` that the fold reads; null counts as not given.

    Raises:
        InvalidData: a field is of the wrong form; ``field`` names it.
    """
    for name, least, most in _TEXTS:
        if name in data:
            _check_length(data, name, least, most)
    if data.get("service") == REST:
        raise InvalidData("this name is kept for the sum of small services", field="data.service")
    for name in ("fee_idr", "tariff_idr"):
        _check_integer(data, name, 0, 2**53 - 1)
    _check_integer(data, "rating", 1, 4)
    _check_instant(data, "due_at")
    _check_location(data.get("location"))


def _check_length(data: Mapping[str, Any], name: str, least: int, most: int) -> None:
    value = data.get(name)
    if value is None:
        return
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise InvalidData(f"must be text of {least} to {most} characters", field=f"data.{name}")


def _check_integer(data: Mapping[str, Any], name: str, least: int, most: int) -> None:
    value = data.get(name)
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        span = f"from {least} to {most}" if most < 1_000 else f"from {least} up"
        raise InvalidData(f"must be a whole number {span}", field=f"data.{name}")


def _check_location(value: Any) -> None:
    if value is None:
        return
    if isinstance(value, Mapping):
        lat, lon = value.get("lat"), value.get("lon")
        numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in (lat, lon))
        if numbers and abs(lat) <= 90 and abs(lon) <= 180:  # type: ignore[arg-type]
            return
    raise InvalidData("must have lat and lon in degrees", field="data.location")


def _check_instant(data: Mapping[str, Any], name: str) -> None:
    value = data.get(name)
    if value is None:
        return
    try:
        parse_instant(value)
    except (TypeError, ValueError):
        raise InvalidData(
            "not an RFC 3339 timestamp with an offset", field=f"data.{name}"
        ) from None


def check_area(value: Any, region: str, areas: Container[str]) -> None:
    """Check that a kecamatan or kelurahan is one of the region's; null counts as not given.

    ``areas`` are the dotted codes of everything below the region.

    Raises:
        InvalidData: not such a code at all.
        AreaUnknown: the register has no such area in this region.
    """
    if value is None:
        return
    if not isinstance(value, str):
        raise InvalidData("must be the code of a kecamatan or kelurahan", field="data.area")
    try:
        code = parse_region_code(value)
    except InvalidParameter:
        raise InvalidData("not a kecamatan or kelurahan code", field="data.area") from None
    if tenant_of(code) != region or code not in areas:
        raise AreaUnknown("no such kecamatan or kelurahan in this region", field="data.area")
