"""The agenda gives the earliest deadline whatever was moved or taken off before."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from siprec_src.app.agenda import Agenda


class Item:
    pass


def test_due_items_come_earliest_first_and_only_once() -> None:
    agenda: Agenda[Item] = Agenda()
    a, b, c = Item(), Item(), Item()
    agenda.set(a, 3.0)
    agenda.set(b, 1.0)
    agenda.set(c, 2.0)
    assert agenda.earliest == 1.0
    assert agenda.due(2.0) == [b, c]
    assert agenda.due(2.0) == []
    assert agenda.earliest == 3.0


def test_a_moved_deadline_counts_alone_and_none_takes_it_off() -> None:
    agenda: Agenda[Item] = Agenda()
    item = Item()
    agenda.set(item, 1.0)
    agenda.set(item, 5.0)
    assert agenda.due(4.0) == []
    agenda.set(item, None)
    assert agenda.earliest is None
    assert len(agenda) == 0


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 50)), max_size=300))
def test_it_agrees_with_a_plain_dictionary(steps: list[tuple[int, int | None]]) -> None:
    agenda: Agenda[Item] = Agenda()
    items = [Item() for _ in range(10)]
    model: dict[int, float] = {}
    for number, deadline in steps:
        agenda.set(items[number], deadline)
        model.pop(number, None)
        if deadline is not None:
            model[number] = deadline
        assert agenda.earliest == min(model.values(), default=None)
    assert {id(item) for item in agenda.due(25)} == {id(items[n]) for n, at in model.items() if at <= 25}
    assert len(agenda) == sum(at > 25 for at in model.values())
