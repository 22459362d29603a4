"""Personal data in free text is masked before anything is stored.

The finding is the work of ``lokal-id``; what is decided here is where to look:
free text and fields nobody has told us the meaning of, never identifiers,
which must come back byte-identical.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lokal import PiiType, detect_pii

#: Fields of ``data`` that name things; masking one would change what is counted.
IDENTIFIER_FIELDS = frozenset({"service", "area", "agency", "channel", "due_at", "duplicate_of"})
#: Characters of the longest name; what is longer is no name but free text in its place.
LONGEST_NAME = 256

#: Attributes whose meaning is known, and is not free text.
IDENTIFIER_ATTRIBUTES = frozenset(
    {
        *("specversion", "id", "source", "type", "subject", "time"),
        *("datacontenttype", "dataschema", "dataclassification", "test"),
        *("sequence", "correlationid", "recordedtime", "traceparent", "tracestate"),
    }
)

#: What free text may not keep. Other kinds of finding (plates, names) are left:
#: a report of a broken traffic light is worth nothing without its street.
_MASKED_TYPES: tuple[PiiType, ...] = ("NIK", "KK", "PHONE", "EMAIL")

#: Eight digits with at most three signs between neighbours: every number of the
#: types above has them. It begins with a class of its own, so that the search
#: jumps from digit to digit (2 µs on an event's data, against 8).
_DIGITS = re.compile(r"[0-9](?:[^0-9A-Za-z]{0,3}[0-9]){7}")


def may_hold_personal_data(text: str) -> bool:
    """Say whether a text, or the JSON of many, is worth the costly look.

    >>> may_hold_personal_data('{"summary": "jalan rusak"}')
    False
    """
    return "@" in text or _DIGITS.search(text) is not None


def mask_text(text: str) -> str:
    """Return the text with NIK, KK, phone numbers and e-mail addresses masked.

    >>> mask_text("NIK saya 3671012501900001, jalan rusak")
    'NIK saya [NIK], jalan rusak'
    """
    if not may_hold_personal_data(text):
        return text
    pieces: list[str] = []
    at = 0
    for match in sorted(detect_pii(text, types=_MASKED_TYPES), key=lambda match: match.start):
        if match.start < at:
            continue
        pieces.append(text[at : match.start])
        pieces.append(f"[{match.type}]")
        at = match.end
    pieces.append(text[at:])
    return "".join(pieces)


def mask_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event's attributes, masked where nobody has told us their meaning.

    >>> mask_attributes({"id": "081234567890", "phone": "081234567890"})
    {'id': '081234567890', 'phone': '[PHONE]'}
    """
    return {
        name: value if name in IDENTIFIER_ATTRIBUTES else _mask(value)
        for name, value in attributes.items()
    }


def mask_data(data: Any, *, known: bool) -> Any:
    """Return an event's data with its free text masked.

    ``known`` says that the event belongs to a family, whose identifier fields
    are left alone; data of an unknown type is free text throughout. What needs
    no mask is returned as the same object.
    """
    if known and isinstance(data, Mapping):
        return {
            key: value if key in IDENTIFIER_FIELDS and _is_name(value) else _mask(value)
            for key, value in data.items()
        }
    return _mask(data)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME


def _mask(value: Any) -> Any:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        # Names of members stay: two masked ones could become one and lose a value.
        return {key: _mask(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mask(inner) for inner in value]
    return value
