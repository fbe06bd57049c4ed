"""How often a child may die."""

from __future__ import annotations

from siprec_src.app.supervisor import RestartBudget


def test_the_fifth_death_within_a_minute_is_the_last() -> None:
    budget = RestartBudget()
    assert [budget.spend(now) for now in (0.0, 10.0, 20.0, 30.0, 40.0)] == [True, True, True, True, False]


def test_old_deaths_are_forgiven() -> None:
    budget = RestartBudget()
    assert all(budget.spend(16.0 * n) for n in range(50))
