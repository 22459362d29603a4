"""Personal data in free text is masked before anything is stored.

Looked at is free text, and whatever nobody has told us the meaning of; never
identifiers, which must come back byte-identical.
What is found, and how well, is told in ``docs/privacy.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from app.domain.personal_numbers import BETWEEN, LEAST_DIGITS, Found, numbers
from app.domain.plain_signs import places, plain

#: Fields of ``data`` that name things; masking one would change what is counted.
IDENTIFIER_FIELDS = frozenset({"service", "area", "agency", "channel", "due_at", "duplicate_of"})
_AMOUNTS = frozenset({"fee_idr", "tariff_idr", "rating"})
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

#: Where a group of digits begins: nine that begin as a telephone's do, or sixteen, with what
#: may be between them. It begins with a class, so that the search jumps from digit to digit,
#: and looks ahead for enough signs before it reads them one by one.
_NEXT = rf"{BETWEEN}{{0,3}}+[0-9]"
_ENOUGH = rf"(?={BETWEEN[:-1]}0-9]"
_DIGITS = re.compile(
    rf"[0-9+]{_ENOUGH}{{{LEAST_DIGITS - 1}}})(?<![0-9]{{2}})(?:{_ENOUGH}{{15}})(?:{_NEXT}){{15}}"
    rf"|(?:(?<=[08])|(?<=\+)\s?[0-9]|(?<=6){BETWEEN}{{0,3}}+(?=2))"
    rf"(?:{_NEXT}){{{LEAST_DIGITS - 1}}})"
)
#: How JSON writes the spaces that a text may hold between digits.
_ESCAPED_SPACE = re.compile(r"\\[tnr]")

#: Read with what follows where that makes it an address, and else by itself: each sign of a
#: text is then looked at once, and an address may follow another.
_NAME = r"(?:[\w.+-]|%(?!40))++"
_DOT = r"(?:\.|\s?[\[(]\s?dot\s?[\])]\s?)"
_AT = r"\s?[\[(]\s?at\s?[\])]\s?"
_ADDRESS = re.compile(rf"{_NAME}((?:@|%40)(?:[\w-]++\.)+[^\W\d_]{{2,}})?")
#: Written so that machines do not find it. Only with endings that are common, for a price
#: may stand after an @ too.
_HIDDEN_ADDRESS = re.compile(
    rf"{_NAME}((?:{_AT}|\s?@\s?)(?:[\w-]++{_DOT})+(?:com|net|org|co|info|io|biz|me|id)(?![\w-]))?",
    re.IGNORECASE,
)
_HIDDEN_AT = re.compile(r"[\[(]\s?[aA][tT]\s?[\])]")

#: Fields and words that say that a bare number is an amount or a count.
_COUNTED = re.compile(
    r"rp|idr|biaya|harga|nilai|total|tarif|fee|amount|jumlah|anggaran|pagu|pajak|saldo|count|"
    r"price|meter|time|waktu|stamp|epoch"
)


def may_hold_personal_data(text: str) -> bool:
    """Say whether a text, or the JSON of many, is worth the costly look.

    >>> may_hold_personal_data('{"summary": "jalan rusak, sejak 2025-01-12"}')
    False
    """
    text = plain(text)
    if "\\" in text:
        text = _ESCAPED_SPACE.sub(" ", text)
    return (
        "@" in text
        or _DIGITS.search(text) is not None
        or "%40" in text
        or (("[" in text or "(" in text) and _HIDDEN_AT.search(text) is not None)
    )


def mask_text(text: str, label: str = "") -> str:
    """Return the text with NIK, KK, phone numbers and e-mail addresses masked.

    ``label`` is the name of the field that holds it, which may say what a number is.

    >>> mask_text("NIK saya 3671012501900001, jalan rusak")
    'NIK saya [NIK], jalan rusak'
    """
    if not may_hold_personal_data(text):
        return text
    # Addresses before numbers, which many hold.
    for pattern in (_ADDRESS, _HIDDEN_ADDRESS):
        words = pattern.finditer(plain(text))
        text = _masked(text, (Found(*word.span(), "EMAIL") for word in words if word[1]))
    return _masked(text, numbers(plain(text), label))


def _masked(text: str, found: Iterable[Found]) -> str:
    """Return the text with masks in place of what was found in ``plain(text)``, in order."""
    pieces: list[str] = []
    at = 0
    where: list[int] | None = None
    for start, end, kind in found:
        where = where or places(text)
        pieces.append(f"{text[at : where[start]]}[{kind}]")
        at = where[end - 1] + 1
    pieces.append(text[at:])
    return "".join(pieces)


def mask_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event's attributes, masked where nobody has told us their meaning.

    >>> mask_attributes({"id": "081234567890", "phone": "081234567890"})
    {'id': '081234567890', 'phone': '[PHONE]'}
    """
    return {
        name: value if name in IDENTIFIER_ATTRIBUTES else _mask(value, name)
        for name, value in attributes.items()
    }


def mask_data(data: Any, *, known: bool) -> Any:
    """Return an event's data with its free text masked.

    ``known`` says that the event belongs to a family, whose identifier fields
    and amounts are left alone; data of an unknown type is free text throughout.
    """
    if known and isinstance(data, Mapping):
        return {
            key: value if _is_known(key, value) else _mask(value, key)
            for key, value in data.items()
        }
    return _mask(data, "")


def _is_known(key: str, value: Any) -> bool:
    if isinstance(value, str):
        return key in IDENTIFIER_FIELDS and len(value) <= LONGEST_NAME
    return key in _AMOUNTS and isinstance(value, int | float)


def _mask(value: Any, label: str) -> Any:
    if isinstance(value, str):
        return mask_text(value, label)
    if isinstance(value, dict):
        # Names of members stay: two masked ones could become one and lose a value.
        return {key: _mask(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mask(inner, label) for inner in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _mask_number(value, label)
    return value


def _mask_number(value: float, label: str) -> Any:
    """Return the mask of a number that was a person's, and any other number as it is.

    A telephone number loses its zero where it is sent as a number. Amounts of rupiah
    begin with an 8 too, but end in zeros.

    >>> _mask_number(3671012501900001, "x"), _mask_number(81234567891, "x")
    ('[NIK]', '[PHONE]')
    >>> _mask_number(81234500000, "x"), _mask_number(81234567891, "biaya")
    (81234500000, 81234567891)
    """
    if not 10**8 <= value < 10**16 or value != int(value):
        return value
    digits = str(int(value))
    masked = mask_text(digits, label)
    if masked == digits and len(digits) > 9 and not digits.endswith("00"):
        masked = digits if _COUNTED.search(label.lower()) else mask_text(digits, "phone")
    return masked if masked != digits else value
