"""JSON in the strict sense of the contract: what I-JSON allows and no more.

No fast parser sees a member that comes twice: the standard one does, with a
hook. But every member stands before a colon; so where a text has as many of
these as the value that a fast parser made of it has members, none was lost.
``read`` takes that way and leaves to the standard parser
every text of which this says nothing or that is wrong.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from typing import Any, NoReturn

import orjson

from app.domain.errors import InvalidData, MalformedJson

#: Deeper documents are refused: nothing in the contract nests further, and a
#: reader of ours or of a partner may be recursive.
MAX_DEPTH = 32

#: The largest integer that every JSON reader keeps exact (RFC 7493 section 2.2).
MAX_INTEGER = 2**53 - 1

_CONTAINERS = (dict, list)
#: A name whose colon stands apart, or a text that looks so.
_COLON_APART = re.compile(rb'"[ \t\r\n]+:')
_SURROGATES = ("\ud800", "\udfff")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedJson("an object has the same member twice")
    return members


def _no_constant(_: str) -> NoReturn:
    raise MalformedJson("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_no_constant)


def loads(raw: bytes) -> Any:
    """Return the value that ``raw`` holds.

    Raises:
        MalformedJson: not UTF-8, a byte order mark, not JSON, NaN or Infinity,
            a member twice, a lone surrogate, U+0000, or nested too deep to read.
    """
    if raw.startswith(b"\xef\xbb\xbf"):
        raise MalformedJson("the body begins with a byte order mark")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedJson("the body is not UTF-8") from None
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise MalformedJson(f"the body nests deeper than {MAX_DEPTH}") from None
    except ValueError:
        # Also a number of thousands of digits, which int() refuses to read.
        raise MalformedJson("the body is not JSON") from None
    # Raw UTF-8 cannot hold a surrogate and raw NUL is no JSON: only escapes can.
    if "\\u" in text:
        _check_strings(value)
    return value


def read(raw: bytes, depth: int = MAX_DEPTH) -> tuple[Any, bool]:
    """Return the value that ``raw`` holds, and whether its numbers are known to be exact.

    Raises:
        MalformedJson: as ``loads`` does, or it nests deeper than ``depth``.
    """
    with contextlib.suppress(orjson.JSONDecodeError):
        value = orjson.loads(raw)
        if _is_certain(raw, value, depth):
            return value, True
    value = loads(raw)
    check_depth(value, depth)
    return value, False


def _is_certain(raw: bytes, value: Any, depth: int) -> bool:
    """Say whether a value is surely what the text holds, in numbers that are exact.

    Texts may hold a colon after a quotation mark, too: then there are more of
    them than members. That there are fewer cannot be, once no colon stands apart.
    """
    if b"\\u0000" in raw or _COLON_APART.search(raw):
        return False
    members, level = 0, [value]
    while level:
        below: list[Any] = []
        containers = False
        for outer in level:
            kind = type(outer)
            if kind is dict or kind is list:
                containers = True
                members += len(outer) if kind is dict else 0
                inside = outer.values() if kind is dict else outer
                below += [inner for inner in inside if type(inner) is not str]
            elif (kind is int or kind is float) and not -MAX_INTEGER <= outer <= MAX_INTEGER:
                return False  # too large, perhaps cut by this parser
        if containers and depth == 0:
            return False
        depth -= 1
        level = below
    return members == raw.count(b'":')


def check_text(text: str) -> None:
    """Raise MalformedJson where PostgreSQL or UTF-8 could not keep the text."""
    if "\x00" in text:
        raise MalformedJson("U+0000 is not allowed")
    if any(_SURROGATES[0] <= character <= _SURROGATES[1] for character in text):
        raise MalformedJson("a lone surrogate is not allowed")


def _check_strings(root: Any) -> None:
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            check_text(value)
        elif isinstance(value, dict):
            waiting.extend(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def check_depth(root: Any, limit: int = MAX_DEPTH) -> None:
    """Raise MalformedJson where containers nest deeper than ``limit``."""
    level = [root] if isinstance(root, _CONTAINERS) else []
    depth = 0
    while level:
        depth += 1
        if depth > limit:
            raise MalformedJson(f"the body nests deeper than {MAX_DEPTH}")
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, _CONTAINERS)
        ]


def check_numbers(root: Any, *, field: str) -> None:
    """Raise InvalidData where a number would change on its way through JSON readers."""
    waiting = [root]
    for value in waiting:  # which grows meanwhile
        if isinstance(value, dict):
            waiting.extend([inner for inner in value.values() if type(inner) is not str])
        elif isinstance(value, list):
            waiting.extend([inner for inner in value if type(inner) is not str])
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise InvalidData("a number is too large for JSON", field=field)
        elif isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise InvalidData("an integer is too large to stay exact", field=field)


# Made once: json.dumps with options makes an encoder for every call.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_SORTED_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def dumps(value: Any) -> str:
    """Write a value compactly, in its own order.

    Raises:
        ValueError: a number in it is none that JSON can hold.
    """
    return _ENCODER.encode(value)


def encode(value: Any) -> bytes:
    """Write a value compactly, in its own order; its numbers must have been checked.

    A tenth of the time of ``dumps``, which an event has twice and a wall's frame once.
    """
    return orjson.dumps(value)


def encode_sorted(value: Any) -> bytes:
    """Write a value in one deterministic form: members by name, no white space.

    >>> encode_sorted({"b": "x", "a": [1.5, None]}), encode_sorted({"n": 2**64})
    (b'{"a":[1.5,null],"b":"x"}', b'{"n":18446744073709551616}')
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer of more than 64 bits, in an event that is refused for it
        return _SORTED_ENCODER.encode(value).encode()


def dumps_sorted(value: Any) -> str:
    """Write a value as ``encode_sorted`` does, as text."""
    return encode_sorted(value).decode()
