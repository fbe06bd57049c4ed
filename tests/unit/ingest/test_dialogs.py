"""Dialog ids on their way from leg to leg."""

from __future__ import annotations

import pytest

from siprec_src.ingest.inline.dialogs import DialogBook, LegDialog, LegEnd
from siprec_src.ingest.inline.groups import Group
from siprec_src.sip.message import Headers
from tests.support.identity import CountingIdentity

GROUP = Group(CountingIdentity())


def end(call_id: str, ours: str, theirs: str) -> LegEnd:
    return LegEnd(
        dialog=LegDialog(call_id, ours, theirs), trunk=theirs, contact=f"sip:{theirs}@host", group=GROUP
    )


@pytest.fixture
def book() -> DialogBook:
    made = DialogBook()
    made.add(end("a@x", "us-a", "alice"), end("b@x", "us-b", "bob"))
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


@pytest.mark.rfc("3911", "7.1")
@pytest.mark.rfc("4538", "7")
@pytest.mark.parametrize(
    ("name", "received", "told"),
    [
        ("Join", "a@x;from-tag=alice;to-tag=us-a", "b@x;to-tag=bob;from-tag=us-b"),
        (
            "Target-Dialog",
            "a@x;local-tag=us-a;remote-tag=alice;x=1",
            "b@x;local-tag=bob;remote-tag=us-b;x=1",
        ),
        ("Target-Dialog", "a@x;local-tag=alice;remote-tag=us-a", "a@x;local-tag=alice;remote-tag=us-a"),
    ],
)
def test_join_and_target_dialog_name_the_other_leg_too(
    book: DialogBook, name: str, received: str, told: str
) -> None:
    assert book.told(Headers(((name, received),))).get(name) == told
    escaped = received.replace(";", "%3B").replace("=", "%3D")
    told_in_uri = told.replace("@", "%40").replace(";", "%3B").replace("=", "%3D")
    inside = book.told(Headers((("Refer-To", f"<sip:c@x?X=1&{name}={escaped}>"),))).get("refer-to")
    assert inside == f"<sip:c@x?X=1&{name}={told_in_uri if received != told else escaped}>"


@pytest.mark.rfc("3891", "3")
@pytest.mark.parametrize(
    ("field", "party"),
    [
        (("Replaces", "a@x;to-tag=us-a;from-tag=alice"), "bob"),
        (("Replaces", "a@x;to-tag=alice;from-tag=us-a"), "alice"),
        (("Join", "b@x;to-tag=us-b;from-tag=bob"), "alice"),
        (("Replaces", "b@x;to-tag=us-b;from-tag=somebody"), None),
        (("Target-Dialog", "a@x;local-tag=us-a;remote-tag=alice"), None),
    ],
)
def test_a_new_call_is_for_the_party_at_the_far_end_of_the_dialog_that_it_names(
    book: DialogBook, field: tuple[str, str], party: str | None
) -> None:
    named = book.named(Headers((field,)))
    assert (named and named.trunk) == party
