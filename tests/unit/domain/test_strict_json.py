"""JSON in the strict sense."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import MalformedJson
from app.domain.strict_json import MAX_DEPTH, check_depth, check_numbers, dumps, loads, read


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
    with pytest.raises(MalformedJson):
        read(raw)


def test_surrogate_pairs_are_characters() -> None:
    assert loads(b'["\\ud83d\\ude00"]') == ["😀"]


@pytest.mark.parametrize(("depth", "fine"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_depth(depth: int, fine: bool) -> None:
    raw = b"[" * depth + b"]" * depth
    if fine:
        check_depth(loads(raw))
        assert read(raw) == (loads(raw), True)
    else:
        with pytest.raises(MalformedJson):
            check_depth(loads(raw))
        with pytest.raises(MalformedJson):
            read(raw)


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
    assert read(json.dumps(value, indent=1).encode())[0] == value
    assert read(dumps(value).encode())[0] == value


#: Of which texts are made that nearly are JSON, or are JSON in a strange way.
_PIECES = [
    *(
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        '"a"',
        '"b"',
        '"a":',
        '"a" :',
        '"a\\":"',
        '"\\u0061":',
    ),
    *(
        "1",
        "-0",
        "1.5",
        "1e400",
        "9007199254740993",
        "1" * 25,
        "1" * 25 + ".5",
        "1e22",
        "true",
        "null",
    ),
    *('"\\":"', '"\\u0000"', '"\\ud800"', '"\\ud83d\\ude00"', '":', '"', '"x\\\\":', '{"a":1,'),
]


@given(st.lists(st.sampled_from(_PIECES), max_size=12).map("".join))
def test_the_quick_way_reads_what_the_strict_one_reads(text: str) -> None:
    raw = text.encode()
    try:
        expected = loads(raw)
        check_depth(expected)
    except MalformedJson:
        with pytest.raises(MalformedJson):
            read(raw)
        return
    value, exact = read(raw)
    assert repr(value) == repr(expected)
    if exact:
        check_numbers(value, field="data")


@pytest.mark.parametrize(
    ("raw", "exact"),
    [
        (b'{"a":{"b":[1,2.5,null]},"c":"d"}', True),
        (b'{"a": "b", "c": "d"}', True),
        (b'{"a" : 1}', False),
        (b'{"a":"x\\":y"}', False),
        (b'{"a":9007199254740993}', False),
        (b'{"a":1e300}', False),
    ],
)
def test_what_the_quick_way_is_certain_of(raw: bytes, exact: bool) -> None:
    assert read(raw) == (loads(raw), exact)
