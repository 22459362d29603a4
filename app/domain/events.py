"""CloudEvents as they come in, checked, and as the log keeps them.

A ``Candidate`` is what one of the three HTTP modes carried; ``accept`` turns it
into a ``Submission`` that the log can take, or raises the reason why not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from app.domain.errors import (
    ClassificationRefused,
    DataTooLarge,
    EventRefused,
    InvalidAttribute,
    InvalidData,
    TimeOutOfRange,
)
from app.domain.families import is_known_type, meaning_of
from app.domain.fields import MAX_SUMMARY, check_area, check_fields
from app.domain.privacy import (
    IDENTIFIER_ATTRIBUTES,
    mask_attributes,
    mask_data,
    may_hold_personal_data,
)
from app.domain.strict_json import check_numbers, encode, encode_sorted
from app.domain.times import parse_instant

MAX_IDENTIFIER = 256
#: Of the data as JSON in UTF-8.
MAX_DATA_BYTES = 64 * 1024
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
#: A sender's clock may run ahead, and a plan for tomorrow is a fact of today.
FURTHEST_AHEAD = timedelta(hours=24)

#: Attributes that tell of the way and not of the content: a retry changes them.
TRANSPORT_ATTRIBUTES = frozenset({"traceparent", "tracestate", "recordedtime"})
#: Members of an event in the feed beside its attributes; a ``ce-`` header could call itself so.
FEED_MEMBERS = frozenset({"region", "seq", "data"})
CLASSIFICATIONS = frozenset({"public", "internal"})
#: In the quarantine, instead of data that is not kept. No attribute can have this name.
DATA_OMITTED = "data_omitted"

#: What data is in where nothing else is said (CloudEvents JSON Format, section 3.1), so
#: that saying it or not is no difference of content.
_PLAIN_JSON = re.compile(r"application/json(;charset=\"?utf-8\"?)?", re.ASCII)
_ATTRIBUTE_NAME = re.compile(r"[a-z0-9]{1,64}", re.ASCII)
#: Attributes that most events have, and have alone: nothing is to be checked of their
#: values but that they are text.
_PLAIN = frozenset({"specversion", "id", "source", "type", "subject", "time", "datacontenttype"})
_WELL_KNOWN = _PLAIN | {"sequence"}
_INTEGER = re.compile(r"[+-]?[0-9]{1,400}", re.ASCII)


class Missing:
    """The type of ``MISSING``: an event without data, which is not data null."""


MISSING = Missing()


@dataclass(frozen=True, slots=True)
class Source:
    """What the register knows of a source: its region, app and the app's family."""

    urn: str
    region: str
    app: str
    family: str


# Tuples and not frozen dataclasses: one of each is made for every event, in a fourth of the time.
class Candidate(NamedTuple):
    """An event as a request carried it: attributes by name, and data or ``MISSING``.

    ``data_member`` is ``data`` or, for bytes that are no text, ``data_base64``.
    ``problem`` says what was wrong already in the reading of it; ``exact`` that
    its numbers were found to be what every reader would take them for.
    """

    attributes: Mapping[str, Any]
    data: Any = MISSING
    data_member: str = "data"
    problem: EventRefused | None = None
    exact: bool = False


class Submission(NamedTuple):
    """An event that may enter the log.

    ``envelope`` is the masked event as JSON text in the order it was sent,
    ``digest`` the keyed digest of its content before masking.
    """

    region: str
    source: str
    id: str
    type: str
    app: str
    subject: str | None
    time: datetime
    sequence: str | None
    test: bool
    digest: bytes
    envelope: str


class LoggedEvent(NamedTuple):
    """An event as the projector reads it from a region's log.

    ``data`` is the event's data where it is an object, and empty elsewhere.
    """

    seq: int
    source: str
    id: str
    type: str
    app: str
    subject: str | None
    time: datetime
    sequence: int
    received_at: datetime
    test: bool
    data: Mapping[str, Any]

    @property
    def order(self) -> tuple[datetime, int, str, str]:
        """The place among the events of a case; the source parts two of one id."""
        return (self.time, self.sequence, self.id, self.source)


def identifier(attributes: Mapping[str, Any], name: str) -> str:
    """Return a required identifier of 1 to 256 characters, untouched.

    Raises:
        InvalidAttribute: absent, not text, empty or too long.
    """
    value = attributes.get(name)
    if not isinstance(value, str):
        raise InvalidAttribute(f"{name} is required and must be text", field=name)
    if not 1 <= len(value) <= MAX_IDENTIFIER:
        raise InvalidAttribute(f"{name} must have 1 to {MAX_IDENTIFIER} characters", field=name)
    return value


def shown_identifier(attributes: Mapping[str, Any], name: str) -> str | None:
    """Return an identifier for a receipt, or nothing where it is not one."""
    value = attributes.get(name)
    return value if isinstance(value, str) and 1 <= len(value) <= MAX_IDENTIFIER else None


def sequence_number(text: str | None) -> int:
    """Return ``sequence`` as an integer, or 0 where it is none.

    >>> sequence_number("10"), sequence_number("b-7"), sequence_number(None)
    (10, 0, 0)
    """
    return int(text) if text is not None and _INTEGER.fullmatch(text) else 0


def accept(
    candidate: Candidate,
    source: Source,
    areas: Container[str],
    received_at: datetime,
    digest_key: bytes,
) -> Submission:
    """Check one event of a registered source and make it ready for the log.

    ``areas`` are the dotted codes of the source's region that are in the
    register: the kecamatan and all below them.

    Raises:
        EventRefused: the event cannot be kept; the leaf says why.
    """
    if candidate.problem is not None:
        raise candidate.problem
    attributes = candidate.attributes
    if None in attributes.values():
        attributes = {name: value for name, value in attributes.items() if value is not None}
    event_id = identifier(attributes, "id")
    event_type = identifier(attributes, "type")
    plain = _is_plain(attributes)
    _check_attributes(attributes, plain=plain)
    subject = identifier(attributes, "subject") if "subject" in attributes else None
    time = _event_time(attributes.get("time"), received_at)
    if not candidate.exact:
        check_numbers(candidate.data, field=candidate.data_member)
    meaning = meaning_of(event_type, source.family)
    if meaning is not None:
        _check_case_event(candidate, subject, source, areas)
    known = meaning is not None or is_known_type(event_type, source.family)
    return Submission(
        region=source.region,
        source=source.urn,
        id=event_id,
        type=event_type,
        app=source.app,
        subject=subject,
        time=time,
        sequence=_text_form(attributes["sequence"]) if "sequence" in attributes else None,
        test=_test_flag(attributes.get("test")),
        digest=_digest(attributes, candidate, digest_key, plain=plain),
        envelope=_envelope(candidate, attributes, known=known, plain=plain),
    )


def content_digest(candidate: Candidate, key: bytes) -> bytes:
    """Return the keyed digest of an event's content, of 16 bytes.

    Content is attributes and data as sent, before masking, in one deterministic
    form, so that the same event has one digest in all three modes. Keyed,
    because the plain digest of a NIK can be guessed by trying them all.
    """
    attributes = candidate.attributes
    return _digest(attributes, candidate, key, plain=_is_plain(attributes))


def _digest(
    attributes: Mapping[str, Any], candidate: Candidate, key: bytes, *, plain: bool
) -> bytes:
    content = attributes
    if not plain:
        content = {
            name: _text_form(value)
            for name, value in content.items()
            if value is not None and name not in TRANSPORT_ATTRIBUTES
        }
    if _is_plain_json(content.get("datacontenttype")):
        content = {**content}
        del content["datacontenttype"]
    form: list[Any] = [content]
    if candidate.data is not MISSING:
        form += [candidate.data_member, candidate.data]
    return hashlib.blake2b(encode_sorted(form), key=key, digest_size=16).digest()


def _is_plain(attributes: Mapping[str, Any]) -> bool:
    """Say whether an event has nothing but the attributes of most, all of them text."""
    return attributes.keys() <= _PLAIN and {str}.issuperset(map(type, attributes.values()))


def _text_form(value: Any) -> str:
    """Write an attribute as the binary mode would (CloudEvents 1.0, section 3.1)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else encode_sorted(value).decode()


def _is_plain_json(media_type: Any) -> bool:
    return media_type == "application/json" or (
        isinstance(media_type, str)
        and _PLAIN_JSON.fullmatch(media_type.lower().replace(" ", "")) is not None
    )


def _check_attributes(attributes: Mapping[str, Any], *, plain: bool) -> None:
    if attributes.get("specversion") != "1.0":
        raise InvalidAttribute("specversion must be 1.0", field="specversion")
    if plain:
        sizes = [*map(len, attributes.values())]
        if min(sizes) > 0 and max(sizes) <= MAX_SUMMARY:
            return
    for name, value in attributes.items():
        if name not in _WELL_KNOWN:
            _check_name(name)
        if type(value) is not str:
            _check_value(value)
        elif len(value) > MAX_SUMMARY:
            raise InvalidAttribute(f"attributes have at most {MAX_SUMMARY} characters")
    _check_well_known(attributes)


def _check_name(name: str) -> None:
    if not _ATTRIBUTE_NAME.fullmatch(name):
        # The name itself is the sender's text, so it is not repeated.
        raise InvalidAttribute("attribute names are lower-case letters and digits")
    if name in FEED_MEMBERS:
        raise InvalidAttribute(f"{name} is a name that the event feed uses", field=name)


def _check_value(value: Any) -> None:
    if not isinstance(value, int):
        raise InvalidAttribute("attributes are text, integers or booleans")
    if not -(2**31) <= value < 2**31:
        raise InvalidAttribute("integer attributes have 32 bits")


def _check_well_known(attributes: Mapping[str, Any]) -> None:
    for name in ("datacontenttype", "dataschema", "correlationid"):
        if name in attributes and not (isinstance(attributes[name], str) and attributes[name]):
            raise InvalidAttribute(f"{name} must be text", field=name)
    sequence = attributes.get("sequence")
    if sequence is not None and (isinstance(sequence, bool) or len(_text_form(sequence)) > 256):
        raise InvalidAttribute("sequence must be text of at most 256 characters", field="sequence")
    recorded = attributes.get("recordedtime")
    if recorded is not None:
        _instant(recorded, "recordedtime")
    if is_restricted(attributes):
        raise ClassificationRefused(
            "only public and internal data may be sent here", field="dataclassification"
        )


def is_restricted(attributes: Mapping[str, Any]) -> bool:
    """Say whether an event is classified as what may not be here, or as something unknown."""
    return attributes.get("dataclassification") not in (None, *CLASSIFICATIONS)


def _test_flag(value: Any) -> bool:
    if value is None or value is False or value == "false":
        return False
    if value is True or value == "true":
        return True
    raise InvalidAttribute("test must be true or false", field="test")


def _instant(value: Any, field: str) -> datetime:
    try:
        return parse_instant(value)
    except (TypeError, ValueError):
        raise InvalidAttribute("not an RFC 3339 timestamp with an offset", field=field) from None


def _event_time(value: Any, received_at: datetime) -> datetime:
    if value is None:
        return received_at
    time = _instant(value, "time")
    if not EARLIEST <= time <= received_at + FURTHEST_AHEAD:
        raise TimeOutOfRange("time must lie between 2000 and 24 hours from now", field="time")
    return time


def _check_case_event(
    candidate: Candidate, subject: str | None, source: Source, areas: Container[str]
) -> None:
    if subject is None:
        raise InvalidAttribute("an event of a case needs its case id as subject", field="subject")
    if candidate.data is MISSING:
        return
    if candidate.data_member != "data" or not isinstance(candidate.data, Mapping):
        raise InvalidData("data must be a JSON object", field="data")
    check_fields(candidate.data)
    check_area(candidate.data.get("area"), source.region, areas)


def _envelope(
    candidate: Candidate, attributes: Mapping[str, Any], *, known: bool, plain: bool
) -> str:
    """Write the masked event as JSON, its members in the order they were sent."""
    strange = not plain and not attributes.keys() <= IDENTIFIER_ATTRIBUTES
    text = encode(mask_attributes(attributes) if strange else attributes).decode()
    if candidate.data is MISSING:
        return text
    encoded = encode(candidate.data)
    if len(encoded) > MAX_DATA_BYTES:
        raise DataTooLarge("data is longer than 64 KiB", field=candidate.data_member)
    data = encoded.decode()
    if candidate.data_member == "data" and may_hold_personal_data(data):
        masked = mask_data(candidate.data, known=known)
        if masked != candidate.data:
            data = encode(masked).decode()
    return f'{text[:-1]},"{candidate.data_member}":{data}}}'
