"""What passes inside a call: hold and resume, codecs, streams that come and go, requests of all kinds."""

from __future__ import annotations

import pytest

from siprec_src.communication import Direction
from siprec_src.media.model import Endpoint, PayloadKind
from siprec_src.media.plane import OpenPorts
from siprec_src.sip import vocabulary as sip
from tests.support.descriptions import audio, described, sdp
from tests.support.phone import ALICE, BOB
from tests.support.world import World, connected

ZERO = "0.0.0.0"  #: hold as RFC 2543 spelled it


def directions(world: World) -> list[Direction]:
    return [stream.direction for stream in world.src.published[-1].streams]


@pytest.mark.rfc("3264", "8.4")
@pytest.mark.req("MD-50", "MD-51")
def test_hold_and_resume_cross_and_are_published() -> None:
    world = connected()
    world.alice.request("INVITE", audio(ALICE, 4000, "a=sendonly", version=2))
    world.bob.reply(200, audio(BOB, 5000, "a=recvonly", version=2))
    world.alice.ack()
    assert directions(world) == [Direction.SENDONLY, Direction.RECVONLY]
    world.alice.request("INVITE", audio(ALICE, 4000, "a=sendrecv", version=3))
    world.bob.reply(200, audio(BOB, 5000, version=3))
    world.alice.ack()
    assert directions(world) == [Direction.SENDRECV, Direction.SENDRECV]
    assert (
        world.ladder
        == """\
alice -> src    INVITE  [audio 10.0.0.1:4000 sendonly]
  src -> alice  100 INVITE
  src -> bob    INVITE  [audio 10.0.0.9:10002 sendonly]
  bob -> src    100 INVITE
  bob -> src    200 INVITE  [audio 10.0.0.2:5000 recvonly]
  src -> alice  200 INVITE  [audio 10.0.0.9:10000 recvonly]
alice -> src    ACK
  src -> bob    ACK
alice -> src    INVITE  [audio 10.0.0.1:4000 sendrecv]
  src -> alice  100 INVITE
  src -> bob    INVITE  [audio 10.0.0.9:10002 sendrecv]
  bob -> src    100 INVITE
  bob -> src    200 INVITE  [audio 10.0.0.2:5000]
  src -> alice  200 INVITE  [audio 10.0.0.9:10000]
alice -> src    ACK
  src -> bob    ACK"""
    )
    ids = {tuple(stream.stream_id for stream in session.streams) for session in world.src.published}
    assert len(ids) == 1


@pytest.mark.rfc("3264", "8.4")
def test_the_old_spelling_of_hold_crosses_and_stops_the_relay_to_that_party() -> None:
    world = connected()
    world.alice.request("INVITE", audio(ZERO, 4000))
    assert world.ladder.splitlines()[2] == "  src -> bob    INVITE  [audio 0.0.0.0:10002]"
    world.bob.reply(200, audio(BOB, 5000))
    world.alice.ack()
    facing_alice = next(iter(world.src.media.ports.values()))
    assert facing_alice.connection is not None
    assert facing_alice.connection.remote is None
    assert directions(world) == [Direction.SENDONLY, Direction.RECVONLY]


@pytest.mark.rfc("3264", "8.3.2")
def test_a_codec_change_is_published_as_what_each_party_may_send() -> None:
    world = connected()
    new = "audio {port} RTP/AVP 8 0\na=rtpmap:8 PCMA/8000\na=ptime:30"
    world.alice.request("INVITE", sdp(ALICE, new.format(port=4000)))
    world.bob.reply(200, sdp(BOB, "audio 5000 RTP/AVP 8"))
    world.alice.ack()
    caller, callee = world.src.published[-1].streams
    assert [form.encoding for form in caller.formats] == ["PCMA"]
    assert [form.encoding for form in callee.formats] == ["PCMA"]
    assert callee.packet_time_ms == 30


@pytest.mark.rfc("3264", "8.3.1")
@pytest.mark.req("DLG-10")
def test_the_relay_follows_a_new_address_only_when_the_answer_takes_it() -> None:
    world = connected()
    facing_alice = next(iter(world.src.media.ports.values()))

    def remote() -> Endpoint | None:
        return facing_alice.connection.remote if facing_alice.connection else None

    world.alice.request("INVITE", audio("10.0.0.7", 4444))
    assert remote() == Endpoint(ALICE, 4000)
    world.bob.reply(488)
    assert remote() == Endpoint(ALICE, 4000)
    world.alice.request("INVITE", audio("10.0.0.7", 4444))
    world.bob.reply(200, audio(BOB, 5000))
    world.alice.ack()
    assert remote() == Endpoint("10.0.0.7", 4444)


@pytest.mark.rfc("3311", "5.1")
@pytest.mark.rfc("3311", "5.2")
def test_an_update_crosses_with_and_without_an_offer() -> None:
    world = connected()
    world.bob.request("UPDATE", audio(BOB, 5000, "a=inactive"))
    world.alice.reply(200, audio(ALICE, 4000, "a=inactive"))
    world.alice.request("UPDATE")
    world.bob.reply(200)
    assert (
        world.ladder
        == """\
  bob -> src    UPDATE  [audio 10.0.0.2:5000 inactive]
  src -> alice  UPDATE  [audio 10.0.0.9:10000 inactive]
alice -> src    200 UPDATE  [audio 10.0.0.1:4000 inactive]
  src -> bob    200 UPDATE  [audio 10.0.0.9:10002 inactive]
alice -> src    UPDATE
  src -> bob    UPDATE
  bob -> src    200 UPDATE
  src -> alice  200 UPDATE"""
    )
    assert directions(world) == [Direction.INACTIVE, Direction.INACTIVE]


@pytest.mark.rfc("3311", "5.1")
def test_an_update_inside_an_early_dialog_finds_its_fork() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000), ("Supported", "100rel"))
    world.bob.reply(183, audio(BOB, 5000), label="desk", reliable=True)
    early = world.alice.last(sip.ResponseArrived).dialog
    world.alice.request("PRACK", dialog=early)
    world.bob.reply(200)
    world.alice.request("UPDATE", audio(ALICE, 4002), dialog=early)
    assert world.bob.last(sip.RequestArrived).dialog == "desk"
    world.bob.reply(200, audio(BOB, 5000))
    facing_alice = next(iter(world.src.media.ports.values()))
    assert (facing_alice.connection and facing_alice.connection.remote) == Endpoint(ALICE, 4002)


@pytest.mark.rfc("3261", "14.2")
@pytest.mark.req("DLG-07")
def test_re_invites_that_meet_halfway_are_both_sent_back() -> None:
    world = connected()
    world.at_once = True
    world.alice.request("INVITE", audio(ALICE, 4000, "a=sendonly"))
    world.bob.request("INVITE", audio(BOB, 5000, "a=sendonly"))
    world.settle()
    assert world.alice.response_seen.status == 491
    assert world.bob.response_seen.status == 491
    assert directions(world) == [Direction.SENDRECV, Direction.SENDRECV]
    assert len(world.src.calls) == 1


@pytest.mark.rfc("3261", "14.2")
def test_a_re_invite_that_meets_one_waiting_for_ports_is_sent_back() -> None:
    world = connected()
    world.src.hold_media = True
    world.alice.request("INVITE", sdp(ALICE, "audio 4000 RTP/AVP 0", "video 4010 RTP/AVP 96"))
    world.bob.request("INVITE", audio(BOB, 5000, "a=sendonly"))
    assert world.bob.response_seen.status == 491
    world.src.release()
    assert world.bob.request_seen.method == "INVITE"


@pytest.mark.rfc("3261", "9.1")
def test_a_re_invite_can_be_cancelled_and_the_call_goes_on() -> None:
    world = connected()
    world.alice.request("INVITE", audio(ALICE, 4000, "a=sendonly"))
    world.bob.reply(180)
    world.alice.cancel()
    assert world.bob.last(sip.CancelArrived) is not None
    world.bob.reply(487, token=world.bob.invite)
    assert world.alice.response_seen.status == 487
    assert len(world.src.calls) == 1
    world.alice.request("INFO")
    world.bob.reply(200)
    assert world.alice.response_seen.status == 200


@pytest.mark.rfc("6086", "4.2")
@pytest.mark.rfc("3515", "2.4")
@pytest.mark.rfc("3428", "4")
@pytest.mark.rfc("3261", "11")
@pytest.mark.parametrize("method", ["INFO", "REFER", "NOTIFY", "MESSAGE", "OPTIONS"])
def test_other_requests_cross_both_ways_with_headers_and_body(method: str) -> None:
    world = connected()
    for sender, receiver in ((world.alice, world.bob), (world.bob, world.alice)):
        sender.request(method, b"any \xff octets", ("Content-Type", "application/x-any"), ("X-Mark", "7"))
        seen = receiver.request_seen
        assert (seen.method, seen.body, seen.headers.get("x-mark")) == (method, b"any \xff octets", "7")
        receiver.reply(202, b"fine", ("Content-Type", "text/plain"), ("X-Back", "8"))
        back = sender.response_seen
        assert (back.status, back.body, back.headers.get("x-back")) == (202, b"fine", "8")
    assert len(world.src.published) == 1


@pytest.mark.rfc("3264", "8.1")
def test_a_switch_to_t38_is_relayed_as_datagrams_and_back() -> None:
    world = connected()
    fax = ("audio 0 RTP/AVP 0", "image {port} udptl t38\na=T38FaxVersion:0")
    world.bob.request("INVITE", sdp(BOB, fax[0], fax[1].format(port=5002)))
    assert world.ladder.splitlines()[-1] == "alice -> src    100 INVITE"
    world.alice.reply(200, sdp(ALICE, fax[0], fax[1].format(port=4002)))
    world.bob.ack()
    audio_a, audio_b, image_a, image_b = world.src.media.ports.values()
    for port in (audio_a, audio_b):
        assert port.connection is not None
        assert port.connection.remote is None
    for port, remote in ((image_a, Endpoint(ALICE, 4002)), (image_b, Endpoint(BOB, 5002))):
        assert port.connection is not None
        assert (port.connection.kind, port.connection.remote) == (PayloadKind.RAW, remote)
        assert port.near == audio_a.port
    assert [(s.medium, s.source) for s in world.src.published[-1].streams] == [("image", None)] * 2
    world.bob.request("INVITE", sdp(BOB, "audio 5000 RTP/AVP 0", "image 0 udptl t38"))
    world.alice.reply(200, sdp(ALICE, "audio 4000 RTP/AVP 0", "image 0 udptl t38"))
    world.bob.ack()
    assert [stream.stream_id for stream in world.src.published[-1].streams] == [
        stream.stream_id for stream in world.src.published[0].streams
    ]
    assert len(world.src.media.ports) == 4


@pytest.mark.rfc("3264", "6")
def test_video_is_relayed_beside_audio_and_may_be_refused() -> None:
    offer = sdp(ALICE, "audio 4000 RTP/AVP 0", "video 4010 RTP/AVP 96\na=rtpmap:96 H264/90000")
    both = connected(offer, sdp(BOB, "audio 5000 RTP/AVP 0", "video 5010 RTP/AVP 96\na=rtpmap:96 H264/90000"))
    assert [stream.medium for stream in both.src.published[0].streams] == ["audio"] * 2 + ["video"] * 2
    assert all(port.bridged for port in both.src.media.ports.values())
    one = connected(offer, sdp(BOB, "audio 5000 RTP/AVP 0", "video 0 RTP/AVP 96"))
    assert [stream.medium for stream in one.src.published[0].streams] == ["audio"] * 2
    assert described(one.alice.response_seen).media[1].port == 0


@pytest.mark.rfc("3264", "8.1")
def test_a_stream_for_which_there_is_no_port_is_refused_and_the_call_goes_on() -> None:
    world = connected()
    world.src.media.refuse(OpenPorts, "ports-exhausted")
    world.alice.request("INVITE", sdp(ALICE, "audio 4000 RTP/AVP 0", "video 4010 RTP/AVP 96"))
    assert described(world.bob.request_seen).media[1].port == 0
    world.bob.reply(200, sdp(BOB, "audio 5000 RTP/AVP 0", "video 0 RTP/AVP 96"))
    world.alice.ack()
    assert [stream.medium for stream in world.src.published[-1].streams] == ["audio"] * 2
    assert world.src.log("call.stream-refused")["reason"] == "ports-exhausted"


@pytest.mark.rfc("3261", "14.1")
def test_an_offerless_re_invite_is_answered_in_its_ack() -> None:
    world = connected()
    world.bob.request("INVITE")
    world.alice.reply(200, audio(ALICE, 4000, "a=sendonly"))
    world.bob.ack(audio(BOB, 5000, "a=recvonly"))
    assert world.ladder.splitlines()[-2:] == [
        "  bob -> src    ACK  [audio 10.0.0.2:5000 recvonly]",
        "  src -> alice  ACK  [audio 10.0.0.9:10000 recvonly]",
    ]
    assert directions(world) == [Direction.SENDONLY, Direction.RECVONLY]


@pytest.mark.rfc("3261", "15.1.2")
def test_a_bye_ends_what_is_still_unanswered() -> None:
    world = connected()
    world.alice.request("INFO")
    world.bob.request("BYE")
    world.alice.reply(200)
    statuses = [e.response.status for e in world.alice.events if isinstance(e, sip.ResponseArrived)]
    assert statuses[-1] == 481
    assert (world.src.calls, world.src.media.ports) == ([], {})


@pytest.mark.rfc("3891", "6.1")
@pytest.mark.rfc("3515", "2.4.1")
def test_dialog_ids_in_refer_to_are_those_of_the_leg_where_they_mean_something() -> None:
    world = connected()
    invite, answer = world.bob.last(sip.InviteArrived).request, world.alice.last(sip.ResponseArrived).response
    ours, theirs = answer.to.tag, answer.from_.tag
    world.alice.request(
        "REFER",
        b"",
        ("Refer-To", f"<sip:c@x?Replaces={answer.call_id}%3Bto-tag%3D{ours}%3Bfrom-tag%3D{theirs}&X=1>"),
    )
    assert world.bob.request_seen.headers.get("refer-to") == (
        f"<sip:c@x?Replaces={invite.call_id}%3Bto-tag%3D{world.bob.request_seen.to.tag}%3Bfrom-tag%3D{invite.from_.tag}&X=1>"
    )
    world.bob.reply(202)
    world.alice.request("REFER", b"", ("Refer-To", "<sip:c@x?Replaces=unknown%3Bto-tag%3D1%3Bfrom-tag%3D2>"))
    seen = world.bob.request_seen.headers.get("refer-to")
    assert seen == "<sip:c@x?Replaces=unknown%3Bto-tag%3D1%3Bfrom-tag%3D2>"
