"""Region codes and source names, as DOMAIN writes them.

Codes are Kemendagri's, dotted; undotted input is taken and always written
dotted again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.domain.errors import InvalidParameter

#: ``PP``, ``PP.KK``, ``PP.KK.CC`` or ``PP.KK.CC.VVVV``; ASCII digits only.
REGION_CODE = re.compile(r"[0-9]{2}(\.[0-9]{2}(\.[0-9]{2}(\.[123][0-9]{3})?)?)?", re.ASCII)
_UNDOTTED = re.compile(r"[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:[123][0-9]{3})?)?)?", re.ASCII)
_APP_CODE = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?", re.ASCII)
_INSTANCE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,63})", re.ASCII)


def parse_region_code(text: str, *, field: str = "region") -> str:
    """Return the dotted form of a region code of any level.

    Raises:
        InvalidParameter: the text is not a code in either form.

    >>> parse_region_code("3671"), parse_region_code("36.71.01.1003")
    ('36.71', '36.71.01.1003')
    """
    if REGION_CODE.fullmatch(text):
        return text
    if _UNDOTTED.fullmatch(text):
        parts = (text[0:2], text[2:4], text[4:6], text[6:10])
        return ".".join(part for part in parts if part)
    raise InvalidParameter("not a region code such as 36.71", field=field)


def is_tenant_code(code: str) -> bool:
    """Say whether a dotted code is of a kabupaten or kota, the level of a pemda.

    >>> is_tenant_code("36.71"), is_tenant_code("36"), is_tenant_code("36.71.01")
    (True, False, False)
    """
    return len(code) == 5


def tenant_of(code: str) -> str:
    """Return the kabupaten or kota in which an area lies."""
    return code[:5]


def kecamatan_of(area: str) -> str:
    """Return the kecamatan in which a kecamatan or kelurahan counts.

    >>> kecamatan_of("36.71.01.1003")
    '36.71.01'
    """
    return area[:8]


def level_of(code: str) -> str:
    """Return the level of a dotted code; kota are numbered from 71.

    >>> level_of("36.71"), level_of("33.28"), level_of("36.71.01"), level_of("36")
    ('kota', 'kabupaten', 'kecamatan', 'provinsi')
    """
    match len(code):
        case 2:
            return "provinsi"
        case 5:
            return "kota" if code[3:] >= "71" else "kabupaten"
        case 8:
            return "kecamatan"
        case _:
            return {"1": "kelurahan", "2": "desa", "3": "desa adat"}[code[9]]


@dataclass(frozen=True, slots=True)
class SourceName:
    """A source's URN taken apart: ``urn:pemda:<region>:<app>[:<instance>]``."""

    region: str
    app: str
    instance: str | None = None

    @property
    def urn(self) -> str:
        """The name as events carry it."""
        tail = f":{self.instance}" if self.instance is not None else ""
        return f"urn:pemda:{self.region}:{self.app}{tail}"


def parse_source(text: str, *, field: str = "source") -> SourceName:
    """Read a source's URN.

    Raises:
        InvalidParameter: not such a URN, or not of a kabupaten or kota.

    >>> parse_source("urn:pemda:36.71:laksa:mobile").instance
    'mobile'
    """
    parts = text.split(":")
    if len(parts) not in (4, 5) or parts[:2] != ["urn", "pemda"]:
        raise InvalidParameter("not a source such as urn:pemda:36.71:laksa", field=field)
    region = parse_region_code(parts[2], field=field)
    instance = parts[4] if len(parts) == 5 else None
    if not is_tenant_code(region):
        raise InvalidParameter("a source belongs to a kabupaten or kota", field=field)
    if not _APP_CODE.fullmatch(parts[3]):
        raise InvalidParameter("not an app code of lower-case letters and digits", field=field)
    if instance is not None and not _INSTANCE.fullmatch(instance):
        raise InvalidParameter("not an instance name of letters and digits", field=field)
    return SourceName(region, parts[3], instance)
