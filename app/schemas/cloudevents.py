"""Reading CloudEvents 1.0 from the three HTTP modes (contract 3.1).

Source: CloudEvents 1.0.2, HTTP Protocol Binding 3.1-3.3 and JSON Event Format.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from email.message import Message
from typing import Any
from urllib.parse import unquote_to_bytes

from app.domain import strict_json
from app.domain.errors import (
    BatchTooLarge,
    DomainError,
    InvalidAttribute,
    InvalidData,
    MalformedEvent,
    MalformedJson,
    UnsupportedMediaType,
)
from app.domain.events import MISSING, Candidate
from app.domain.strict_json import MAX_DEPTH, check_depth, check_text, loads

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
MAX_BATCH = 1_000

#: As nearly everybody writes them; the rest is parsed.
_PLAINLY = {name.encode(): name for name in (STRUCTURED, BATCH, "application/json")}
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)

Header = tuple[bytes, bytes]


def read(headers: Iterable[Header], body: bytes) -> list[Candidate | DomainError]:
    """Return the events of a request, in order; one that is none comes as its error.

    Raises:
        UnsupportedMediaType: none of the three modes.
        MalformedJson, MalformedEvent: nothing could be read at all.
        BatchTooLarge: more than a thousand events.
    """
    headers = list(headers)
    media_type, charset = _content_type(headers)
    if media_type in (STRUCTURED, BATCH) and charset not in (None, "utf-8"):
        raise UnsupportedMediaType("JSON is taken in UTF-8 alone")
    if media_type == BATCH:
        # The array around the events is the mode's, not the events'.
        return _batch(*strict_json.read(body, MAX_DEPTH + 1))
    if media_type == STRUCTURED:
        return [structured(body)]
    if media_type is not None and media_type.startswith("application/cloudevents"):
        raise UnsupportedMediaType("of the event formats, only JSON is taken")
    if any(name.startswith(b"ce-") for name, _ in headers):
        return [_binary(headers, media_type, charset, body)]
    raise UnsupportedMediaType(f"send {STRUCTURED}, {BATCH} or ce- headers")


def structured(body: bytes) -> Candidate:
    """Return the one event that a JSON text holds.

    Raises:
        MalformedJson, MalformedEvent: it holds none.
    """
    document, exact = strict_json.read(body)
    if not isinstance(document, dict):
        raise MalformedEvent("the body is not a JSON object")
    return _structured(document, exact=exact)


def _content_type(headers: Iterable[Header]) -> tuple[str | None, str | None]:
    """Return the media type and charset in lower case, where there are any."""
    values = [value for name, value in headers if name == b"content-type"]
    if not values:
        return None, None
    if values[0] in _PLAINLY:
        return _PLAINLY[values[0]], None
    message = Message()
    message["content-type"] = values[0].decode("latin-1")
    charset = message.get_param("charset")
    return message.get_content_type(), str(charset).lower() if charset else None


def _batch(document: Any, exact: bool) -> list[Candidate | DomainError]:
    if not isinstance(document, list):
        raise MalformedEvent("the body of a batch is not a JSON array")
    if len(document) > MAX_BATCH:
        raise BatchTooLarge(f"a batch holds at most {MAX_BATCH} events")
    return [
        _structured(item, exact=exact)
        if isinstance(item, dict)
        else MalformedEvent("an element of the batch is not a JSON object")
        for item in document
    ]


def _structured(document: dict[str, Any], *, exact: bool) -> Candidate:
    """Part a document into attributes and data; it is ours, and taken apart."""
    if "data_base64" not in document:
        data = document.pop("data", MISSING)
        return Candidate(document, data, exact=exact)
    members = {
        name: value for name, value in document.items() if name not in ("data", "data_base64")
    }
    if "data" in document and document.get("data_base64") is not None:
        both = InvalidData("an event has data or data_base64, not both", field="data")
        return Candidate(members, problem=both)
    if document.get("data_base64") is not None:
        text = document["data_base64"]
        try:
            base64.b64decode(text, validate=True)
        except (ValueError, TypeError, binascii.Error):
            odd = InvalidData("data_base64 is not base64", field="data_base64")
            return Candidate(members, problem=odd)
        return Candidate(members, text, "data_base64")
    return Candidate(members, document.get("data", MISSING))


def _binary(
    headers: list[Header], media_type: str | None, charset: str | None, body: bytes
) -> Candidate:
    attributes: dict[str, Any] = {}
    problem = None
    for name, value in headers:
        if name == b"content-type":
            attributes["datacontenttype"] = value.decode("latin-1")
        elif name.startswith(b"ce-"):
            key = name[3:].decode("latin-1")
            if key in attributes or key == "datacontenttype":
                problem = InvalidAttribute("an attribute is sent twice or in the wrong header")
                continue
            try:
                attributes[key] = _percent_decoded(value)
            except (UnicodeDecodeError, MalformedJson):
                problem = InvalidAttribute("a ce- header is not percent-encoded UTF-8")
    if problem is not None or not body:
        return Candidate(attributes, problem=problem)
    return _with_body(attributes, media_type, charset, body)


def _percent_decoded(value: bytes) -> str:
    """Decode a header's value (HTTP Protocol Binding, section 3.1.3.2).

    Senders of older versions put values in double quotes, which come off first.
    """
    if len(value) >= 2 and value[:1] == value[-1:] == b'"':
        value = _QUOTED_PAIR.sub(rb"\1", value[1:-1])
    text = unquote_to_bytes(value).decode("utf-8")
    check_text(text)
    return text


def _with_body(
    attributes: dict[str, Any], media_type: str | None, charset: str | None, body: bytes
) -> Candidate:
    """Keep JSON as JSON, text as text, and what is neither as base64."""
    if media_type is None or media_type == "application/json" or media_type.endswith("+json"):
        document = loads(body)
        check_depth(document)
        return Candidate(attributes, document)
    if media_type.startswith("text/") and charset in (None, "utf-8", "us-ascii"):
        try:
            text = body.decode("utf-8")
            check_text(text)
            return Candidate(attributes, text)
        except (UnicodeDecodeError, MalformedJson):
            pass
    return Candidate(attributes, base64.b64encode(body).decode("ascii"), "data_base64")
