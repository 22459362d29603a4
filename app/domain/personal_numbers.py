"""Numbers of persons in plain text: NIK and KK, and numbers of telephones.

Digits that stand close together are a *run* of *groups*. A number begins where
a group begins and ends where one ends; which groups make one number is decided
by their digits first, then by how they are set apart. A search looks no further
than sixteen groups, so that the time of all is that of the text's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from app.domain.phone_numbers import MOST_DIGITS, is_phone

#: What may stand between two groups of one number: up to three of these.
BETWEEN = r"[-\s./_()]"
_RUN = re.compile(rf"[0-9]++(?:{BETWEEN}{{1,3}}+[0-9]++)*+")
_GROUP = re.compile(r"[0-9]+")
#: Of the shortest number, that of a telephone with a wire: 021 555123.
LEAST_DIGITS = 9

#: Numbers that are something else by their form alone, though a part could be a person's.
_OTHERWISE = re.compile(
    r"""
      # Dates.
      (?<![0-9])(?<![0-9][-/.])[0-9]{1,2}([-/.])[0-9]{1,2}\1(?:19|20)[0-9]{2}(?![-/.]?[0-9])
    | (?<![0-9])(?<![0-9][-/.])(?:19|20)[0-9]{2}([-/.])[0-9]{2}\2[0-9]{2}(?![-/.]?[0-9])
      # An NPWP; a kelurahan or desa.
    | (?<![0-9])[0-9]{2}\.[0-9]{3}\.[0-9]{3}\.[0-9]-[0-9]{3}\.[0-9]{3}(?![0-9])
    | (?<![0-9])(?<![0-9]\.)[0-9]{2}\.[0-9]{2}\.[0-9]{2}\.[0-9]{4}(?![-/.]?[0-9])
      # Money.
    | (?<![A-Za-z])(?:[Rr][Pp]|IDR)\.?\ ?[0-9][0-9.,]*+
      # Degrees, of which a program writes all decimals that it has.
    | (?<![0-9.])(?!0[0-9]|62\.8)[0-9]{1,3}\.[0-9]{4,9}(?![-./]?[0-9])
    | (?<![0-9])-[0-9]{1,3}\.[0-9]{4,17}(?![-./]?[0-9])
      # A UUID; a digest, which has letters in two places at least.
    | (?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])
    | (?<![0-9A-Za-z])(?=[0-9]*+[A-Fa-f]++[0-9]++[A-Fa-f])[0-9A-Fa-f]{16,}+(?![0-9A-Za-z])
    """,
    re.VERBOSE,
)

#: Characters before a number that may say what it is.
_HEARD = 40
_NIK_LABEL = re.compile(
    r"(?:(?<![a-z])(?:no)?(?:nik|ktp)|induk.?kependudukan)(?![a-z])[^0-9]{0,25}$"
)
_KK_LABEL = re.compile(r"(?:(?<![a-z])(?:no)?kk|kartu.?keluarga)(?![a-z])[^0-9]{0,25}$")
_PHONE_LABEL = re.compile(
    r"(?:(?<![a-z])(?:no)?(?:hp|wa|tel|tlp|sms|call|hub|cp|fax|faks|rumah|kantor|kontak|contact)"
    r"|phone|ponsel|telp|telepon|telpon|whatsapp|handphone|hape|seluler|mobile|hubungi)"
    r"(?:nya|number)?(?![a-z])[^0-9]{0,25}$"
)
_PHONE_HEAD = re.compile(r"0[2-9]|0062|62|8")
#: A word that is joined to the number of a thing: INV-0812…, not to a person's.
_CODE = re.compile(
    r"(?<![a-z])(?:inv|invoice|trx|tx|ord|order|ref|tkt|tiket|ticket|po|so|do|sku|sn|va|reg|resi"
    r"|sk|spk)[-/_]?$"
)
_DIGIT_IN_WORD = re.compile(r"[0-9][A-Za-z]+$")
_LEAD = re.compile(r"\(?\+ ?$|\($")

_PROVINCE = re.compile(r"1[1-9]|21|3[1-6]|5[1-3]|6[1-5]|7[1-6]|8[12]|9[1-7]")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Found(NamedTuple):
    """Something of a person: where it is in the text, and of which kind."""

    start: int
    end: int
    kind: str


def is_nik(digits: str) -> bool:
    """Say whether sixteen digits are built as a NIK: area, date of birth, serial.

    The day of women is counted from 41. A KK is built alike.

    >>> is_nik("3671016501900001"), is_nik("3671013213900001")
    (True, False)
    """
    if not _PROVINCE.match(digits) or "00" in {digits[2:4], digits[4:6]} or digits[12:] == "0000":
        return False
    day, month, year = int(digits[6:8]), int(digits[8:10]), int(digits[10:12])
    day -= 40 if day > 40 else 0
    if not (1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]):
        return False
    return (day, month) != (29, 2) or year % 4 == 0


def _is_of_a_regency(nik: str) -> bool:
    """Say whether its area is numbered as those are which exist: 01 to 39, cities 71 to 79."""
    return "01" <= nik[2:4] <= "39" or "71" <= nik[2:4] <= "79"


def numbers(text: str, label: str = "") -> Iterator[Found]:
    """Find the numbers of persons in plain text, in order, none within another.

    ``label`` is the name of the field that holds the text; what it says of the
    number counts as if it stood before the text.
    """
    text = _OTHERWISE.sub(lambda other: ";" * len(other[0]), text)
    after = 0
    for run in _RUN.finditer(text):
        if run.end() - run.start() < LEAST_DIGITS:
            continue
        for found in _Run(text, run, label, after).found():
            yield found
            after = found.end


class _Run:
    """Groups of digits, and what stands before and between them."""

    def __init__(self, text: str, run: re.Match[str], label: str, after: int) -> None:
        spans = [group.span() for group in _GROUP.finditer(text, *run.span())]
        self._text = text
        self._label = label
        #: The end of the last number found, and the start of the first group after it.
        self._after = after
        self._begin = run.start()
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]
        self._groups = [text[start:end] for start, end in spans]
        # What parts each group from the next, without spaces and brackets.
        self._signs = [
            text[end:start].strip(" \t\r()")
            for end, start in zip(self._ends, self._starts[1:], strict=False)
        ]

    def found(self) -> Iterator[Found]:
        """Find the numbers in it, in order."""
        at = 0
        while at < len(self._groups):
            found = self._nik(at) or self._phone(at)
            if found is None:
                at += 1
                continue
            last, kind = found
            start, end = self._starts[at], self._ends[last]
            if kind == "PHONE":
                start, end = self._with_signs(start, end)
            yield Found(start, end, kind)
            at = last + 1
            self._after = end
            self._begin = self._starts[at] if at < len(self._starts) else end

    def _before(self, at: int) -> str:
        """Return what is said before a group, back to the number or the mask before it."""
        start = self._starts[at]
        heard = self._text[max(self._after, start - _HEARD) : start].lower()
        if self._after == 0 and start < _HEARD and "]" not in heard:
            heard = f"{self._label.lower()}: {heard}"
        # Where there are only digits and signs, nothing is said; it spares all searches in it.
        return heard.rpartition("]")[2] if heard.islower() else ""

    def _is_joined(self, at: int) -> bool:
        """Say whether a group is joined to the group before it, and that is in no number."""
        if self._starts[at] == self._begin:
            return False
        return not self._text[self._ends[at - 1] : self._starts[at]].strip("-/._")

    def _nik(self, first: int) -> tuple[int, str] | None:
        """Return the last group of the NIK or KK that begins with this group, and its kind."""
        size, last = 0, first - 1
        while size < 16 and last + 1 < len(self._groups):
            last += 1
            size += len(self._groups[last])
        if size != 16 or self._groups[first][0] == "0":
            return None
        before = self._before(first)
        if before and _KK_LABEL.search(before):
            return last, "KK"
        if before and _NIK_LABEL.search(before):
            return last, "NIK"
        digits = "".join(self._groups[first : last + 1])
        likely = is_nik(digits) and (first == last or self._is_one(first, last, digits))
        return (last, "NIK") if likely else None

    def _is_one(self, first: int, last: int, digits: str) -> bool:
        """Say whether groups that could be a NIK are one number and not several."""
        signs = self._signs[first:last]
        sizes = [len(group) for group in self._groups[first : last + 1]]
        sign = signs[0]
        end = self._ends[last]
        goes_on = self._text[end : end + 1] == sign and self._text[end + 1 : end + 2].isdigit()
        if "\n" in signs and not _is_of_a_regency(digits):
            return False  # the end of one line and the beginning of the next
        if len(set(signs)) > 1 and not {6, 12} <= {*accumulate(sizes)}:
            return False  # 570/00123/35.73/2024 is a permit; 36.71.01-250190-0001 is a NIK
        if sizes[0] <= 3 and sign in {".", ""} and (set(sizes[1:]) == {3} or sizes[1] >= 10):
            return False  # an amount, by thousands, or a fraction
        if max(sizes) <= 2 and self._starts[first] != self._begin:
            return False  # any list of small numbers
        return sign == "" or not (goes_on or self._is_joined(first))

    def _phone(self, first: int) -> tuple[int, str] | None:
        """Return the last group of the telephone number that begins with this group."""
        start = self._starts[first]
        plus = self._text[max(start - 2, 0) : start].rstrip().endswith("+")
        if not plus and not _PHONE_HEAD.match("".join(self._groups[first : first + 4])):
            return None
        before = self._before(first)
        labelled = before != "" and _PHONE_LABEL.search(before) is not None
        in_code = _CODE.search(before) or (
            not labelled and (self._is_joined(first) or _DIGIT_IN_WORD.search(before))
        )
        if in_code:
            return None
        size, best = 0, None
        for last in range(first, len(self._groups)):
            size += len(self._groups[last])
            if size > MOST_DIGITS:
                break
            groups, signs = self._groups[first : last + 1], self._signs[first:last]
            if size >= LEAST_DIGITS and is_phone(groups, signs, plus=plus, labelled=labelled):
                best = last
        return None if best is None else (best, "PHONE")

    def _with_signs(self, start: int, end: int) -> tuple[int, int]:
        """Take in the plus before a telephone number, and a bracket of which it has the other."""
        lead = _LEAD.search(self._text[max(start - 3, self._after) : start])
        if lead is None:
            return start, end
        taken = lead[0]
        if taken[0] == "(" and ")" not in self._text[start:end]:
            taken = taken[1:]
        return start - len(taken), end
