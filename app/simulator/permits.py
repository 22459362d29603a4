"""Perizinan Online: permits, from the file handed in to the paper issued."""

from __future__ import annotations

from dataclasses import dataclass

from app.simulator.hours import HOUR, PERMITS
from app.simulator.life import Facts, Life
from app.simulator.plans import Plan, days
from app.simulator.times import instant


@dataclass(frozen=True, slots=True)
class Permit:
    """What is applied for, who decides, and the tariff of the regional levy (0 = free)."""

    code: str
    agency: str
    tariff_idr: int


_DESK = (
    Permit("siup", "dpmptsp", 0),
    Permit("siup", "dpmptsp", 0),
    Permit("nib", "dpmptsp", 0),
    Permit("nib", "dpmptsp", 0),
    Permit("reklame", "dpmptsp", 250_000),
    Permit("praktik-nakes", "dinas-kesehatan", 0),
    Permit("penelitian", "kesbangpol", 0),
)
_SITE = (
    Permit("imb", "dinas-perumahan", 1_500_000),
    Permit("imb", "dinas-perumahan", 2_750_000),
    Permit("slf", "dinas-perumahan", 750_000),
    Permit("trayek", "dinas-perhubungan", 350_000),
    Permit("lingkungan", "dinas-lingkungan-hidup", 0),
    Permit("menara", "diskominfo", 5_000_000),
)
_CHANNELS = ("web", "web", "web", "web", "app", "app", "counter")
_FAULTS = ("incomplete", "incomplete", "illegible", "inconsistent")


def _submit(life: Life, permits: tuple[Permit, ...]) -> Permit:
    permit = life.dice.pick(permits)
    facts: Facts = {"service": permit.code, "channel": life.dice.pick(_CHANNELS)}
    if area := life.area():
        facts["area"] = area
    life.say("submitted", facts)
    return permit


def _check(life: Life, hours: float, returned: float) -> None:
    """Check the file; an incomplete one goes back, and is handed in again."""
    life.office(hours)
    life.say("checked")
    if life.dice.chance(returned):
        life.office(hours / 2)
        life.say("returned", {"reason": life.dice.pick(_FAULTS)})
        life.citizen(9)
        life.say("submitted")
        life.office(hours)
        life.say("checked")


def _accept(life: Life, permit: Permit, standard_days: int) -> None:
    """The file is complete: the standard's clock starts, and the date is promised."""
    life.office(1.5)
    facts: Facts = {"agency": permit.agency, "tariff_idr": permit.tariff_idr}
    if life.dice.chance(0.85):
        facts["due_at"] = instant(life.now + standard_days * 24 * HOUR)
    life.say("accepted", facts)


def _bill(life: Life, permit: Permit) -> None:
    """Bill the levy; now and then more than the tariff, which the KPI must find."""
    life.office(1)
    surcharge = 25_000 if life.dice.chance(0.04) else 0
    life.say("billed", {"fee_idr": permit.tariff_idr + surcharge})


def _pay(life: Life, median_hours: float) -> None:
    life.citizen(median_hours)
    life.say("paid")


def _refused(life: Life, probability: float) -> bool:
    if not life.dice.chance(probability):
        return False
    if life.dice.chance(0.7):
        life.say("rejected", {"reason": life.dice.pick(("requirements", "zoning"))})
    else:
        life.say("withdrawn")
    return True


def _issue(life: Life, permit: Permit) -> None:
    life.office(1)
    life.say("approved")
    life.office(0.7)
    life.say("issued", {} if permit.tariff_idr else {"fee_idr": 0})
    if life.dice.chance(0.2) and life.room(48):
        life.citizen(6)
        life.say("rated", {"rating": life.dice.pick((2, 3, 3, 4, 4, 4))})


def _desk(life: Life) -> None:
    permit = _submit(life, _DESK)
    _check(life, 1.2, returned=0.15)
    if _refused(life, 0.06):
        return
    _accept(life, permit, standard_days=3)
    if permit.tariff_idr:
        _bill(life, permit)
        _pay(life, 5)
    life.office(2)
    _issue(life, permit)


def _site(life: Life) -> None:
    permit = _submit(life, _SITE)
    _check(life, 2, returned=0.25)
    if _refused(life, 0.08):
        return
    _accept(life, permit, standard_days=14)
    life.office(6)
    life.say("reviewed")
    if life.dice.chance(0.6):
        life.office(8)
        life.say("inspected")
    life.office(4)
    if _refused(life, 0.05):
        return
    if permit.tariff_idr:
        _bill(life, permit)
        _pay(life, 12)
    _issue(life, permit)


def _unpaid(life: Life) -> None:
    """Let the applicant never pay, so that the file expires after two weeks."""
    permit = _submit(life, _SITE)
    _check(life, 2, returned=0.1)
    _accept(life, permit, standard_days=14)
    life.office(5)
    life.say("reviewed")
    _bill(life, permit)
    # The desk lets expired files go at its next opening, two weeks after the bill.
    life.now += days(14)
    life.office(0.5)
    life.say("expired", {"reason": "unpaid"})


PLANS = (
    Plan("q", "application", "IZ", 0.785, 5.8, days(8), PERMITS, _desk),
    Plan("s", "application", "IZ", 0.20, 8.6, days(18), PERMITS, _site),
    Plan("x", "application", "IZ", 0.015, 6.3, days(28), PERMITS, _unpaid),
)
