"""LAKSA: complaints of citizens, from the call to the crew."""

from __future__ import annotations

from dataclasses import dataclass

from app.simulator.hours import HOUR, REPORTS
from app.simulator.life import Facts, Life
from app.simulator.plans import Plan, days
from app.simulator.times import instant


@dataclass(frozen=True, slots=True)
class Service:
    """What is complained of, who sees to it, and what people write."""

    code: str
    agency: str
    words: str


# Crews of these answer day and night; a line stands twice where it is heard twice as often.
_CREWED = (
    Service("sampah", "dinas-lingkungan-hidup", "Tumpukan sampah belum diangkut"),
    Service("sampah", "dinas-lingkungan-hidup", "Sampah berserakan di pinggir jalan"),
    Service("lampu", "dinas-perhubungan", "Lampu penerangan jalan mati"),
    Service("lampu", "dinas-perhubungan", "Jalan gelap, PJU padam"),
    Service("air-bersih", "perumda-air-minum", "Air keran tidak mengalir"),
    Service("ketertiban", "satpol-pp", "Kegiatan yang mengganggu ketertiban"),
    Service("hewan", "dinas-ketahanan-pangan", "Hewan liar meresahkan warga"),
)
_WEATHER = (
    Service("genangan", "dinas-pupr", "Genangan setinggi lutut"),
    Service("genangan", "dinas-pupr", "Air masuk ke rumah warga"),
    Service("genangan", "bpbd", "Banjir, jalan tidak dapat dilalui"),
    Service("pohon", "dinas-pertamanan", "Pohon tumbang menutup jalan"),
)
_WORKS = (
    Service("jalan", "dinas-pupr", "Jalan berlubang"),
    Service("jalan", "dinas-pupr", "Aspal rusak dan membahayakan pengendara"),
    Service("drainase", "dinas-pupr", "Saluran air tersumbat"),
    Service("trotoar", "dinas-pupr", "Trotoar rusak"),
    Service("pohon", "dinas-pertamanan", "Mohon pohon dipangkas"),
    Service("parkir", "dinas-perhubungan", "Parkir liar"),
    Service("pedagang", "satpol-pp", "Pedagang menutup trotoar"),
    Service("administrasi", "disdukcapil", "Pelayanan KTP lambat"),
)
_DISPUTES = (
    Service("bangunan", "dinas-perumahan", "Bangunan tanpa izin"),
    Service("jalan", "dinas-pupr", "Jalan lingkungan perlu dibeton"),
    Service("drainase", "dinas-pupr", "Perlu saluran air baru"),
    Service("pencemaran", "dinas-lingkungan-hidup", "Limbah pabrik berbau"),
)
_CHANNELS = ("app", "app", "app", "app", "whatsapp", "whatsapp", "call-112", "web", "instagram")
_LANDMARKS = ("pasar", "masjid", "sekolah", "puskesmas", "kantor kelurahan", "stasiun", "gapura RW")
_REASONS = ("not_authority", "not_authority", "unclear", "out_of_scope")


def _summary(life: Life, service: Service) -> str:
    """Return what the citizen wrote; some leave a phone number, which the door must mask."""
    dice = life.dice
    words = f"{service.words} dekat {dice.pick(_LANDMARKS)}, RT {1 + dice.below(9):02d}"
    if dice.chance(0.05):
        return f"{words}. Hubungi 0812{dice.below(10**8):08d}"
    return words


def _submit(life: Life, services: tuple[Service, ...]) -> tuple[Service, Facts]:
    service = life.dice.pick(services)
    facts: Facts = {"service": service.code, "channel": life.dice.pick(_CHANNELS)}
    if area := life.area():
        facts["area"] = area
    facts["summary"] = _summary(life, service)
    life.say("submitted", facts)
    return service, facts


def _correct(life: Life, facts: Facts, probability: float) -> None:
    """Now and then the desk finds that the citizen named the wrong kecamatan."""
    if life.dice.chance(probability) and (area := life.other_area(facts.get("area"))):
        life.say("corrected", {"area": area})


def _turned_away(life: Life, probability: float) -> bool:
    """Tell whether the desk closed the case unworked: rejected, duplicated, withdrawn."""
    if not life.dice.chance(probability):
        return False
    fate = life.dice.below(10)
    if fate < 2:
        life.say("withdrawn")
    elif fate < 6 and life.twin:
        life.say("duplicated", {"duplicate_of": life.twin})
    else:
        life.say("rejected", {"reason": life.dice.pick(_REASONS)})
    return True


def _rate(life: Life, probability: float) -> None:
    if life.dice.chance(probability) and life.room(48):
        life.citizen(5)
        life.say("rated", {"rating": life.dice.pick((1, 2, 3, 3, 4, 4, 4))})


def _promise(life: Life, service: Service, hours: float, probability: float) -> Facts:
    """Return what the desk decides: who sees to it, and often by when."""
    facts: Facts = {"agency": service.agency}
    if life.dice.chance(probability):
        facts["due_at"] = instant(life.opened + int(hours * HOUR))
    return facts


def _crewed(life: Life, services: tuple[Service, ...]) -> None:
    service, facts = _submit(life, services)
    life.crew(0.3)
    if _turned_away(life, 0.14):
        return
    life.say("verified")
    _correct(life, facts, 0.02)
    life.crew(0.4)
    if life.dice.chance(0.1):
        life.say("referred", {"reason": "coordination"})
        life.crew(0.8)
    life.say("assigned", _promise(life, service, 6, 0.7))
    life.crew(1)
    life.say("progressed")
    life.crew(3)
    life.say("resolved")
    if life.dice.chance(0.06) and life.room(44):
        life.citizen(4)
        life.say("reopened", {"reason": "not_solved"})
        life.crew(1)
        life.say("progressed")
        life.crew(2)
        life.say("resolved")
    _rate(life, 0.35)


def _light(life: Life) -> None:
    _crewed(life, _CREWED)


def _weather(life: Life) -> None:
    _crewed(life, _WEATHER)


def _taken_up(life: Life) -> bool:
    """Bring a case of the works departments to the gang; False if it goes no further."""
    service, facts = _submit(life, _WORKS)
    life.office(1.5)
    if _turned_away(life, 0.18):
        return False
    life.say("verified")
    _correct(life, facts, 0.03)
    if life.dice.chance(0.1):
        life.office(1)
        life.say("referred", {"reason": "coordination"})
    life.office(2)
    life.say("assigned", _promise(life, service, 7 * 24, 0.8))
    life.office(4)
    life.say("progressed")
    return True


def _works(life: Life) -> None:
    if _taken_up(life):
        life.office(10)
        life.say("resolved")
        _rate(life, 0.25)


def _delayed(life: Life) -> None:
    if not _taken_up(life):
        return
    life.office(3)
    life.say("held", {"reason": life.dice.pick(("material", "weather", "budget"))})
    life.office(12)
    life.say("progressed")
    life.office(12)
    life.say("resolved")
    if life.dice.chance(0.3):
        life.citizen(10)
        life.say("reopened", {"reason": "not_solved"})
        life.office(3)
        life.say("progressed")
        life.office(6)
        life.say("resolved")
    _rate(life, 0.2)


def _disputed(life: Life) -> None:
    service, _ = _submit(life, _DISPUTES)
    life.office(4)
    life.say("verified")
    life.office(6)
    life.say("referred", {"reason": "coordination"})
    life.office(8)
    life.say("assigned", _promise(life, service, 14 * 24, 0.9))
    life.office(10)
    life.say("progressed")
    life.office(8, 1.5)
    life.say("held", {"reason": "budget"})
    if life.dice.chance(0.5):
        life.say("corrected", {"due_at": instant(life.opened + 28 * 24 * HOUR)})
    life.office(40, 1.5)
    life.say("progressed")
    life.office(30, 1.5)
    life.say("resolved" if life.dice.chance(0.8) else "withdrawn")
    _rate(life, 0.2)


PLANS = (
    Plan("q", "report", "LK", 0.632, 5.15, days(3), REPORTS, _light),
    Plan("h", "report", "LK", 0.11, 5.15, days(3), REPORTS, _weather, wet=True),
    Plan("w", "report", "LK", 0.22, 4.9, days(11), REPORTS, _works),
    Plan("l", "report", "LK", 0.03, 7.1, days(25), REPORTS, _delayed),
    Plan("d", "report", "LK", 0.008, 8.7, days(45), REPORTS, _disputed),
    Plan("f", "report", "LK", 0.0, 5.15, days(3), REPORTS, _weather, flood=True),
)
