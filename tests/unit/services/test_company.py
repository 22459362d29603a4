"""Who has more of the work than is fair."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.company import COMPANY_S, Company


def test_alone_nobody_has_too_much() -> None:
    company = Company()
    one = company.come("a", 0.0)
    company.take(one, 1e9, 0.0)
    assert company.is_one
    assert not company.is_unfair(one, 0.0)


def test_beside_others_the_one_with_most_of_the_work_has() -> None:
    company = Company()
    noisy, quiet = company.come("noisy", 0.0), company.come("quiet", 0.0)
    company.take(noisy, 90.0, 0.0)
    company.take(quiet, 10.0, 0.0)
    assert not company.is_one
    assert company.is_unfair(noisy, 0.0)
    assert not company.is_unfair(quiet, 0.0)


def test_what_was_long_ago_does_not_count() -> None:
    company = Company()
    once, now_busy = company.come("a", 0.0), company.come("b", 0.0)
    company.take(once, 100.0, 0.0)
    for step in range(1, 100):
        company.come("a", step / 10)
        company.come("b", step / 10)
        company.take(now_busy, 10.0, step / 10)
    assert not company.is_unfair(once, 9.9)
    assert company.is_unfair(now_busy, 9.9)


def test_who_does_not_come_any_more_is_no_company() -> None:
    company = Company()
    company.come("a", 0.0)
    company.come("b", 0.5)
    company.come("b", COMPANY_S)
    assert not company.is_one
    company.come("b", COMPANY_S + 0.1)
    assert company.is_one


@given(st.integers(2, 50), st.floats(0.1, 1e6))
def test_senders_that_are_alike_are_fair(senders: int, cost: float) -> None:
    company = Company()
    all_of_them = [company.come(str(number), 0.0) for number in range(senders)]
    for one in all_of_them:
        company.take(one, cost, 0.0)
    assert not any(company.is_unfair(one, 0.0) for one in all_of_them)


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=30), st.floats(0.0, 10.0))
def test_there_is_always_somebody_who_may_go_on(costs: list[float], later: float) -> None:
    company = Company()
    senders = [company.come(str(number), 0.0) for number in range(len(costs))]
    for one, cost in zip(senders, costs, strict=True):
        company.take(one, cost, 0.0)
    assert not all(company.is_unfair(one, later) for one in senders)


@pytest.mark.parametrize("others", [1, 2, 3, 10])
def test_twice_an_equal_part_or_three_quarters_is_too_much(others: int) -> None:
    company = Company()
    noisy = company.come("noisy", 0.0)
    company.take(noisy, 3.1 * others, 0.0)
    for number in range(others):
        company.take(company.come(str(number), 0.0), 1.0, 0.0)
    assert company.is_unfair(noisy, 0.0)
