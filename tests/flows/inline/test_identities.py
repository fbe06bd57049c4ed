"""Who is on a leg may change while the call goes on: what crosses, and who recording is told is there."""

from __future__ import annotations

import pytest

from siprec_src.communication import Name, Participant
from siprec_src.sip import vocabulary as sip
from tests.support.descriptions import audio
from tests.support.phone import ALICE, BOB
from tests.support.world import World, connected

UUID_A, UUID_B, UUID_C = "a" * 32, "b" * 32, "c" * 32


def asserted(*uris: str) -> tuple[tuple[str, str], ...]:
    return tuple(("P-Asserted-Identity", uri) for uri in uris)


def people(world: World) -> tuple[Participant, ...]:
    return world.src.published[-1].participants


def reoffer(world: World, *headers: tuple[str, str], answer: tuple[tuple[str, str], ...] = ()) -> None:
    """Alice's side sends a re-INVITE that changes nothing of the media."""
    world.alice.request("INVITE", audio(ALICE, 4000), *headers)
    world.bob.reply(200, audio(BOB, 5000), *answer)
    world.alice.ack()


@pytest.mark.rfc("4916", "4.3", "4.4")
def test_a_changed_from_crosses_and_is_the_to_of_later_requests() -> None:
    world = connected(b"", b"", ("Supported", "from-change"))
    fields = (("Supported", "from-change"), ("From", '"Carol" <sip:carol@pbx.example>'))
    world.alice.request("UPDATE", b"", *fields)
    world.bob.reply(200)
    seen = world.bob.request_seen
    before = seen.from_.tag
    assert (seen.from_.display, str(seen.from_.uri)) == ("Carol", "sip:carol@pbx.example")
    assert [who.names for who in people(world)] == [
        (Name(aor="sip:carol@pbx.example", display="Carol"),),
        (Name(aor="sip:bob@pbx.example"),),
        (Name(aor="sip:alice@pbx.example"),),
    ]
    world.alice.request("INFO")
    assert str(world.bob.request_seen.from_) == f'"Carol" <sip:carol@pbx.example>;tag={before}'
    world.bob.reply(200)
    world.bob.request("BYE")
    assert str(world.alice.request_seen.to.uri) == "sip:carol@pbx.example"


@pytest.mark.rfc("4916", "4.1")
@pytest.mark.parametrize("says_so", [True, False])
def test_a_callee_changes_its_from_when_it_has_said_that_it_does(*, says_so: bool) -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000), ("Supported", "from-change"))
    world.bob.reply(200, audio(BOB, 5000), *((("Supported", "timer, from-change"),) if says_so else ()))
    world.alice.ack()
    world.bob.request("UPDATE", b"", ("From", "<sip:dave@carrier.example>"))
    world.alice.reply(200)
    expected = "sip:dave@carrier.example" if says_so else "sip:bob@pbx.example"
    assert str(world.alice.request_seen.from_.uri) == expected
    assert people(world)[1].names == (Name(aor=expected),)


@pytest.mark.rfc("3261", "12.2.1.1")
def test_a_from_that_has_not_changed_stays_as_it_was_word_for_word() -> None:
    world = connected()
    first = world.bob.last(sip.InviteArrived).request.headers.get("from")
    reoffer(world)
    assert world.bob.request_seen.headers.get("from") == first
    assert len(people(world)) == 2


@pytest.mark.rfc("8068", "3.2.3")
@pytest.mark.rfc("3325", "9.1")
@pytest.mark.req("MD-53")
def test_the_answer_to_a_re_invite_tells_who_is_on_the_other_side_now() -> None:
    world = connected(b"", b"")
    world.wait(20)
    reoffer(world, answer=asserted("<sip:dave@carrier.example>"))
    caller, callee, gone = people(world)
    assert callee.names == (Name(aor="sip:dave@carrier.example"),)
    assert (callee.joined, gone.left) == (world.now, world.now)
    assert gone.names == (Name(aor="sip:bob@pbx.example"),)
    assert caller.joined < callee.joined
    first, last = world.src.published[0], world.src.published[-1]
    assert [s.stream_id for s in first.streams] == [s.stream_id for s in last.streams]
    assert [s.sender for s in last.streams] == [caller.participant_id, callee.participant_id]


@pytest.mark.rfc("7865", "6.6")
@pytest.mark.req("MD-59", "MD-20")
def test_who_comes_back_is_the_same_participant_as_before() -> None:
    world = connected(b"", b"", *asserted("<sip:alice@pbx.example>"))
    alice = people(world)[0].participant_id
    world.wait(5)
    reoffer(world, *asserted("<sip:carol@pbx.example>"))
    carol = people(world)[0].participant_id
    world.wait(5)
    reoffer(world, *asserted("<sip:alice@pbx.example>"))
    back, _, gone = people(world)
    assert (back.participant_id, back.joined, back.left) == (alice, world.now, None)
    assert (gone.participant_id, gone.left) == (carol, world.now)
    world.wait(5)
    world.alice.request("BYE")
    world.bob.reply(200)
    assert [who.left for who in people(world)] == [world.now, world.now, world.now - 5]


@pytest.mark.rfc("7865", "6.5.1")
@pytest.mark.parametrize(
    ("first", "later"),
    [
        (asserted("<sip:alice@pbx.example>"), asserted('"Alice A." <sip:alice@PBX.example>')),
        (asserted("<sip:+4930123@pbx.example>"), asserted("<tel:+49-30-123>")),
        ((), asserted("<tel:+4930100>", "<sip:alice@pbx.example>")),
        (asserted("<sip:anonymous@anonymous.invalid>"), asserted("<sip:zoe@pbx.example>")),
    ],
    ids=["display name", "same number", "one name in common", "name withheld before"],
)
def test_more_of_the_same_person_is_a_name_and_no_other_participant(
    first: tuple[tuple[str, str], ...], later: tuple[tuple[str, str], ...]
) -> None:
    world = connected(b"", b"", *first)
    before = people(world)
    reoffer(world, *later)
    after = people(world)
    assert [who.participant_id for who in after] == [who.participant_id for who in before]
    assert after[0].names != before[0].names
    assert after[0].joined == before[0].joined


@pytest.mark.rfc("3261", "14.1")
def test_a_change_that_is_refused_brings_nobody() -> None:
    world = connected(b"", b"", *asserted("<sip:alice@pbx.example>"))
    world.alice.request("INVITE", audio(ALICE, 4000), *asserted("<sip:carol@pbx.example>"))
    world.bob.reply(488)
    assert len(world.src.published) == 1


@pytest.mark.rfc("7989", "7")
@pytest.mark.req("MD-23")
def test_a_new_session_id_is_told_as_it_becomes_known() -> None:
    world = connected(b"", b"", ("Session-ID", f"{UUID_A};remote={'0' * 32}"))
    reoffer(
        world,
        ("Session-ID", f"{UUID_C};remote={UUID_B}"),
        answer=(("Session-ID", f"{UUID_B};remote={UUID_C}"),),
    )
    assert world.src.published[-1].sip_session_ids == (f"{UUID_C};remote={UUID_B}",)
    assert len(people(world)) == 2


def test_the_parties_that_left_are_not_remembered_without_end() -> None:
    world = connected()
    for number in range(40):
        reoffer(world, *asserted(f"<sip:agent{number}@pbx.example>"))
    assert len(people(world)) == 2 + 32
    assert people(world)[-1].names == (Name(aor="sip:agent38@pbx.example"),)
