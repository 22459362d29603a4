"""What of free text is masked, wherever in it it stands."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.privacy import (
    IDENTIFIER_ATTRIBUTES,
    mask_attributes,
    mask_data,
    mask_text,
    may_hold_personal_data,
)
from app.domain.strict_json import encode

FILLER = "Jalan rusak di depan pasar. "
SECRETS = {
    "3671012501900001": "[NIK]",
    "0812 3456 7890": "[PHONE]",
    "081234567890": "[PHONE]",
    "budi.santoso@example.com": "[EMAIL]",
    "budi@gmail.com": "[EMAIL]",
}


@pytest.mark.parametrize(("secret", "mask"), SECRETS.items(), ids=SECRETS.keys())
def test_it_is_found_at_every_place_of_a_long_text(secret: str, mask: str) -> None:
    filler = FILLER * 60
    for at in range(380, 540):
        before, after = filler[:at], filler[at:]
        text = f"{before} {secret}, {after}"
        assert mask_text(text) == f"{before} {mask}, {after}", at


def test_many_are_found_in_one_text() -> None:
    text = "; ".join(list(SECRETS) * 100)
    assert mask_text(text) == "; ".join(list(SECRETS.values()) * 100)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("NIK:3671012501900001, KK 3671012501900002", "NIK:[NIK], KK [KK]"),
        ("NIK3671012501900001jalan", "NIK[NIK]jalan"),
        ("NIK 1234567890123456", "NIK [NIK]"),
        ("nomor 1234567890123456", "nomor 1234567890123456"),
        ("(+62) 812-3456-7890 2 orang", "[PHONE] 2 orang"),
        ("0812-3456-7890/021-5551234", "[PHONE]/[PHONE]"),
        ("081234567890\n2 orang", "[PHONE]\n2 orang"),
        ("telp 0215551234, meter 0215551234", "telp [PHONE], meter 0215551234"),
        ("WA 812 3456 7890, 812 3456 7890", "WA [PHONE], 812 3456 7890"),
        ("+1 415 555 2671", "[PHONE]"),
        ("INV-081234567890", "INV-081234567890"),
        ("a1b0812345678", "a1b0812345678"),
        ("<Budi.S+x@surat.contoh.id>-nya", "<[EMAIL]>-nya"),
        ("budi@contoh.id-nya", "[EMAIL]-nya"),
        ("1@a.id2@a.id", "[EMAIL][EMAIL]"),
        ("budi(at)gmail[dot]com", "[EMAIL]"),
        ("0\u200b812\u00a03456\u20117890!", "[PHONE]!"),
    ],
)
def test_a_number_is_taken_whole_and_alone(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    "unit",
    [
        *("%40", "08 ", "1-", "a.", "+62", "@", "0812", "1", "(0", "3671 ", "0 8 1 2 ", "telp 08 "),
        *("x [at] a.", "a@b.", " @ a", "ada1", "0a", "Rp1.", "-1.2345 ", "\u200b1", "一", "１"),
    ],
)
def test_a_text_made_to_harm_costs_no_more_than_its_length(unit: str) -> None:
    def cost(size: int) -> float:
        text = (unit * (size // len(unit)) + "@")[-size:]
        begun = time.process_time()
        mask_text(text)
        return time.process_time() - begun

    cost(1_000)
    # Eight times the text: with the square of it, it would be 64 times the work.
    assert cost(32_000) < 24 * max(cost(4_000), 0.001)


def test_identifiers_stay_and_free_text_does_not() -> None:
    data = {
        "service": "Aduan 081234567890",
        "agency": "Dinas PU, 081234567890 " * 20,
        "area": "36.71.05.1001",
        "due_at": "2025-01-14T08:30:00.123456+07:00",
        "duplicate_of": "081234567890",
        "fee_idr": 81234567891,
        "location": {"lat": 1.5, "catatan": "081234567890"},
    }
    assert mask_data(data, known=True) == data | {
        "agency": "Dinas PU, [PHONE] " * 20,
        "location": {"lat": 1.5, "catatan": "[PHONE]"},
    }


# --- properties --------------------------------------------------------------------------

_PIECES = st.sampled_from(
    [
        *("3671012501900001", "3671", "0125", "0190", "0001", "36", "71", "01", "25"),
        *("0812", "3456", "7890", "081234567890", "62", "+62", "0062", "021", "5551234", "8123"),
        *(" ", " ", "-", "-", ".", "/", "(", ")", ", ", "\n", "_", ":", "\u200b", "\u00a0", "–"),
        *("NIK", "KK ", "hp", "telp ", "INV", "Rp", "a", "Z", "é", "😀", "[NIK]", "[PHONE]", "]"),
        *("budi@contoh.id", "@", "%40", "[at]", "contoh", "com", "2025-01-12", "0", "8", "1", "٣"),
    ]
)
_TEXTS = st.one_of(st.text(max_size=80), st.lists(_PIECES, max_size=24).map("".join))
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(_TEXTS, st.integers(-(2**53), 2**53), st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["nik", "hp", "x"]), inner)
    ),
    max_leaves=6,
)


@given(_TEXTS)
def test_what_is_masked_is_masked_for_good(text: str) -> None:
    masked = mask_text(text)
    assert mask_text(masked) == masked


@given(st.text(st.characters(exclude_categories=["Nd", "No", "Nl"], exclude_characters="@＠﹫")))
def test_text_without_digits_and_addresses_stays(text: str) -> None:
    text = re.sub(r"(?i)[\[(]\s*at", "", text)
    assert mask_text(text) == text


@given(_TEXTS)
def test_nothing_changes_outside_the_masks(text: str) -> None:
    at = 0
    pieces = re.split(r"\[(?:NIK|KK|PHONE|EMAIL)\]", mask_text(text))
    assert text.startswith(pieces[0])
    assert text.endswith(pieces[-1])
    for piece in pieces:
        at = text.index(piece, at) + len(piece)


@given(_VALUES)
def test_the_quick_look_misses_nothing(value: Any) -> None:
    if mask_data(value, known=False) != value:
        assert may_hold_personal_data(encode(value).decode())


@given(st.dictionaries(st.sampled_from(sorted(IDENTIFIER_ATTRIBUTES)), _TEXTS))
def test_identifier_attributes_stay(attributes: dict[str, str]) -> None:
    assert mask_attributes(attributes) == attributes


@given(_TEXTS)
def test_a_case_that_another_repeats_keeps_its_name(text: str) -> None:
    assert mask_data({"duplicate_of": text}, known=True) == {"duplicate_of": text}
