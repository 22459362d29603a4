"""Personal data in free text is masked before anything is stored.

The finding is the work of ``lokal-id``; what is decided here is where to look:
free text and fields nobody has told us the meaning of, never identifiers,
which must come back byte-identical.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lokal import PiiType

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

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]++@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?![A-Za-z0-9-])"
)

#: Characters looked at together. The library's time grows with the square of a
#: text that was made to harm: 60 KB of it stopped the process for a minute.
_PIECE = 512
#: No number or address is longer. Pieces overlap by it, so that none is cut in both.
_OVERLAP = 96


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
    for start, end, kind in sorted(_found(text)):
        if start < at:
            continue
        pieces.append(f"{text[at:start]}[{kind}]")
        at = end
    pieces.append(text[at:])
    return "".join(pieces)


def _found(text: str) -> Iterator[tuple[int, int, str]]:
    """Find what is to be masked: its start, its end and what it is."""
    step = _PIECE - _OVERLAP
    for begin in range(0, max(len(text) - _OVERLAP, 1), step):
        piece = text[begin : begin + _PIECE]
        last = begin + _PIECE >= len(text)
        for start, end, kind in _found_in(piece):
            # Cut off here, and whole in the piece before or after this one.
            cut_before = begin > 0 and start == 0 and end <= _OVERLAP
            cut_after = not last and end == len(piece) and start >= step
            if not (cut_before or cut_after):
                yield begin + start, begin + end, kind


def _found_in(piece: str) -> Iterator[tuple[int, int, str]]:
    if may_hold_personal_data(piece):
        # Not at the top: it takes 0.3 s, and only who takes events in has use for it.
        from lokal import detect_pii  # noqa: PLC0415

        for match in detect_pii(piece, types=_MASKED_TYPES):
            yield match.start, match.end, match.type
        # The library passes over domains that are kept for examples; a form does not.
        for address in _EMAIL.finditer(piece):
            yield *address.span(), "EMAIL"


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
