"""JSON in the strict sense."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import MalformedJson
from app.domain.strict_json import MAX_DEPTH, check_depth, dumps, loads


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half an object"),
        pytest.param(b"{} {}", id="two values"),
        pytest.param(b"\xef\xbb\xbf{}", id="a byte order mark"),
        pytest.param(b'{"a": NaN}', id="NaN"),
        pytest.param(b'{"a": -Infinity}', id="Infinity"),
        pytest.param(b'{"a": 1, "a": 2}', id="a member twice"),
        pytest.param(b'{"a": {"b": 1, "b": 1}}', id="an inner member twice"),
        pytest.param(b'{"a": "\\ud800"}', id="a lone surrogate"),
        pytest.param(b'{"\\udfff": 1}', id="a lone surrogate as a name"),
        pytest.param(b'["\\u0000"]', id="U+0000"),
        pytest.param(b'["\x00"]', id="a raw NUL"),
        pytest.param(b'["\x1f"]', id="a raw control character"),
        pytest.param(b'["\xff"]', id="no UTF-8"),
        pytest.param(b"[" * 100_000, id="a hundred thousand brackets"),
        pytest.param(b'{"a":' * 50_000 + b"1" + b"}" * 50_000, id="deep objects"),
        pytest.param(b"[" + b"9" * 5_000 + b"]", id="a number of 5000 digits"),
        pytest.param(b"{'a': 1}", id="single quotes"),
        pytest.param(b"[1,]", id="a trailing comma"),
    ],
)
def test_what_is_not_strict_json(raw: bytes) -> None:
    with pytest.raises(MalformedJson):
        check_depth(loads(raw))


def test_surrogate_pairs_are_characters() -> None:
    assert loads(b'["\\ud83d\\ude00"]') == ["😀"]


@pytest.mark.parametrize(("depth", "fine"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_depth(depth: int, fine: bool) -> None:
    value = loads(b"[" * depth + b"]" * depth)
    if fine:
        check_depth(value)
    else:
        with pytest.raises(MalformedJson):
            check_depth(value)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet="abc"), inner),
    )
)
def test_what_json_writes_is_read_back(value: object) -> None:
    assert loads(json.dumps(value).encode()) == value
    assert loads(dumps(value).encode()) == value
