"""What of free text is masked, wherever in it it stands."""

from __future__ import annotations

import time

import pytest

from app.domain.privacy import mask_data, mask_text

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


@pytest.mark.parametrize("unit", ["%40", "08 ", "1-", "a.", "+62", "@", "0812"])
def test_a_text_made_to_harm_costs_no_more_than_its_length(unit: str) -> None:
    def cost(size: int) -> float:
        text = (unit * (size // len(unit)) + "@")[-size:]
        begun = time.process_time()
        mask_text(text)
        return time.process_time() - begun

    cost(1_000)
    # Eight times the text: with the square of it, it would be 64 times the work.
    assert cost(32_000) < 24 * max(cost(4_000), 0.001)


def test_identifiers_stay_and_free_text_in_their_place_does_not() -> None:
    data = {
        "service": "081234567890",
        "agency": "Dinas PU, 081234567890 " * 20,
        "location": {"lat": 1.5, "catatan": "081234567890"},
    }
    assert mask_data(data, known=True) == {
        "service": "081234567890",
        "agency": "Dinas PU, [PHONE] " * 20,
        "location": {"lat": 1.5, "catatan": "[PHONE]"},
    }
