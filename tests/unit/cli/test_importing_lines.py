"""Reading a file of events: any bytes at all, in bounded memory."""

from __future__ import annotations

import gzip
import io
import itertools
import json
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.importing_lines import FileDamaged, Line, Source, entry_of, lines
from app.cli.output import CommandError
from app.domain.errors import BodyTooLarge, DomainError, MalformedEvent, MalformedJson
from app.domain.events import Candidate
from tests.builders import an_event

BOM = b"\xef\xbb\xbf"
LONGEST = 40
#: What stands between two line ends: any bytes, and often an event.
CONTENTS = st.one_of(
    st.binary(max_size=2 * LONGEST).map(lambda raw: raw.replace(b"\n", b"")),
    st.sampled_from([b"", b" ", b"\t", b'{"id":"1"}', b" {} ", BOM, b"x" * LONGEST]),
)
ENDS = st.sampled_from([b"\n", b"\r\n"])


def read(raw: bytes, longest: int = LONGEST) -> list[Line]:
    return list(lines(cast("BinaryIO", io.BytesIO(raw)), longest))


@given(st.lists(st.tuples(CONTENTS, ENDS)), CONTENTS, st.booleans())
def test_every_line_is_told_by_its_number_whatever_it_holds(
    ended: list[tuple[bytes, bytes]], rest: bytes, begins_with_bom: bool
) -> None:
    file = (BOM if begins_with_bom else b"") + b"".join(map(b"".join, ended)) + rest
    found = {line.number: line.raw for line in read(file)}
    # The plainest way to say it, with the whole file in hand.
    for number, whole in enumerate(file.removeprefix(BOM).split(b"\n"), 1):
        text = whole.strip(b" \t\r\n")
        if number in found and found[number] is None:
            assert len(whole) > LONGEST
        else:
            assert found.get(number, b"") == text
            assert len(text) <= LONGEST


@given(st.binary(max_size=500), st.integers(1, 60))
def test_no_line_is_ever_read_in_one_piece_that_is_longer_than_allowed(
    raw: bytes, longest: int
) -> None:
    class Watched(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 < size <= longest + len(BOM) + 2
            return super().readline(size)

    for line in lines(cast("BinaryIO", Watched(raw)), longest):
        assert line.raw is None or 0 < len(line.raw) <= longest


def test_a_line_that_is_too_long_is_refused_and_the_next_is_read() -> None:
    found = read(b"x" * 10_000 + b"\n" + b'{"a":1}\n' + b"y" * 10_000)
    assert found == [Line(1, None), Line(2, b'{"a":1}'), Line(3, None)]
    refused = entry_of(found[0]).event
    assert isinstance(refused, BodyTooLarge)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        pytest.param(b"{", MalformedJson, id="cut"),
        pytest.param(b"[]", MalformedEvent, id="no object"),
        pytest.param(b'{"id":"1","id":"2"}', MalformedJson, id="a member twice"),
        pytest.param(b'{"id":NaN}', MalformedJson, id="no number"),
        pytest.param(b"\xff{}", MalformedJson, id="no UTF-8"),
        pytest.param(b'{"a":' * 40 + b"1" + b"}" * 40, MalformedJson, id="too deep"),
    ],
)
def test_a_line_that_holds_no_event_says_why(raw: bytes, problem: type[DomainError]) -> None:
    assert type(entry_of(Line(7, raw)).event) is problem
    assert entry_of(Line(7, raw)).line == 7


def the_event(members: dict[str, object]) -> Candidate:
    entry = entry_of(Line(1, json.dumps(members).encode()))
    assert isinstance(entry.event, Candidate)
    return entry.event


def test_where_another_log_had_an_event_is_no_part_of_it() -> None:
    event = an_event()
    assert the_event({"region": "36.71", "seq": 12} | event) == the_event(event)


@pytest.mark.parametrize("odd", [{"region": "36.71"}, {"seq": 3}, {"region": "36.71", "seq": "3"}])
def test_a_name_of_the_feed_alone_is_left_for_the_door_to_refuse(odd: dict[str, object]) -> None:
    assert odd.keys() <= the_event(odd | an_event()).attributes.keys()


def whole_file(folder: Path, raw: bytes) -> list[Line]:
    path = folder / "events"
    path.write_bytes(raw)
    with Source(str(path)) as source:
        found = list(lines(source.stream))
        assert source.size == source.place() == len(raw)
    return found


def test_a_compressed_file_is_known_by_its_bytes_and_not_by_its_name(tmp_path: Path) -> None:
    raw = BOM + b"{}\r\n\r\n[]\n"
    expected = [Line(1, b"{}"), Line(3, b"[]")]
    assert whole_file(tmp_path, raw) == whole_file(tmp_path, gzip.compress(raw)) == expected


EVENTS = b"".join(b'{"id":"%d"}\n' % number for number in range(400))
PACKED = gzip.compress(EVENTS)


@given(st.integers(2, len(PACKED) - 1))
def test_of_a_compressed_file_that_was_cut_whole_lines_are_read_and_no_other(cut: int) -> None:
    found: list[Line] = []
    unpacked = gzip.GzipFile(fileobj=io.BytesIO(PACKED[:cut]))
    with pytest.raises(FileDamaged):
        found.extend(lines(cast("BinaryIO", unpacked)))
    whole = [line.strip() for line in EVENTS.splitlines()]
    assert all(line.raw == whole[line.number - 1] for line in found)


def test_lines_before_a_damage_are_read() -> None:
    long = gzip.compress(b"".join(b'{"id":"%d%s"}\n' % (n, b"x" * 900) for n in range(2_000)), 0)
    found: list[Line] = []
    unpacked = gzip.GzipFile(fileobj=io.BytesIO(long[: len(long) // 2]))
    reading = lines(cast("BinaryIO", unpacked))
    found.extend(itertools.islice(reading, 900))
    with pytest.raises(FileDamaged):
        found.extend(reading)
    assert len(found) >= 900


@pytest.mark.parametrize("place", ["", "nowhere.ndjson"])
def test_a_file_that_cannot_be_read_is_said_in_a_sentence(tmp_path: Path, place: str) -> None:
    with pytest.raises(CommandError), Source(str(tmp_path / place)):
        pass
