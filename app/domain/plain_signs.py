"""Text as its reader sees it: digits of every script, dashes and spaces made plain.

A number that was copied from a document or a chat may be written with other
signs than it seems, and may have signs between its digits that nobody sees.
"""

from __future__ import annotations

import unicodedata

#: Signs remembered: of those that occur in numbers there are some hundreds, and a text
#: that was made to harm may hold each of a million.
_REMEMBERED = 20_000
#: Signs that are read as a full stop or a stroke, and are no form of either in Unicode.
_LOOKALIKES = {"·": ".", "•": ".", "∙": ".", "・": ".", "⁄": "/", "∕": "/", "−": "-"}


class _Plain(dict[int, str | None]):
    """What is to be read for a sign, by its code point; None where nobody sees it."""

    def __missing__(self, code: int) -> str | None:
        plain = _plain(chr(code))
        if len(self) < _REMEMBERED:
            self[code] = plain
        return plain


def _plain(sign: str) -> str | None:
    category = unicodedata.category(sign)
    if category in {"Cf", "Mn", "Me"}:
        return None
    if category == "Nd":
        return str(unicodedata.decimal(sign))
    if category == "Zs":
        return " "
    if category == "Pd":
        return "-"
    folded = unicodedata.normalize("NFKC", sign)
    return folded if folded.isascii() and len(folded) == 1 else _LOOKALIKES.get(sign, sign)


_TABLE = _Plain({code: chr(code) for code in range(128)})


def plain(text: str) -> str:
    """Return the text with plain digits, dashes and spaces, without signs that nobody sees.

    >>> plain("０８１２\N{NO-BREAK SPACE}٣٤٥٦\N{EN DASH}78\N{ZERO WIDTH SPACE}90")
    '0812 3456-7890'
    """
    return text if text.isascii() else text.translate(_TABLE)


def places(text: str) -> list[int]:
    """Return where in the text each sign of ``plain(text)`` stands, and the text's end."""
    return [*(at for at, sign in enumerate(text) if _TABLE[ord(sign)] is not None), len(text)]
