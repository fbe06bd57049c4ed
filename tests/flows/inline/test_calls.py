"""Whole calls through the B2BUA: set-up, early media, forks, late offers and every way to end."""

from __future__ import annotations

import pytest

from siprec_src.communication import Direction
from siprec_src.media.model import Endpoint
from siprec_src.sip import vocabulary as sip
from tests.support.descriptions import audio
from tests.support.phone import ALICE, BOB
from tests.support.world import World, connected, is_request

SET_UP = """\
alice -> src    INVITE sip:bob@10.0.0.9  [audio 10.0.0.1:4000]
  src -> alice  100 INVITE
  src -> bob    INVITE sip:bob@10.0.0.2:5060  [audio 10.0.0.9:10002]
  bob -> src    100 INVITE
"""


@pytest.mark.rfc("3261", "13.2.1")
@pytest.mark.rfc("3261", "15.1")
def test_a_call_is_set_up_through_our_ports_and_ended_by_the_caller() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(180)
    world.bob.reply(200, audio(BOB, 5000))
    world.alice.ack()
    world.alice.request("BYE")
    world.bob.reply(200)
    assert (
        world.ladder
        == SET_UP
        + """\
  bob -> src    180 INVITE
  src -> alice  180 INVITE
  bob -> src    200 INVITE  [audio 10.0.0.2:5000]
  src -> alice  200 INVITE  [audio 10.0.0.9:10000]
alice -> src    ACK
  src -> bob    ACK
alice -> src    BYE
  src -> alice  200 BYE
  src -> bob    BYE
  bob -> src    200 BYE"""
    )
    assert (world.src.calls, world.src.media.ports) == ([], {})


@pytest.mark.rfc("3261", "15.1")
@pytest.mark.rfc("3326", "2")
def test_the_callee_may_end_the_call_and_its_reason_is_published() -> None:
    world = connected()
    world.bob.request("BYE", b"", ("Reason", 'Q.850;cause=16;text="Normal call clearing"'))
    world.alice.reply(200)
    assert (
        world.ladder
        == """\
  bob -> src    BYE
  src -> bob    200 BYE
  src -> alice  BYE
alice -> src    200 BYE"""
    )
    assert world.alice.request_seen.headers.get("reason") == 'Q.850;cause=16;text="Normal call clearing"'
    last = world.src.published[-1]
    assert (last.ended, last.reason, last.reason_cause) == (world.now, "Normal call clearing", 16)
    assert {who.left for who in last.participants} == {world.now}


@pytest.mark.rfc("3261", "13.2.1")
def test_early_media_flows_before_the_caller_is_told_of_it() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.src.hold_media = True
    world.bob.reply(183, audio(BOB, 5000))
    assert world.ladder == SET_UP + "  bob -> src    183 INVITE  [audio 10.0.0.2:5000]"
    world.src.release()
    assert world.ladder == "  src -> alice  183 INVITE  [audio 10.0.0.9:10000]"
    a, b = world.src.media.ports.values()
    assert (a.bridged, b.bridged) == (b.port, a.port)
    assert (a.connection and a.connection.remote) == Endpoint(ALICE, 4000)
    assert (b.connection and b.connection.remote) == Endpoint(BOB, 5000)
    assert world.src.published == []


@pytest.mark.rfc("3262", "3")
@pytest.mark.rfc("3262", "5")
@pytest.mark.req("DLG-16")
def test_a_reliable_183_and_its_prack_cross() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000), ("Supported", "100rel"))
    world.bob.reply(183, audio(BOB, 5000), reliable=True)
    world.alice.request("PRACK", dialog=world.alice.last(sip.ResponseArrived).dialog)
    world.bob.reply(200)
    world.bob.reply(200, token=world.bob.invite)
    world.alice.ack()
    assert (
        world.ladder
        == SET_UP
        + """\
  bob -> src    183 INVITE reliable  [audio 10.0.0.2:5000]
  src -> alice  183 INVITE reliable  [audio 10.0.0.9:10000]
alice -> src    PRACK
  src -> bob    PRACK
  bob -> src    200 PRACK
  src -> alice  200 PRACK
  bob -> src    200 INVITE
  src -> alice  200 INVITE
alice -> src    ACK
  src -> bob    ACK"""
    )
    assert len(world.src.published) == 1
    assert len(world.src.published[0].streams) == 2


@pytest.mark.rfc("3261", "13.2.1")
def test_a_late_offer_is_answered_in_the_ack_and_published_then() -> None:
    world = World()
    world.alice.call()
    world.bob.reply(200, audio(BOB, 5000))
    assert world.src.published == []
    world.alice.ack(audio(ALICE, 4000))
    assert (
        world.ladder
        == """\
alice -> src    INVITE sip:bob@10.0.0.9
  src -> alice  100 INVITE
  src -> bob    INVITE sip:bob@10.0.0.2:5060
  bob -> src    100 INVITE
  bob -> src    200 INVITE  [audio 10.0.0.2:5000]
  src -> alice  200 INVITE  [audio 10.0.0.9:10000]
alice -> src    ACK  [audio 10.0.0.1:4000]
  src -> bob    ACK  [audio 10.0.0.9:10002]"""
    )
    assert len(world.src.published[0].streams) == 2


@pytest.mark.rfc("3262", "5")
def test_an_offer_in_a_reliable_183_is_answered_in_the_prack() -> None:
    world = World()
    world.alice.call(b"", ("Supported", "100rel"))
    world.bob.reply(183, audio(BOB, 5000), reliable=True)
    world.alice.request("PRACK", audio(ALICE, 4000), dialog=world.alice.last(sip.ResponseArrived).dialog)
    assert world.ladder.splitlines()[-1] == "  src -> bob    PRACK  [audio 10.0.0.9:10002]"
    world.bob.reply(200)
    world.bob.reply(200, token=world.bob.invite)
    world.alice.ack()
    assert len(world.src.published[0].streams) == 2


@pytest.mark.rfc("3262", "5")
@pytest.mark.rfc("6337", "2.2")
@pytest.mark.req("DLG-16")
def test_a_prack_may_make_another_offer_while_it_rings() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000), ("Supported", "100rel"))
    world.bob.reply(183, audio(BOB, 5000), reliable=True)
    early = world.alice.last(sip.ResponseArrived).dialog
    world.alice.request("PRACK", audio(ALICE, 4002, version=2), dialog=early)
    world.bob.reply(200, audio(BOB, 5002, version=2))
    assert world.ladder.splitlines()[-4:] == [
        "alice -> src    PRACK  [audio 10.0.0.1:4002]",
        "  src -> bob    PRACK  [audio 10.0.0.9:10002]",
        "  bob -> src    200 PRACK  [audio 10.0.0.2:5002]",
        "  src -> alice  200 PRACK  [audio 10.0.0.9:10000]",
    ]
    remotes = [connection.remote for connection in world.src.media.connections]
    assert remotes == [Endpoint(ALICE, 4002), Endpoint(BOB, 5002)]
    world.bob.reply(200, token=world.bob.invite)
    world.alice.ack()
    assert [c.remote for c in world.src.media.connections] == remotes
    assert len(world.src.published[0].streams) == 2


@pytest.mark.rfc("3261", "12.1.2")
@pytest.mark.rfc("3261", "13.2.2.4")
def test_each_fork_is_a_dialog_of_its_own_and_the_one_that_answers_is_heard() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(183, audio(BOB, 5000), label="desk")
    first = world.alice.last(sip.ResponseArrived).dialog
    world.bob.reply(183, audio(BOB, 6000), label="mobile")
    second = world.alice.last(sip.ResponseArrived).dialog
    facing_bob = list(world.src.media.ports.values())[1]
    assert first != second
    assert (facing_bob.connection and facing_bob.connection.remote) == Endpoint(BOB, 6000)
    world.bob.reply(200, audio(BOB, 5000), label="desk")
    world.alice.ack()
    assert world.alice.last(sip.ResponseArrived).dialog == first
    assert (facing_bob.connection and facing_bob.connection.remote) == Endpoint(BOB, 5000)
    world.alice.request("BYE")
    world.bob.reply(200)
    assert world.src.agent.usages == 0


@pytest.mark.rfc("3262", "5")
@pytest.mark.rfc("3261", "13.2.1")
def test_a_fork_that_answers_without_sdp_is_heard_as_its_reliable_183_said() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000), ("Supported", "100rel"))
    world.bob.reply(183, audio(BOB, 5000), label="desk", reliable=True)
    world.alice.request("PRACK", dialog=world.alice.last(sip.ResponseArrived).dialog)
    world.bob.reply(200)
    invite = world.bob.invite
    world.bob.reply(183, audio(BOB, 6000), label="mobile", token=invite)
    world.bob.reply(200, label="desk", token=invite)
    facing_bob = list(world.src.media.ports.values())[1]
    assert (facing_bob.connection and facing_bob.connection.remote) == Endpoint(BOB, 5000)


@pytest.mark.rfc("3261", "9.1")
@pytest.mark.rfc("3261", "9.2")
def test_a_cancel_crosses_with_its_reason() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(180)
    world.alice.cancel(("Reason", 'SIP;cause=200;text="Call completed elsewhere"'))
    assert (
        world.ladder
        == SET_UP
        + """\
  bob -> src    180 INVITE
  src -> alice  180 INVITE
alice -> src    CANCEL sip:bob@10.0.0.9
  src -> alice  200 CANCEL
  src -> alice  487 INVITE
alice -> src    ACK
  src -> bob    CANCEL sip:bob@10.0.0.2:5060
  bob -> src    200 CANCEL
  bob -> src    487 INVITE
  src -> bob    ACK"""
    )
    cancelled = world.bob.last(sip.CancelArrived).request
    assert cancelled.headers.get("reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    assert world.src.log("call.end")["outcome"] == "cancelled"
    assert (world.src.published, world.src.media.ports) == ([], {})


@pytest.mark.rfc("3261", "9.1")
def test_a_cancel_that_crosses_the_answer_ends_the_answered_leg() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(180)
    world.src.hold_media = True
    world.bob.reply(200, audio(BOB, 5000))
    world.alice.cancel()
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
    assert (world.src.calls, world.src.media.ports, world.src.published) == ([], {}, [])


@pytest.mark.rfc("3261", "9.2")
def test_a_cancel_while_ports_are_opened_calls_nobody() -> None:
    world = World()
    world.src.hold_media = True
    world.alice.call(audio(ALICE, 4000))
    world.alice.cancel()
    world.src.release()
    assert "-> bob" not in world.ladder
    assert (world.src.calls, world.src.media.ports) == ([], {})


@pytest.mark.rfc("3261", "8.1.3.4")
@pytest.mark.parametrize(
    ("status", "header"),
    [
        (486, ("Warning", '399 bob.example "on the phone"')),
        (401, ("WWW-Authenticate", 'Digest realm="carrier", nonce="n"')),
        (407, ("Proxy-Authenticate", 'Digest realm="carrier", nonce="n"')),
        (302, ("Contact", "<sip:other@10.0.0.77>;q=0.5")),
        (503, ("Retry-After", "7")),
        (606, ("X-Why", "no")),
    ],
)
def test_a_refusal_crosses_as_it_is(status: int, header: tuple[str, str]) -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(status, b"because", header, ("Content-Type", "text/plain"))
    seen = world.alice.response_seen
    assert (seen.status, seen.headers.all(header[0]), seen.body) == (status, (header[1],), b"because")
    assert world.src.log("call.end")["outcome"] == "rejected"
    assert (world.src.calls, world.src.media.ports) == ([], {})


@pytest.mark.rfc("3261", "8.1.3.1")
def test_a_silent_callee_is_told_to_the_caller_as_408() -> None:
    world = World()
    world.lost = lambda source, target, message: target == "bob"
    world.alice.call(audio(ALICE, 4000))
    world.wait(32.1)
    assert world.alice.response_seen.status == 408
    end = world.src.log("call.end")
    assert (end["outcome"], end["status"]) == ("unreachable", 408)


@pytest.mark.rfc("3261", "13.3.1.4")
@pytest.mark.req("DLG-13")
def test_a_caller_that_never_acknowledges_loses_the_call_on_both_legs() -> None:
    world = World(patience=2)
    world.lost = lambda source, target, message: source == "alice" and is_request(message, "ACK")
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(200, audio(BOB, 5000))
    world.wait(33)
    assert world.bob.request_seen.method == "BYE"
    assert world.bob.request_seen.headers.get("reason") == 'SIP;cause=408;text="no-ack"'
    assert world.alice.request_seen.method == "BYE"
    assert (world.src.calls, world.src.media.ports) == ([], {})


@pytest.mark.rfc("3261", "12.2.1.2")
@pytest.mark.req("DLG-04")
def test_a_dialog_that_the_peer_has_forgotten_ends_the_other_leg() -> None:
    world = connected()
    world.alice.request("INFO")
    world.bob.reply(481)
    assert (
        world.ladder
        == """\
alice -> src    INFO
  src -> bob    INFO
  bob -> src    481 INFO
  src -> alice  481 INFO
  src -> alice  BYE
alice -> src    481 BYE"""
    )
    assert world.src.log("call.end")["outcome"] == "broken"


@pytest.mark.rfc("3262", "3")
def test_a_reliable_183_that_nobody_acknowledges_ends_the_call() -> None:
    world = World(patience=2)
    world.alice.call(audio(ALICE, 4000), ("Supported", "100rel"))
    world.bob.reply(183, audio(BOB, 5000), reliable=True)
    world.wait(33)
    assert (world.src.calls, world.src.media.ports) == ([], {})
    assert "  src -> bob    CANCEL sip:bob@10.0.0.2:5060" in world.ladder


@pytest.mark.rfc("3261", "16.6")
def test_the_carrier_can_call_the_pbx() -> None:
    world = World()
    world.bob.call(audio(BOB, 5000), uri="sip:alice@10.0.0.9")
    world.alice.reply(200, audio(ALICE, 4000))
    world.bob.ack()
    assert (
        world.ladder
        == """\
  bob -> src    INVITE sip:alice@10.0.0.9  [audio 10.0.0.2:5000]
  src -> bob    100 INVITE
  src -> alice  INVITE sip:alice@10.0.0.1:5060  [audio 10.0.0.9:10002]
alice -> src    100 INVITE
alice -> src    200 INVITE  [audio 10.0.0.1:4000]
  src -> bob    200 INVITE  [audio 10.0.0.9:10000]
  bob -> src    ACK
  src -> alice  ACK"""
    )
    (session,) = world.src.published
    assert session.trunk == "carrier"
    assert [stream.direction for stream in session.streams] == [Direction.SENDRECV] * 2
