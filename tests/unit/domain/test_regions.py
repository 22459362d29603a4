"""Region codes and source names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidParameter
from app.domain.regions import REGION_CODE, parse_region_code, parse_source
from app.services.register import APPS, TENANTS, timezone_of


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "367",
        "36.7",
        "36.71.",
        "36.71.1",
        "36.71.01.4001",
        "٣٦",
        "36,71",
        "36.71\n",
        " 36",
        "36.71.01.10030",
        "3671011",
    ],
)
def test_what_is_no_region_code(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_region_code(text)


@given(st.from_regex(REGION_CODE, fullmatch=True))
def test_codes_are_read_with_and_without_dots(code: str) -> None:
    assert parse_region_code(code) == code
    assert parse_region_code(code.replace(".", "")) == code


@pytest.mark.parametrize(
    "text",
    [
        "urn:pemda:36.71",
        "urn:pemda:36:laksa",
        "urn:pemda:36.71.01:laksa",
        "urn:pemda:36.71:LAKSA",
        "urn:pemda:36.71:laksa:",
        "urn:pemda:36.71:laksa:a:b",
        "URN:pemda:36.71:laksa",
        "urn:other:36.71:laksa",
        "urn:pemda:36.71:lak sa",
    ],
)
def test_what_is_no_source(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_source(text)


def test_a_source_is_named_with_a_dotted_region() -> None:
    assert parse_source("urn:pemda:3671:laksa").urn == "urn:pemda:36.71:laksa"


def test_the_zones_of_the_check_table() -> None:
    assert {timezone_of(code) for code in TENANTS} == {"Asia/Jakarta"}
    assert timezone_of("72.02") == "Asia/Makassar"
    assert timezone_of("91.71") == "Asia/Jayapura"


def test_the_seed_is_what_is_documented() -> None:
    assert len(TENANTS) == 8
    assert sum(role == "host" for role, _, _ in TENANTS.values()) == 1
    assert set(APPS) == {"laksa", "perizinan", "siapkerja"}
    assert not TENANTS.keys() & {"33.76", "32.75", "36.74"}
