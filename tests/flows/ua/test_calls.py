"""Whole calls between two user agents in virtual time; the ladder is the assertion."""

from __future__ import annotations

import pytest

from siprec_src.sip.message import Request, Response
from siprec_src.sip.vocabulary import (
    AckArrived,
    CancelArrived,
    DialogEnded,
    InviteArrived,
    RequestArrived,
    ResponseArrived,
)
from tests.support.ladder import drawn
from tests.support.sip import Party, World

LATER = 70.0


@pytest.fixture
def world() -> World:
    return World({"alice": "192.0.2.1", "bob": "192.0.2.2"})


@pytest.fixture
def alice(world: World) -> Party:
    return world.parties["alice"]


@pytest.fixture
def bob(world: World) -> Party:
    return world.parties["bob"]


def connect(world: World, alice: Party, bob: Party, *, late: bool = False) -> tuple[int, str, int]:
    """A call that is up: alice's usage, her dialog, bob's usage (bob's dialog is ``""``)."""
    usage = alice.invite(bob, body=b"") if late else alice.invite(bob)
    world.settle()
    arrived = bob.last(InviteArrived)
    bob.respond(arrived.usage, arrived.token, 200, sdp=True)
    world.settle()
    dialog = alice.last(ResponseArrived).dialog
    alice.ack(usage, dialog, usage, sdp=late)
    world.settle()
    return usage, dialog, arrived.usage


def hang_up(world: World, alice: Party, bob: Party, usage: int, dialog: str) -> None:
    alice.send(usage, dialog, "BYE")
    world.settle()
    bye = bob.last(RequestArrived)
    bob.respond(bye.usage, bye.token, 200)
    world.settle()


def all_forgotten(world: World) -> bool:
    world.run(LATER)
    return all(party.ua.idle and party.ua.deadline is None for party in world.parties.values())


@pytest.mark.rfc("3261", "24.2")
@pytest.mark.req("DLG-01")
def test_basic_call(world: World, alice: Party, bob: Party) -> None:
    usage = alice.invite(bob)
    world.settle()
    arrived = bob.last(InviteArrived)
    bob.respond(arrived.usage, arrived.token, 180)
    world.settle()
    bob.respond(arrived.usage, arrived.token, 200, sdp=True)
    world.settle()
    alice.ack(usage, alice.last(ResponseArrived).dialog, usage)
    world.settle()
    bob.send(arrived.usage, "", "BYE")
    world.settle()
    bye = alice.last(RequestArrived)
    alice.respond(usage, bye.token, 200)
    world.settle()
    assert world.ladder.text() == drawn("""
        alice -> bob: INVITE 1 sdp
        bob -> alice: 100 (INVITE 1)
        bob -> alice: 180 (INVITE 1) to=bt1
        bob -> alice: 200 (INVITE 1) to=bt1 sdp
        alice -> bob: ACK 1 to=bt1
        bob -> alice: BYE 1 to=at1
        alice -> bob: 200 (BYE 1) to=at1
    """)
    assert bob.count(AckArrived) == 1
    assert all_forgotten(world)


@pytest.mark.rfc("3261", "13.3.1.4")
@pytest.mark.rfc("3261", "13.2.2.4")
def test_lost_2xx_and_lost_ack_are_made_good(world: World, alice: Party, bob: Party) -> None:
    usage = alice.invite(bob)
    world.settle()
    arrived = bob.last(InviteArrived)
    losses = iter([True, False, True])
    world.loses = lambda m: m.cseq.method in {"INVITE", "ACK"} and next(losses, False)
    bob.respond(arrived.usage, arrived.token, 200, sdp=True)
    world.run(0.6)
    alice.ack(usage, alice.last(ResponseArrived).dialog, usage)
    world.run(5.0)
    assert world.ladder.text(times=True) == drawn("""
        0.00 alice -> bob: INVITE 1 sdp
        0.01 bob -> alice: 100 (INVITE 1)
        0.02 bob -x alice: 200 (INVITE 1) to=bt1 sdp
        0.52 bob -> alice: 200 (INVITE 1) to=bt1 sdp
        0.62 alice -x bob: ACK 1 to=bt1
        1.52 bob -> alice: 200 (INVITE 1) to=bt1 sdp
        1.53 alice -> bob: ACK 1 to=bt1
    """)
    assert alice.count(ResponseArrived) == 1
    assert bob.count(AckArrived) == 1


@pytest.mark.rfc("3261", "17.1.1.2")
@pytest.mark.rfc("3261", "17.2.1")
def test_lost_invite_and_lost_100_are_made_good(world: World, alice: Party, bob: Party) -> None:
    losses = iter([True, False, True])
    world.loses = lambda _: next(losses, False)
    alice.invite(bob)
    world.run(3.0)
    assert world.ladder.text(times=True) == drawn("""
        0.00 alice -x bob: INVITE 1 sdp
        0.50 alice -> bob: INVITE 1 sdp
        0.51 bob -x alice: 100 (INVITE 1)
        1.50 alice -> bob: INVITE 1 sdp
        1.51 bob -> alice: 100 (INVITE 1)
    """)
    assert bob.count(InviteArrived) == 1


@pytest.mark.rfc("3261", "9.1")
@pytest.mark.req("TXN-08")
def test_cancel_waits_for_the_first_provisional(world: World, alice: Party, bob: Party) -> None:
    usage = alice.invite(bob)
    alice.cancel(usage, usage)
    world.settle()
    assert world.ladder.text() == drawn("""
        alice -> bob: INVITE 1 sdp
        bob -> alice: 100 (INVITE 1)
        alice -> bob: CANCEL 1
        bob -> alice: 200 (CANCEL 1) to=0f6e
        bob -> alice: 487 (INVITE 1) to=bt1
        alice -> bob: ACK 1 to=bt1
    """).replace("0f6e", _tag_of_cancel(world))
    assert alice.last(ResponseArrived).response.status == 487
    assert bob.count(CancelArrived) == 1
    assert all_forgotten(world)


@pytest.mark.rfc("3261", "9.1")
@pytest.mark.req("TXN-08", "TXN-02")
def test_2xx_that_crosses_a_cancel_is_acknowledged_and_ended(world: World, alice: Party, bob: Party) -> None:
    usage = alice.invite(bob)
    world.settle()
    arrived = bob.last(InviteArrived)
    bob.respond(arrived.usage, arrived.token, 180)
    world.settle()
    world.ladder.clear()
    bob.respond(arrived.usage, arrived.token, 200, sdp=True)
    alice.cancel(usage, usage)
    world.settle()
    assert world.ladder.text() == drawn("""
        bob -> alice: 200 (INVITE 1) to=bt1 sdp
        alice -> bob: CANCEL 1
        alice -> bob: ACK 1 to=bt1
        alice -> bob: BYE 2 to=bt1
        bob -> alice: 200 (CANCEL 1) to=0f6e
    """).replace("0f6e", _tag_of_cancel(world))
    told = alice.last(ResponseArrived)
    assert (told.response.status, told.made_here) == (487, True)
    assert bob.count(CancelArrived) == 0
    bye = bob.last(RequestArrived)
    bob.respond(bye.usage, bye.token, 200)
    assert all_forgotten(world)


@pytest.mark.rfc("3261", "14.1")
@pytest.mark.rfc("3261", "14.2")
@pytest.mark.req("DLG-05", "DLG-07")
def test_reinvites_that_cross_are_both_refused_with_491(world: World, alice: Party, bob: Party) -> None:
    usage, dialog, theirs = connect(world, alice, bob)
    world.ladder.clear()
    alice.send(usage, dialog, "INVITE", sdp=True)
    bob.send(theirs, "", "INVITE", sdp=True)
    world.settle()
    assert world.ladder.text() == drawn("""
        alice -> bob: INVITE 2 to=bt1 sdp
        bob -> alice: INVITE 1 to=at1 sdp
        bob -> alice: 491 (INVITE 2) to=bt1
        alice -> bob: 491 (INVITE 1) to=at1
        alice -> bob: ACK 2 to=bt1
        bob -> alice: ACK 1 to=at1
    """)
    assert alice.last(ResponseArrived).response.status == 491
    assert bob.last(ResponseArrived).response.status == 491
    hang_up(world, alice, bob, usage, dialog)
    assert all_forgotten(world)


@pytest.mark.rfc("3261", "14.1")
@pytest.mark.req("DLG-10")
def test_reinvite_changes_the_session_and_its_failure_does_not(
    world: World, alice: Party, bob: Party
) -> None:
    usage, dialog, theirs = connect(world, alice, bob)
    world.ladder.clear()
    for status in (488, 200):
        token = alice.send(usage, dialog, "INVITE", sdp=True)
        world.settle()
        again = bob.last(RequestArrived)
        bob.respond(theirs, again.token, status, sdp=status == 200)
        world.settle()
    alice.ack(usage, dialog, token)
    world.settle()
    assert world.ladder.text() == drawn("""
        alice -> bob: INVITE 2 to=bt1 sdp
        bob -> alice: 100 (INVITE 2) to=bt1
        bob -> alice: 488 (INVITE 2) to=bt1
        alice -> bob: ACK 2 to=bt1
        alice -> bob: INVITE 3 to=bt1 sdp
        bob -> alice: 100 (INVITE 3) to=bt1
        bob -> alice: 200 (INVITE 3) to=bt1 sdp
        alice -> bob: ACK 3 to=bt1
    """)
    assert bob.last(AckArrived).token == again.token
    hang_up(world, alice, bob, usage, dialog)
    assert all_forgotten(world)


@pytest.mark.rfc("3261", "13.2.1")
@pytest.mark.req("SIP-19")
def test_late_offer_is_answered_in_the_ack(world: World, alice: Party, bob: Party) -> None:
    usage, dialog, _ = connect(world, alice, bob, late=True)
    assert world.ladder.text() == drawn("""
        alice -> bob: INVITE 1
        bob -> alice: 100 (INVITE 1)
        bob -> alice: 200 (INVITE 1) to=bt1 sdp
        alice -> bob: ACK 1 to=bt1 sdp
    """)
    assert bob.last(AckArrived).request.body
    alice.send(usage, dialog, "UPDATE", sdp=True)
    world.settle()
    assert bob.last(RequestArrived).request.method == "UPDATE"


@pytest.mark.rfc("3262", "3")
@pytest.mark.rfc("3262", "4")
@pytest.mark.req("DLG-16")
def test_reliable_provisional_is_repeated_until_its_prack(world: World, alice: Party, bob: Party) -> None:
    usage = alice.invite(bob, headers=(("Supported", "100rel"),))
    world.settle()
    arrived = bob.last(InviteArrived)
    losses = iter([True])
    world.loses = lambda m: isinstance(m, Response) and m.status == 183 and next(losses, False)
    bob.respond(arrived.usage, arrived.token, 183, sdp=True, reliable=True)
    world.run(0.6)
    told = alice.last(ResponseArrived)
    alice.send(usage, told.dialog, "PRACK")
    world.settle()
    prack = bob.last(RequestArrived)
    bob.respond(arrived.usage, prack.token, 200)
    bob.respond(arrived.usage, arrived.token, 200)
    world.settle()
    alice.ack(usage, told.dialog, usage)
    world.settle()
    assert world.ladder.text() == drawn("""
        alice -> bob: INVITE 1 sdp
        bob -> alice: 100 (INVITE 1)
        bob -x alice: 183 (INVITE 1) to=bt1 rseq=102 sdp
        bob -> alice: 183 (INVITE 1) to=bt1 rseq=102 sdp
        alice -> bob: PRACK 2 to=bt1
        bob -> alice: 200 (PRACK 2) to=bt1
        bob -> alice: 200 (INVITE 1) to=bt1
        alice -> bob: ACK 1 to=bt1
    """)
    assert prack.request.headers.get("rack") == "102 1 INVITE"
    hang_up(world, alice, bob, usage, told.dialog)
    assert all_forgotten(world)


@pytest.mark.rfc("3311", "5.2")
@pytest.mark.req("DLG-08")
def test_updates_with_offers_that_cross_are_both_refused_with_491(
    world: World, alice: Party, bob: Party
) -> None:
    usage, dialog, theirs = connect(world, alice, bob)
    world.ladder.clear()
    alice.send(usage, dialog, "UPDATE", sdp=True)
    bob.send(theirs, "", "UPDATE", sdp=True)
    world.settle()
    assert world.ladder.text() == drawn("""
        alice -> bob: UPDATE 2 to=bt1 sdp
        bob -> alice: UPDATE 1 to=at1 sdp
        bob -> alice: 491 (UPDATE 2) to=bt1
        alice -> bob: 491 (UPDATE 1) to=at1
    """)
    token = alice.send(usage, dialog, "UPDATE", sdp=True)
    world.settle()
    bob.respond(theirs, bob.last(RequestArrived).token, 200, sdp=True)
    world.settle()
    assert alice.last(ResponseArrived).token == token
    assert alice.last(ResponseArrived).response.status == 200


@pytest.mark.rfc("3261", "12.2.1.2")
@pytest.mark.req("DLG-04")
def test_481_to_a_request_ends_the_dialog(world: World, alice: Party, bob: Party) -> None:
    usage, dialog, theirs = connect(world, alice, bob)
    world.loses = lambda m: isinstance(m, Request) and m.method == "BYE"
    bob.send(theirs, "", "BYE")
    world.loses = lambda _: False
    world.ladder.clear()
    alice.send(usage, dialog, "INFO")
    world.settle()
    assert world.ladder.text() == drawn("""
        alice -> bob: INFO 2 to=bt1
        bob -> alice: 481 (INFO 2) to=bt1
    """)
    assert alice.told[-1] == DialogEnded(usage=usage, dialog=dialog, cause="481")


@pytest.mark.rfc("3261", "12.2.1.2")
@pytest.mark.req("DLG-04", "TXN-06")
def test_silence_to_a_request_ends_the_dialog_with_a_bye(world: World, alice: Party, bob: Party) -> None:
    usage, dialog, _ = connect(world, alice, bob)
    world.loses = lambda m: isinstance(m, Request) and m.method == "INFO"
    alice.send(usage, dialog, "INFO")
    world.run(32.1)
    assert alice.told[-1] == DialogEnded(usage=usage, dialog=dialog, cause="408")
    assert alice.last(ResponseArrived).made_here
    assert bob.last(RequestArrived).request.method == "BYE"


@pytest.mark.rfc("3261", "13.3.1.4")
@pytest.mark.req("DLG-13")
def test_2xx_without_ack_is_repeated_for_64_t1_and_then_ended(world: World, alice: Party, bob: Party) -> None:
    world.loses = lambda m: m.cseq.method == "ACK"
    usage = alice.invite(bob)
    world.settle()
    arrived = bob.last(InviteArrived)
    bob.respond(arrived.usage, arrived.token, 200, sdp=True)
    world.settle()
    alice.ack(usage, "bt1", usage)
    world.run(31.7)
    repeated = world.ladder.text().count("200 (INVITE 1)")
    assert repeated == 11  # sent once, then after 0.5 1.5 3.5 7.5 11.5 15.5 19.5 23.5 27.5 and 31.5 s
    assert bob.count(DialogEnded) == 0
    world.run(1.5)
    assert bob.told[-1] == DialogEnded(usage=arrived.usage, dialog="", cause="no-ack")
    bye = alice.last(RequestArrived)
    assert bye.request.method == "BYE"
    alice.respond(usage, bye.token, 200)
    assert all_forgotten(world)


@pytest.mark.rfc("3261", "15")
def test_bye_of_the_callee_waits_for_the_ack(world: World, alice: Party, bob: Party) -> None:
    usage = alice.invite(bob)
    world.settle()
    arrived = bob.last(InviteArrived)
    bob.respond(arrived.usage, arrived.token, 200, sdp=True)
    bob.send(arrived.usage, "", "BYE")
    world.settle()
    world.ladder.clear()
    alice.ack(usage, "bt1", usage)
    world.settle()
    alice.respond(usage, alice.last(RequestArrived).token, 200)
    world.settle()
    assert world.ladder.text() == drawn("""
        alice -> bob: ACK 1 to=bt1
        bob -> alice: BYE 1 to=at1
        alice -> bob: 200 (BYE 1) to=at1
    """)
    assert bob.count(AckArrived) == 0
    assert all_forgotten(world)


@pytest.mark.rfc("3261", "15.1.2")
def test_bye_answers_a_pending_reinvite_with_487(world: World, alice: Party, bob: Party) -> None:
    usage, dialog, _ = connect(world, alice, bob)
    alice.send(usage, dialog, "INVITE", sdp=True)
    world.settle()
    world.ladder.clear()
    alice.send(usage, dialog, "BYE")
    world.settle()
    bye = bob.last(RequestArrived)
    bob.respond(bye.usage, bye.token, 200)
    world.settle()
    assert world.ladder.text() == drawn("""
        alice -> bob: BYE 3 to=bt1
        bob -> alice: 487 (INVITE 2) to=bt1
        alice -> bob: ACK 2 to=bt1
        bob -> alice: 200 (BYE 3) to=bt1
    """)
    assert all_forgotten(world)


@pytest.mark.rfc("3261", "9.2")
def test_reinvite_can_be_cancelled_and_the_call_goes_on(world: World, alice: Party, bob: Party) -> None:
    usage, dialog, _ = connect(world, alice, bob)
    token = alice.send(usage, dialog, "INVITE", sdp=True)
    world.settle()
    alice.cancel(usage, token)
    world.settle()
    cancelled = bob.last(CancelArrived)
    bob.respond(cancelled.usage, cancelled.token, 487)
    world.settle()
    assert alice.last(ResponseArrived).response.status == 487
    assert bob.count(CancelArrived) == 1
    hang_up(world, alice, bob, usage, dialog)
    assert all_forgotten(world)


def _tag_of_cancel(world: World) -> str:
    line = next(ln for ln in world.ladder.text().splitlines() if "(CANCEL" in ln)
    return line.rpartition("to=")[2]


@pytest.mark.rfc("3261", "17")
def test_a_thousand_calls_leave_nothing_behind(world: World, alice: Party, bob: Party) -> None:
    for _ in range(1000):
        usage, dialog, _ = connect(world, alice, bob)
        hang_up(world, alice, bob, usage, dialog)
        alice.told.clear()
        bob.told.clear()
        world.ladder.clear()
    assert alice.ua.usages == bob.ua.usages == 0
    assert all_forgotten(world)
    assert alice.ua.transactions == bob.ua.transactions == 0
