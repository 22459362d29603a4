"""Events as the three apps post them: cases in every stage, 400 to 600 bytes each.

Deterministic: the same words give the same events, but for the instant at which
the day of a source begins. Making one costs about 10 µs, outside every timed part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

#: The verbs of a case from its opening on, by app and kind, and how often each way is taken.
_WAYS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "laksa": (
        ("report", ("submitted", "verified", "assigned", "progressed", "resolved", "rated")),
        ("report", ("submitted", "verified", "assigned", "resolved")),
        ("report", ("submitted", "verified", "referred", "held", "progressed", "resolved")),
        ("report", ("submitted", "rejected")),
        ("report", ("submitted", "assigned", "resolved", "reopened", "progressed", "resolved")),
    ),
    "perizinan": (
        ("application", ("submitted", "checked", "accepted", "approved", "issued")),
        ("application", ("submitted", "checked", "returned", "submitted", "accepted", "rejected")),
        ("application", ("submitted", "checked", "accepted", "billed", "paid", "issued")),
    ),
    "siapkerja": (
        ("seeker", ("registered", "verified", "card_issued", "placed")),
        ("vacancy", ("posted", "filled")),
        ("application", ("submitted", "shortlisted", "interviewed", "hired")),
    ),
}
APPS = tuple(_WAYS)
_SERVICES = {
    "laksa": ("sampah", "lampu", "jalan", "drainase", "air-bersih", "pohon", "genangan", "parkir"),
    "perizinan": ("siup", "nib", "reklame", "imb", "slf", "trayek", "praktik-nakes"),
    "siapkerja": ("operator", "administrasi", "penjualan", "teknisi", "kurir"),
}
_WORDS = (
    "Tumpukan sampah belum diangkut sejak tiga hari, mohon segera ditindaklanjuti petugas",
    "Lampu penerangan jalan mati di depan gapura, warga takut lewat pada malam hari",
    "Aspal rusak dan membahayakan pengendara sepeda motor, terutama ketika hujan turun",
    "Berkas sudah dilengkapi sesuai catatan petugas loket, mohon diperiksa kembali",
)
#: Cases that a source has under way at once; beyond, the next step is of an old one.
_ALIVE = 300
#: Of a hundred events, so many tell of something an hour earlier: a phone came back into reach.
_LATE_PERCENT = 1
_STEP = timedelta(seconds=2)


class Made(NamedTuple):
    """One event, and the columns of its row."""

    source: str
    id: str
    type: str
    subject: str
    time: datetime
    text: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """A source, and the kecamatan of its region."""

    region: str
    app: str
    areas: tuple[str, ...]

    @property
    def urn(self) -> str:
        """The source's name."""
        return f"urn:pemda:{self.region}:{self.app}"


@dataclass(slots=True)
class _Case:
    subject: str
    kind: str
    verbs: Sequence[str]
    facts: str
    done: int = 0


def events_of(
    place: Place, series: str, since: datetime, step: timedelta = _STEP
) -> Iterator[Made]:
    """Yield a source's events without end, two seconds apart, with ids that begin with ``series``.

    A third of them opens a case; 1 in 100 tells of something an hour earlier.
    """
    dice = Random(f"{series}/{place.urn}")
    alive: list[_Case] = []
    number = 0
    moment = since.astimezone(UTC)
    while True:
        number += 1
        moment += step
        if not alive or (len(alive) < _ALIVE and dice.random() < 0.4):
            alive.append(_opened(place, f"{series}-{number:06}", dice))
            place_in_line = len(alive) - 1
        else:
            place_in_line = dice.randrange(len(alive))
        case = alive[place_in_line]
        late = case.done > 0 and dice.randrange(100) < _LATE_PERCENT
        time = moment - timedelta(hours=1) if late else moment
        yield _event(place, case, f"{series}-{number:08}-{dice.getrandbits(64):016x}", time)
        case.done += 1
        if case.done == len(case.verbs):
            alive[place_in_line] = alive[-1]
            alive.pop()


def _opened(place: Place, number: str, dice: Random) -> _Case:
    kind, verbs = dice.choice(_WAYS[place.app])
    facts = (
        f'{{"service":"{dice.choice(_SERVICES[place.app])}","area":"{dice.choice(place.areas)}",'
        f'"channel":"app","summary":"{dice.choice(_WORDS)} (RT {dice.randrange(1, 15):02})"}}'
    )
    return _Case(f"{place.app[0].upper()}-{number}", kind, verbs, facts)


def _event(place: Place, case: _Case, event_id: str, time: datetime) -> Made:
    verb = case.verbs[case.done]
    event_type = f"id.go.tangerangkota.{place.app}.{case.kind}.{verb}.v1"
    data = case.facts if case.done == 0 else _progress(place, verb)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"
    text = (
        f'{{"specversion":"1.0","id":"{event_id}","source":"{place.urn}","type":"{event_type}",'
        f'"subject":"{case.subject}","time":"{stamp}","datacontenttype":"application/json",'
        f'"data":{data}}}'
    )
    return Made(place.urn, event_id, event_type, case.subject, time, text.encode())


def _progress(place: Place, verb: str) -> str:
    if verb == "rated":
        return '{"rating":4,"summary":"Terima kasih, petugas datang dengan cepat dan ramah"}'
    return (
        f'{{"agency":"dinas-{place.app}","channel":"desk","summary":"Langkah {verb} telah dicatat'
        " oleh petugas, keterangan lengkap tersimpan pada aplikasi asal dan dapat dibuka oleh"
        ' dinas yang berwenang"}'
    )


def batches(
    places: Sequence[Place], series: str, since: datetime, size: int, events: int
) -> list[list[Made]]:
    """Return batches of one source each, in the order of posting, sources in turns."""
    sources = [events_of(place, series, since) for place in places]
    return [
        [next(source) for _ in range(size)]
        for _, source in zip(range(events // size), _in_turns(sources), strict=False)
    ]


def _in_turns(sources: Sequence[Iterator[Made]]) -> Iterator[Iterator[Made]]:
    while True:
        yield from sources
