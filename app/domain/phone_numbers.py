"""Which groups of digits are a telephone number, as Indonesians write them.

By their digits alone many other numbers would be one too: numbers of letters,
dates and amounts. These are told by how their groups are set apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: The most digits of a number with its prefix: 0062, a zero and twelve.
MOST_DIGITS = 17

#: National numbers of mobile telephones have 9 to 12 digits, without the zero.
_MOBILE = re.compile(r"((?:0062|62)0?|0)8[1-9][0-9]{7,10}")
#: As many without a zero could be anything; these begin as an operator's do.
_BARE = re.compile(r"8(?:1[1-9]|2[1-3]|3[1-38]|5[1-35-9]|7[78]|8[1-9]|9[5-9])[0-9]{7,9}")
_AREA = (
    r"2[124]|31|61|2[356789][0-9]|3[2-9][0-9]|4[0-9]{2}|5[1-7][0-9]|6[2-5][0-9]|7[0-9]{2}|9[0-9]{2}"
)
_LANDLINE = re.compile(rf"((?:0062|62)0?|0)({_AREA})[2-9][0-9]{{4,7}}")
_FOREIGN = re.compile(r"(?!62)[1-9][0-9]{9,14}")


def is_phone(groups: Sequence[str], signs: Sequence[str], *, plus: bool, labelled: bool) -> bool:
    """Say whether groups of digits are one telephone number.

    Args:
        groups: the digits, as they stand together.
        signs: what parts each from the next, without spaces and brackets.
        plus: a plus stands before.
        labelled: what stands before says that it is one.

    >>> is_phone(["0812", "3456", "7890"], ["-", "-"], plus=False, labelled=False)
    True
    >>> is_phone(["081", "1234", "2025"], ["/", "/"], plus=False, labelled=False)
    False
    """
    if "\n" in signs or (len(signs) > 1 and _is_letters_number(groups, signs)):
        return False
    digits = "".join(groups)
    if mobile := _MOBILE.fullmatch(digits):
        return _is_mobile(groups, signs, len(mobile[1]), labelled=labelled)
    if landline := _LANDLINE.fullmatch(digits):
        prefix, area = landline.groups()
        if prefix != "0" and not (plus or labelled):
            return False
        return _is_landline(groups, signs, len(prefix), len(area), labelled=labelled)
    if plus:
        return bool(_FOREIGN.fullmatch(digits)) and _is_foreign(groups, signs)
    return labelled and bool(_BARE.fullmatch(digits)) and _is_bare(groups, signs)


def _is_letters_number(groups: Sequence[str], signs: Sequence[str]) -> bool:
    """Say whether it is rather the number of a letter: 081/1234/2025, 027/1287/35.73/2022."""
    if "/" not in signs:
        return False
    year = len(groups[-1]) == 4 and "1990" <= groups[-1] <= "2049"
    return year or len(groups[0]) < 4 or len(set(signs)) > 1


def _is_mobile(groups: Sequence[str], signs: Sequence[str], prefix: int, *, labelled: bool) -> bool:
    sizes = [len(group) for group in groups]
    if len(sizes) == 1:
        return True
    fraction = sizes[0] == 1 and signs[0] == "."  # 0.812…
    amount = prefix == 2 and _is_amount(groups, signs) and not labelled  # 62.812.345.678
    # A first group that is whole needs no second, which is then something else.
    if fraction or amount or (sizes[0] >= 10 and signs[0] == ""):
        return False
    alike = len(set(signs)) == 1
    if max(sizes) <= 2:
        return alike
    return labelled or _is_usual(_without(sizes, prefix), groups[0], signs[-1], alike=alike)


def _is_usual(sizes: Sequence[int], head: str, sign: str, *, alike: bool) -> bool:
    """Say whether groups of these sizes are one mobile number, even with nothing that says so."""
    inner, last = sizes[1:-1], sizes[-1]
    if all(size >= 3 for size in inner):
        # The last group has what the others left: 0812-345-678-90.
        return len(sizes) == 1 or last >= 3 or (alike and (sign != "" or set(inner) == {3}))
    return alike and sign == "-" and len(head) >= 4


def _is_landline(
    groups: Sequence[str], signs: Sequence[str], prefix: int, area: int, *, labelled: bool
) -> bool:
    sizes = [len(group) for group in groups]
    if "/" in signs and not labelled:
        return False
    if sizes[0] != prefix + area and not labelled and (prefix == 1 or sizes[0] != prefix):
        return False  # 0215551234 could be the number of anything
    return len(sizes) <= 5 and all(size >= 2 for size in sizes[1:])


def _is_foreign(groups: Sequence[str], signs: Sequence[str]) -> bool:
    return "." not in signs and all(len(group) > 1 for group in groups[1:])


def _is_bare(groups: Sequence[str], signs: Sequence[str]) -> bool:
    if len(groups) == 1:
        return True
    rest = [len(group) for group in groups[1:]]
    return len(groups[0]) == 3 and min(rest) >= 3 and max(rest) > 3 and len(set(signs)) == 1


def _is_amount(groups: Sequence[str], signs: Sequence[str]) -> bool:
    return set(signs) == {"."} and all(len(group) == 3 for group in groups[1:])


def _without(sizes: list[int], prefix: int) -> list[int]:
    """Return the sizes of groups without those which hold nothing but the prefix."""
    while prefix > 0 and prefix >= sizes[0]:
        prefix -= sizes[0]
        sizes = sizes[1:]
    return sizes
