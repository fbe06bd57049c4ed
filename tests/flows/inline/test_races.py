"""Events that meet on the wire or while the media plane works: nobody is left waiting, nothing stays open."""

from __future__ import annotations

import pytest

from siprec_src.communication import Direction
from siprec_src.media.model import Endpoint
from siprec_src.sip import vocabulary as sip
from tests.support.descriptions import audio, described, sdp
from tests.support.phone import ALICE, BOB
from tests.support.world import World, connected, is_request

CALLER_USAGE, CALLER_INVITE = 1, 2  #: as the counting identity names them

VIDEO = sdp(ALICE, "audio 4000 RTP/AVP 0", "video 4010 RTP/AVP 96")


def over(world: World) -> bool:
    """No call, no port, and one line for its begin and its end each."""
    lines = [line.event for line in world.src.logs]
    return (world.src.calls, world.src.media.ports) == ([], {}) and lines.count("call.begin") == lines.count(
        "call.end"
    ) == 1


@pytest.mark.rfc("3261", "9.1")
@pytest.mark.rfc("3261", "15")
def test_an_answer_that_queues_behind_a_cancel_is_acknowledged_and_ended() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.src.hold_media = True
    world.bob.reply(183, audio(BOB, 5000))
    world.alice.cancel()
    world.bob.reply(200, audio(BOB, 5000))
    world.ladder_lines.clear()
    world.src.release()
    world.bob.reply(200)
    assert (
        world.ladder
        == """\
  src -> bob    ACK
  src -> bob    BYE
  bob -> src    200 BYE"""
    )
    assert over(world)
    assert world.src.agent.usages == 0


@pytest.mark.rfc("3262", "3")
@pytest.mark.rfc("3261", "9.2")
def test_a_cancel_while_the_answer_waits_for_a_prack_ends_the_answered_leg() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(200, audio(BOB, 5000))
    (call,) = world.src.calls
    invite = world.bob.request_seen
    world.src.feed(call, sip.CancelArrived(usage=CALLER_USAGE, token=CALLER_INVITE, request=invite))
    world.run()
    assert world.bob.last(sip.AckArrived)
    assert world.bob.request_seen.method == "BYE"
    assert over(world)
    assert world.src.log("call.end")["outcome"] == "cancelled"


@pytest.mark.rfc("3261", "9.2")
def test_a_re_invite_cancelled_while_its_ports_are_opened_is_not_sent_on() -> None:
    world = connected()
    world.src.hold_media = True
    world.alice.request("INVITE", VIDEO)
    world.alice.cancel()
    world.src.release()
    assert "-> bob" not in world.ladder
    world.alice.request("INVITE", VIDEO)
    assert world.bob.request_seen.method == "INVITE"


@pytest.mark.rfc("3261", "14.1")
@pytest.mark.req("DLG-10")
def test_an_answer_that_crosses_the_cancel_of_a_re_invite_holds_for_both_parties() -> None:
    world = connected()
    world.alice.request("INVITE", audio("10.0.0.7", 4444))
    world.bob.reply(180)
    world.lost = lambda source, target, message: target == "bob" and is_request(message, "CANCEL")
    world.alice.cancel()
    world.bob.reply(200, audio(BOB, 5000))
    assert world.alice.response_seen.status == 200
    world.alice.ack()
    assert world.bob.last(sip.AckArrived).token == world.bob.invite
    facing_alice = next(iter(world.src.media.ports.values()))
    assert (facing_alice.connection and facing_alice.connection.remote) == Endpoint("10.0.0.7", 4444)
    assert len(world.src.calls) == 1


@pytest.mark.rfc("6141", "3.4")
def test_a_new_offer_after_a_cancelled_re_invite_meets_what_both_parties_know() -> None:
    world = connected()
    world.alice.request("INVITE", audio(ALICE, 4000, "a=sendonly", version=2))
    world.bob.reply(180)
    world.at_once = True
    world.alice.cancel()
    world.bob.reply(200, audio(BOB, 5000, "a=recvonly", version=2), token=world.bob.invite)
    world.settle()
    assert world.alice.response_seen.status == 200
    world.alice.ack()
    assert [s.direction for s in world.src.published[-1].streams] == [Direction.SENDONLY, Direction.RECVONLY]
    world.alice.request("UPDATE", audio(ALICE, 4000, "a=sendrecv", version=3))
    world.bob.reply(200, audio(BOB, 5000, version=3))
    assert [s.direction for s in world.src.published[-1].streams] == [Direction.SENDRECV] * 2


@pytest.mark.rfc("3261", "9.1")
def test_a_cancelled_re_invite_to_a_party_that_says_no_more_ends_in_the_end() -> None:
    world = connected()
    world.alice.request("INVITE", audio(ALICE, 4000, "a=sendonly"))
    world.bob.reply(180)
    world.lost = lambda source, target, message: source == "bob"
    world.alice.cancel()
    world.wait(33)
    assert world.alice.response_seen.status == 487
    assert [s.direction for s in world.src.published[-1].streams] == [Direction.SENDRECV] * 2


@pytest.mark.rfc("3261", "15.1.2")
def test_a_bye_of_the_callers_last_early_dialog_stops_the_forks_that_it_has_not_seen() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(180, label="desk")
    invite = world.bob.invite
    world.lost = lambda source, target, message: source == "bob"
    world.bob.reply(180, label="mobile")
    world.lost = lambda source, target, message: False
    world.alice.request("BYE", dialog=world.alice.last(sip.ResponseArrived).dialog)
    assert world.bob.last(sip.CancelArrived).token == invite
    assert over(world)
    assert world.src.log("call.end")["outcome"] == "cancelled"


@pytest.mark.rfc("3261", "13.3.1.1")
def test_a_caller_leg_that_is_given_up_before_its_answer_could_be_sent_ends_the_call() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(200, audio(BOB, 5000))
    (call,) = world.src.calls
    world.src.feed(call, sip.DialogEnded(usage=CALLER_USAGE, dialog="", cause="408"))
    world.run()
    assert world.bob.request_seen.method == "BYE"
    assert over(world)


@pytest.mark.rfc("5057", "5.1")
def test_an_early_dialog_that_the_caller_has_forgotten_costs_the_other_forks_nothing() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000), ("Supported", "100rel"))
    world.bob.reply(183, audio(BOB, 5000), label="desk", reliable=True)
    world.alice.request("PRACK", dialog=world.alice.last(sip.ResponseArrived).dialog)
    world.bob.reply(200)
    invite = world.bob.invite
    world.bob.reply(180, label="mobile", token=invite)
    world.bob.request("UPDATE", audio(BOB, 5002), dialog="desk")
    world.alice.reply(481)
    assert len(world.src.calls) == 1
    world.bob.reply(200, audio(BOB, 6000), label="mobile", token=invite)
    world.alice.ack()
    assert world.bob.last(sip.AckArrived)
    assert len(world.src.published) == 1


@pytest.mark.rfc("3261", "15.1.2")
def test_two_byes_that_wait_for_the_media_plane_are_both_answered() -> None:
    world = connected()
    world.src.hold_media = True
    world.alice.request("INVITE", VIDEO)
    world.alice.request("BYE")
    world.bob.request("BYE")
    world.src.release()
    assert world.alice.response_seen.status == 200
    assert world.bob.response_seen.status == 200
    assert over(world)


def test_a_re_invite_while_the_media_process_is_gone_keeps_the_ports_that_come_back() -> None:
    world = connected()
    world.src.everyone(world.src.media.lose())
    world.alice.request("INVITE", audio(ALICE, 4000, "a=sendonly", version=2))
    assert described(world.bob.request_seen).media[0].port == 10002
    world.bob.reply(200, audio(BOB, 5004, "a=recvonly", version=2))
    assert described(world.alice.response_seen).media[0].port == 10000
    world.alice.ack()
    world.src.everyone(world.src.media.serve())
    facing_alice, facing_bob = world.src.media.ports.values()
    assert (facing_alice.rtp_port, facing_bob.rtp_port) == (10000, 10002)
    assert (facing_bob.connection and facing_bob.connection.remote) == Endpoint(BOB, 5004)
    assert facing_alice.bridged == facing_bob.port


@pytest.mark.rfc("3261", "13.2.2.4")
def test_a_fork_that_has_lost_the_call_no_longer_says_where_media_goes() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000), ("Supported", "100rel"))
    invite = world.bob.last(sip.InviteArrived).token
    world.bob.reply(183, audio(BOB, 5000), label="desk", reliable=True)
    desk = world.alice.last(sip.ResponseArrived).dialog
    world.alice.request("PRACK", dialog=desk)
    world.bob.reply(200)
    world.alice.request("UPDATE", audio(ALICE, 4002, "a=inactive", version=2), dialog=desk)
    update = world.bob.last(sip.RequestArrived).token
    world.bob.reply(200, audio(BOB, 6000), label="mobile", token=invite)
    answers = [event.response for event in world.alice.events if isinstance(event, sip.ResponseArrived)]
    assert [(r.status, r.cseq.method) for r in answers[-2:]] == [(200, "INVITE"), (481, "UPDATE")]
    world.bob.reply(200, audio(BOB, 5000, "a=inactive", version=2), token=update)
    remotes = [connection.remote for connection in world.src.media.connections]
    assert remotes == [Endpoint(ALICE, 4000), Endpoint(BOB, 6000)]
    assert {stream.direction for stream in world.src.published[-1].streams} == {Direction.SENDRECV}
