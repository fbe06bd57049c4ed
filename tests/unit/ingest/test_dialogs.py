"""Dialog ids on their way from leg to leg."""

from __future__ import annotations

import pytest

from siprec_src.ingest.inline.dialogs import DialogBook, LegDialog
from siprec_src.sip.message import Headers


@pytest.fixture
def book() -> DialogBook:
    made = DialogBook()
    made.add(LegDialog("a@x", "us-a", "alice"), LegDialog("b@x", "us-b", "bob"))
    return made


@pytest.mark.rfc("3891", "3")
@pytest.mark.parametrize(
    ("received", "told"),
    [
        ("a@x;to-tag=us-a;from-tag=alice", "b@x;to-tag=bob;from-tag=us-b"),
        ("b@x; from-tag=bob ;to-tag=us-b;early-only", "a@x;to-tag=alice;from-tag=us-a;early-only"),
        ("b@x;to-tag=bob;from-tag=us-b", "b@x;to-tag=bob;from-tag=us-b"),
        ("other@x;to-tag=1;from-tag=2", "other@x;to-tag=1;from-tag=2"),
        ("a@x", "a@x"),
    ],
)
def test_replaces_names_the_other_leg_of_a_call_of_ours(book: DialogBook, received: str, told: str) -> None:
    headers = Headers((("X", received), ("Replaces", received)))
    assert tuple(book.told(headers)) == (("X", received), ("Replaces", told))


@pytest.mark.rfc("3261", "12.3")
def test_a_call_that_has_ended_is_forgotten_on_both_legs(book: DialogBook) -> None:
    book.remove(LegDialog("a@x", "us-a", "alice"))
    assert len(book) == 0
    headers = Headers((("Replaces", "b@x;to-tag=us-b;from-tag=bob"),))
    assert book.told(headers) is headers
