"""Siap Kerja: people who look for work, vacancies, and applications for them."""

from __future__ import annotations

from app.simulator.hours import DAY, SEEKERS
from app.simulator.life import Facts, Life
from app.simulator.plans import Plan, days

_JOBS = ("operator", "operator", "operator", "kurir", "kasir", "admin", "teknisi", "pramuniaga")
_CHANNELS = ("app", "app", "app", "web", "counter")
_AGENCY = "dinas-ketenagakerjaan"


def _begin(life: Life, verb: str, service: str, *, placed: bool = True) -> None:
    facts: Facts = {"service": service, "channel": life.dice.pick(_CHANNELS)}
    if placed and (area := life.area()):
        facts["area"] = area
    life.say(verb, facts)


def _card(life: Life) -> bool:
    """Bring a seeker to the yellow card (AK-1); False if the papers were withdrawn."""
    _begin(life, "registered", "ak1")
    life.office(1.5)
    life.say("verified", {"agency": _AGENCY})
    if life.dice.chance(0.05):
        life.citizen(6)
        life.say("withdrawn")
        return False
    life.office(1.5)
    life.say("card_issued")
    return True


def _placed_soon(life: Life) -> None:
    if _card(life):
        life.office(9)
        life.say("placed", {"service": "ak1"})
        if life.dice.chance(0.3):
            life.citizen(8)
            life.say("rated", {"rating": life.dice.pick((2, 3, 4, 4))})


def _looking_long(life: Life) -> None:
    if _card(life):
        life.now += int(DAY * (9 + 20 * life.dice.fraction()))
        life.office(1)
        life.say("placed" if life.dice.chance(0.45) else "lapsed")


def _vacancy(life: Life) -> None:
    _begin(life, "posted", life.dice.pick(_JOBS))
    life.office(16)
    if life.dice.chance(0.8):
        life.say("filled")
    else:
        life.say("closed", {"reason": "not_filled"})


def _application(life: Life) -> None:
    _begin(life, "submitted", life.dice.pick(_JOBS), placed=False)
    life.office(4)
    if life.dice.chance(0.45):
        life.say("declined", {"reason": "profile"})
        return
    life.say("shortlisted")
    life.office(6)
    life.say("interviewed")
    life.office(6)
    if life.dice.chance(0.5):
        life.say("hired")
    else:
        life.say("declined", {"reason": "interview"})


PLANS = (
    Plan("a", "seeker", "AK", 0.33, 4.2, days(10), SEEKERS, _placed_soon),
    Plan("b", "seeker", "AK", 0.01, 4.0, days(35), SEEKERS, _looking_long),
    Plan("v", "vacancy", "LW", 0.12, 2.0, days(10), SEEKERS, _vacancy),
    Plan("m", "application", "LM", 0.54, 3.1, days(10), SEEKERS, _application),
)
