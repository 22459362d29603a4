"""Reading a file of events, one a line, of any length in bounded memory."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self, cast

from app.cli.output import CommandError
from app.domain.errors import BodyTooLarge, DomainError
from app.domain.events import Candidate
from app.schemas.cloudevents import structured
from app.services.backfill import Entry

#: An event whose data has the allowed 64 KiB, every character of it escaped, with the longest
#: attributes; what is longer could not be accepted.
MAX_LINE = 1024 * 1024
STDIN = "-"

_BOM = b"\xef\xbb\xbf"
_END = b"\r\n"
#: What may stand around the first line beside itself.
_AROUND = len(_BOM + _END)
_GZIP = b"\x1f\x8b"


class FileDamaged(Exception):
    """A compressed file ends before its end, or is none after all."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank, counted from 1; ``raw`` is absent where it is too long."""

    number: int
    raw: bytes | None


def lines(stream: BinaryIO, longest: int = MAX_LINE) -> Iterator[Line]:
    """Yield the lines of a stream that are not blank, whichever way they end.

    Raises:
        FileDamaged: after the last line that is whole.
    """
    number = 0
    while True:
        number += 1
        room = longest + (_AROUND if number == 1 else len(_END))
        raw = _read(stream, room)
        if not raw:
            return
        is_whole = raw.endswith(b"\n") or len(raw) < room
        if not is_whole:
            _skip_line(stream, longest)
        # Spreadsheets and old editors put a BOM there; it is no part of the first event.
        text = (raw.removeprefix(_BOM) if number == 1 else raw).strip(b" \t\r\n")
        if not is_whole or len(text) > longest:
            yield Line(number, None)
        elif text:
            yield Line(number, text)


def _skip_line(stream: BinaryIO, at_a_time: int) -> None:
    while (rest := _read(stream, at_a_time)) and not rest.endswith(b"\n"):
        pass


def _read(stream: BinaryIO, longest: int) -> bytes:
    try:
        return stream.readline(longest)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FileDamaged("the compressed file is damaged or incomplete") from error


def entry_of(line: Line) -> Entry:
    """Return what a line holds: an event, or why it holds none."""
    if line.raw is None:
        return Entry(line.number, BodyTooLarge(f"a line is longer than {MAX_LINE:,} bytes"))
    try:
        return Entry(line.number, _without_place(structured(line.raw)))
    except DomainError as problem:
        return Entry(line.number, problem)


def _without_place(event: Candidate) -> Candidate:
    """Take away where another log had the event, as the event feed tells it.

    Only where both members are there and as the feed writes them: an attribute
    of either name alone is the sender's mistake, which the door tells of.
    """
    region, seq = event.attributes.get("region"), event.attributes.get("seq")
    if not isinstance(region, str) or type(seq) is not int:
        return event
    rest = {name: v for name, v in event.attributes.items() if name not in ("region", "seq")}
    return event._replace(attributes=rest)


class Source:
    """The file, or what stands before the pipe, unpacked where it is compressed.

    ``size`` is in bytes as they lie there, and unknown for a pipe.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._closing = ExitStack()
        self.size: int | None = None
        self.stream: BinaryIO = io.BytesIO()
        self._place: Callable[[], int] = lambda: 0

    def __enter__(self) -> Self:
        plain = self._open()
        packed = plain.peek(len(_GZIP))[: len(_GZIP)] == _GZIP
        unpacked = gzip.GzipFile(fileobj=plain) if packed else plain
        self.stream = cast("BinaryIO", unpacked)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def place(self) -> int:
        """Return how many of the bytes have been read, roughly."""
        return self._place()

    def _open(self) -> io.BufferedReader:
        if self._path == STDIN:
            return cast("io.BufferedReader", sys.stdin.buffer)
        path = Path(self._path)
        try:
            file = self._closing.enter_context(path.open("rb"))
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}") from error
        if path.is_file():  # a named pipe has no size, and no place
            self.size, self._place = path.stat().st_size, file.tell
        return file
