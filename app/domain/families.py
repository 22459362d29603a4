"""Families, kinds, verbs and states: the table of DOMAIN 3 as data.

A new verb or state is a new line here and nothing else. The Indonesian words
for the screen stand beside the state, because a state without a name cannot be
shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

#: The organisation that defines the meaning, also when a partner emits the event.
TYPE_PREFIX = "id.go.tangerangkota."

#: Verbs of every kind that lead to no state.
STATELESS_VERBS = frozenset({"rated", "corrected"})

#: Types with no case: the source is heard, nothing else.
SIGNAL_TYPES = frozenset(
    TYPE_PREFIX + name
    for name in ("app.heartbeat.v1", "app.outage_opened.v1", "app.outage_closed.v1")
)


@dataclass(frozen=True, slots=True)
class State:
    """One state of a kind and what it means for the numbers.

    ``open`` counts as backlog; ``success`` makes a closing a resolution;
    ``paused`` stops the standard's clock.
    """

    code: str
    label_id: str
    label_en: str
    open: bool = True
    success: bool = False
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of case: its verbs in order, each leading to a state.

    The first state is the one that waits for a first response.
    """

    code: str
    label_id: str
    label_en: str
    verbs: MappingProxyType[str, State]
    first_state: State = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "first_state", next(iter(self.verbs.values())))

    def states(self) -> dict[str, State]:
        """Return the states by code, in the table's order."""
        return {state.code: state for state in self.verbs.values()}


@dataclass(frozen=True, slots=True)
class Family:
    """A family of apps that share a meaning.

    ``segment`` is how types spell the family: by the app that defined it.
    """

    code: str
    segment: str
    kinds: MappingProxyType[str, Kind]


def _kind(code: str, label_id: str, label_en: str, **verbs: State) -> Kind:
    return Kind(code, label_id, label_en, MappingProxyType(verbs))


def _family(code: str, segment: str, *kinds: Kind) -> Family:
    return Family(code, segment, MappingProxyType({kind.code: kind for kind in kinds}))


def _closed(code: str, label_id: str, label_en: str, *, success: bool = False) -> State:
    return State(code, label_id, label_en, open=False, success=success)


FAMILIES: MappingProxyType[str, Family] = MappingProxyType(
    {
        family.code: family
        for family in (
            _family(
                "complaint",
                "laksa",
                _kind(
                    "report",
                    "pengaduan",
                    "complaints",
                    submitted=State("received", "Menunggu", "Waiting"),
                    verified=State("verified", "Terverifikasi", "Verified"),
                    referred=State("referred", "Koordinasi", "Referred"),
                    assigned=State("assigned", "Disposisi", "Assigned"),
                    progressed=State("in_progress", "Proses", "In progress"),
                    held=State("on_hold", "Tunda", "On hold", paused=True),
                    reopened=State("reopened", "Dibuka kembali", "Reopened"),
                    resolved=_closed("resolved", "Selesai", "Resolved", success=True),
                    rejected=_closed("rejected", "Ditolak", "Rejected"),
                    duplicated=_closed("duplicate", "Duplikat", "Duplicate"),
                    withdrawn=_closed("withdrawn", "Dicabut", "Withdrawn"),
                ),
            ),
            _family(
                "permit",
                "perizinan",
                _kind(
                    "application",
                    "permohonan",
                    "applications",
                    submitted=State("submitted", "Diajukan", "Submitted"),
                    checked=State("document_check", "Pemeriksaan berkas", "Document check"),
                    returned=State("returned", "Dikembalikan", "Returned", paused=True),
                    accepted=State("accepted", "Berkas lengkap", "Accepted"),
                    reviewed=State("technical_review", "Kajian teknis", "Technical review"),
                    inspected=State("site_visit", "Tinjauan lapangan", "Site visit"),
                    billed=State("payment_due", "Menunggu retribusi", "Payment due", paused=True),
                    paid=State("paid", "Dibayar", "Paid"),
                    approved=State("approved", "Disetujui", "Approved"),
                    issued=_closed("issued", "Terbit", "Issued", success=True),
                    rejected=_closed("rejected", "Ditolak", "Rejected"),
                    withdrawn=_closed("withdrawn", "Dicabut", "Withdrawn"),
                    expired=_closed("expired", "Kedaluwarsa", "Expired"),
                ),
            ),
            _family(
                "employment",
                "siapkerja",
                _kind(
                    "seeker",
                    "pencari kerja",
                    "job seekers",
                    registered=State("registered", "Terdaftar", "Registered"),
                    verified=State("verified", "Terverifikasi", "Verified"),
                    card_issued=State("active", "AK-1 terbit", "Card issued"),
                    placed=_closed("placed", "Ditempatkan", "Placed", success=True),
                    lapsed=_closed("lapsed", "Gugur", "Lapsed"),
                    withdrawn=_closed("withdrawn", "Dicabut", "Withdrawn"),
                ),
                _kind(
                    "vacancy",
                    "lowongan",
                    "vacancies",
                    posted=State("posted", "Lowongan", "Posted"),
                    filled=_closed("filled", "Terisi", "Filled", success=True),
                    closed=_closed("closed", "Ditutup", "Closed"),
                ),
                _kind(
                    "application",
                    "lamaran",
                    "applications",
                    submitted=State("applied", "Melamar", "Applied"),
                    shortlisted=State("shortlisted", "Lolos seleksi", "Shortlisted"),
                    interviewed=State("interviewed", "Wawancara", "Interviewed"),
                    hired=_closed("hired", "Diterima", "Hired", success=True),
                    declined=_closed("declined", "Ditolak", "Declined"),
                ),
            ),
            _family(
                "generic",
                "egov",
                _kind(
                    "transaction",
                    "transaksi",
                    "transactions",
                    started=State("started", "Dimulai", "Started"),
                    completed=_closed("completed", "Selesai", "Completed", success=True),
                    failed=_closed("failed", "Gagal", "Failed"),
                ),
            ),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a type says about a case: its kind and the state it leads to, if any."""

    kind: Kind
    verb: str
    state: State | None


@lru_cache(maxsize=4096)
def meaning_of(event_type: str, family_code: str) -> Meaning | None:
    """Return what ``event_type`` means from an app of the family, or nothing.

    Nothing means ``other``: a type outside the families, of another family
    than the source's app, or one of the signals. Bounded, since senders
    choose types freely.

    >>> meaning_of("id.go.tangerangkota.laksa.report.held.v1", "complaint").state.code
    'on_hold'
    >>> meaning_of("id.go.tangerangkota.laksa.report.held.v1", "permit") is None
    True
    """
    family = FAMILIES.get(family_code)
    if family is None or not event_type.startswith(TYPE_PREFIX):
        return None
    parts = event_type.removeprefix(TYPE_PREFIX).split(".")
    if len(parts) != 4 or parts[3] != "v1" or parts[0] not in (family.segment, family.code):
        return None
    kind = family.kinds.get(parts[1])
    if kind is None:
        return None
    if parts[2] in STATELESS_VERBS:
        return Meaning(kind, parts[2], None)
    state = kind.verbs.get(parts[2])
    return None if state is None else Meaning(kind, parts[2], state)


def is_known_type(event_type: str, family_code: str) -> bool:
    """Say whether a type needs no look by a person: it has a meaning or is a signal."""
    return event_type in SIGNAL_TYPES or meaning_of(event_type, family_code) is not None
