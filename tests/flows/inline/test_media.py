"""The media plane under a call: keys, opaque streams, hostile descriptions, no room, a process that dies."""

from __future__ import annotations

import base64
import dataclasses

import pytest

from siprec_src.ingest.inline.ingest import InlineIngest
from siprec_src.ingest.inline.routing import RoutingTable
from siprec_src.machine import Forward
from siprec_src.media import plane
from siprec_src.media.model import Endpoint, PayloadKind, PortCounters, SourcePolicy
from siprec_src.media.plane import OpenPorts
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.message import Headers, Request
from tests.support.descriptions import audio, described, sdp
from tests.support.identity import CountingIdentity
from tests.support.media import FakeMedia
from tests.support.phone import ALICE, BOB, SRC, edge
from tests.support.world import World, connected, two_trunks


@pytest.mark.rfc("5763", "5")
def test_dtls_srtp_passes_as_opaque_datagrams_without_ice_and_bundle() -> None:
    dtls = "a=fingerprint:sha-256 AA\na=setup:actpass"
    lines = f"{dtls}\na=ice-ufrag:x\na=candidate:1 1 UDP 1 10.0.0.1 4000 typ host"
    offer = sdp(
        ALICE, f"audio 4000 UDP/TLS/RTP/SAVPF 0\n{lines}", session="a=group:BUNDLE 0\r\na=ice-lite\r\n"
    )
    answer = sdp(BOB, "audio 5000 UDP/TLS/RTP/SAVPF 0\na=fingerprint:sha-256 BB\na=setup:active")
    world = connected(offer, answer)
    seen = world.bob.last(sip.InviteArrived).request.body
    assert b"fingerprint:sha-256 AA" in seen
    assert b"ice" not in seen
    assert b"candidate" not in seen
    assert b"BUNDLE" not in seen
    assert [c.kind for c in world.src.media.connections] == [PayloadKind.RAW, PayloadKind.RAW]
    assert [(s.source, s.encrypted) for s in world.src.published[0].streams] == [(None, True)] * 2


@pytest.mark.rfc("5621", "3.1")
def test_a_description_inside_a_multipart_is_exchanged_and_the_other_parts_stay() -> None:
    parts = (
        b"--cut\r\nContent-Type: application/sdp\r\n\r\n" + audio(ALICE, 4000)
        + b"\r\n--cut\r\nContent-Type: application/isup;version=x\r\n\r\n\x01\x02\xff\r\n--cut--\r\n"
    )  # fmt: skip
    world = World()
    world.alice.call(parts, ("Content-Type", "multipart/mixed;boundary=cut"))
    request = world.bob.request_seen
    assert request.headers.get("content-type") == "multipart/mixed;boundary=cut"
    assert b"\r\n\r\n\x01\x02\xff\r\n--cut--\r\n" in request.body
    assert b"m=audio 10002 RTP/AVP 0 101\r\n" in request.body
    assert ALICE.encode() in request.body.partition(b"c=")[0]
    assert ALICE.encode() not in request.body.partition(b"c=")[2]


@pytest.mark.rfc("5621", "8.2")
@pytest.mark.parametrize(
    "first",
    [
        b"Content-Type: text/plain\r\n\r\n" + audio(ALICE, 4000),
        b"Content-Type: application/sdp\r\n\r\n" + audio(ALICE, 4002),
    ],
)
def test_a_multipart_in_which_a_description_could_be_missed_is_refused(first: bytes) -> None:
    second = b"Content-Type: application/sdp\r\n\r\n" + audio(ALICE, 4000)
    world = World()
    world.alice.call(
        b"--cut\r\n" + first + b"\r\n--cut\r\n" + second + b"\r\n--cut--\r\n",
        ("Content-Type", "multipart/mixed;boundary=cut"),
    )
    assert world.alice.response_seen.status == 415
    assert "-> bob" not in world.ladder
    assert world.src.calls == []


@pytest.mark.rfc("3605", "2.1")
@pytest.mark.rfc("5761", "5.1.1")
def test_rtcp_has_the_place_that_the_parties_agree_on() -> None:
    world = connected(
        audio(ALICE, 4000, "a=rtcp:4009", "a=rtcp-mux"), audio(BOB, 5000, "a=rtcp:5007 IN IP4 10.0.0.3")
    )
    assert described(world.bob.last(sip.InviteArrived).request).media[0].attribute("rtcp") == "10003"
    caller, callee = world.src.media.connections
    assert (caller.rtcp_mux, caller.remote_rtcp) == (False, Endpoint(ALICE, 4009))
    assert callee.remote_rtcp == Endpoint("10.0.0.3", 5007)
    mux = connected(audio(ALICE, 4000, "a=rtcp-mux"), audio(BOB, 5000, "a=rtcp-mux"))
    assert [c.rtcp_mux for c in mux.src.media.connections] == [True, True]


@pytest.mark.rfc("4733", "2.5.1")
def test_the_engine_is_told_the_event_payload_type_each_party_sends() -> None:
    offer = sdp(ALICE, "audio 4000 RTP/AVP 0 97\na=rtpmap:97 telephone-event/8000")
    answer = sdp(BOB, "audio 5000 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000")
    caller, callee = connected(offer, answer).src.media.connections
    assert (caller.event_payload_types, callee.event_payload_types) == ((101,), (97,))


@pytest.mark.rfc("3261", "21.5.4")
def test_a_caller_is_told_when_to_try_again_when_ports_have_run_out() -> None:
    world = World()
    world.src.media.refuse(OpenPorts, "ports-exhausted")
    world.alice.call(audio(ALICE, 4000))
    answer = world.alice.response_seen
    assert (answer.status, answer.headers.get("retry-after")) == (503, "10")
    assert "-> bob" not in world.ladder
    end = world.src.log("call.end")
    assert (end["outcome"], end["status"]) == ("refused", 503)


@pytest.mark.rfc("3261", "21.5.4")
def test_ports_that_run_out_for_a_late_offer_end_both_legs() -> None:
    world = World()
    world.alice.call()
    world.src.media.refuse(OpenPorts, "ports-exhausted")
    world.bob.reply(200, audio(BOB, 5000))
    assert world.alice.response_seen.status == 503
    assert world.bob.request_seen.method == "BYE"
    assert world.src.calls == []


@pytest.mark.rfc("3261", "21.5.4")
def test_a_media_plane_that_is_silent_counts_as_none() -> None:
    world = World()
    world.src.hold_media = True
    world.alice.call(audio(ALICE, 4000))
    world.wait(5.5)
    assert "503" not in world.ladder, "it may be starting"
    world.wait(1.0)
    assert world.alice.response_seen.status == 503
    assert world.src.log("call.media-silent")
    world.src.release()
    assert world.src.media.ports == {}


@pytest.mark.rfc("3261", "21.4.1")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"no description at all", 400),
        (audio("224.0.0.7", 4000), 488),
        (audio("phone.example", 4000), 488),
        (audio("2001:db8::7", 4000), 488),
        (sdp(ALICE, *["audio 4000 RTP/AVP 0"] * 17), 488),
    ],
)
def test_an_offer_that_cannot_be_relayed_is_refused(body: bytes, status: int) -> None:
    world = World()
    world.alice.call(body)
    assert world.alice.response_seen.status == status
    assert "-> bob" not in world.ladder
    assert (world.src.calls, world.src.media.ports) == ([], {})


@pytest.mark.rfc("3264", "6")
def test_an_answer_at_an_address_of_the_other_ip_version_ends_the_call_instead_of_leaving_it_silent() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(200, audio("2001:db8::7", 5000))
    assert world.alice.response_seen.status == 502
    assert world.bob.request_seen.method == "BYE"
    assert "IPv6" in str(world.src.log("call.bad-answer")["reason"])
    assert (world.src.calls, world.src.media.ports) == ([], {})


@pytest.mark.rfc("3264", "6")
def test_a_re_invite_to_an_address_of_the_other_ip_version_is_refused_and_the_session_stays() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(200, audio(BOB, 5000))
    world.alice.ack()
    before = world.src.media.ports
    world.alice.request("INVITE", audio("2001:db8::7", 4000, version=2))
    assert world.alice.response_seen.status == 488
    assert (len(world.src.calls), world.src.media.ports) == (1, before)


@pytest.mark.rfc("3261", "21.4.13")
def test_an_encoded_description_is_refused_with_415() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000), ("Content-Type", "application/sdp"), ("Content-Encoding", "gzip"))
    assert world.alice.response_seen.status == 415


@pytest.mark.rfc("3261", "21.5.3")
def test_an_answer_that_cannot_be_read_is_left_out_of_a_183_and_fails_a_200() -> None:
    world = World()
    world.alice.call(audio(ALICE, 4000))
    world.bob.reply(183, b"rubbish")
    early = world.alice.response_seen
    assert (early.status, early.body, "content-type" in early.headers) == (183, b"", False)
    world.bob.reply(200, sdp(BOB, "audio 5000 RTP/AVP 0", "audio 5002 RTP/AVP 0"))
    assert world.alice.response_seen.status == 502
    assert world.bob.request_seen.method == "BYE"
    assert world.src.log("call.end")["outcome"] == "broken"


@pytest.mark.rfc("3261", "14.1")
@pytest.mark.req("DLG-10")
def test_a_re_invite_with_a_broken_offer_or_answer_leaves_the_call_as_it_was() -> None:
    world = connected()
    world.alice.request("INVITE", b"rubbish")
    assert world.alice.response_seen.status == 400
    world.alice.request("INVITE", audio(ALICE, 4444))
    world.bob.reply(200, b"rubbish")
    assert world.alice.response_seen.status == 502
    assert world.src.media.connections[0].remote == Endpoint(ALICE, 4000)
    assert len(world.src.calls) == 1


@pytest.mark.rfc("3261", "13.2.1")
def test_a_late_offer_whose_answer_is_broken_ends_the_call() -> None:
    world = World()
    world.alice.call()
    world.bob.reply(200, audio(BOB, 5000))
    world.alice.ack(b"rubbish")
    assert world.alice.request_seen.method == "BYE"
    assert world.bob.request_seen.method == "BYE"
    world.alice.reply(200)
    world.bob.reply(200)
    assert (world.src.calls, world.src.media.ports) == ([], {})


def test_a_media_process_that_comes_back_serves_the_same_ports_and_new_sources() -> None:
    world = connected()
    world.src.everyone(world.src.media.lose())
    world.src.everyone(world.src.media.serve())
    ports = list(world.src.media.ports.values())
    assert [port.rtp_port for port in ports] == [10000, 10002]
    assert ports[0].bridged == ports[1].port
    assert ports[1].near == ports[0].port
    assert [c.remote for c in world.src.media.connections] == [Endpoint(ALICE, 4000), Endpoint(BOB, 5000)]
    before, after = world.src.published
    assert [stream.source for stream in after.streams] == [port.port for port in ports]
    assert [stream.stream_id for stream in after.streams] == [stream.stream_id for stream in before.streams]
    assert world.ladder == ""


def test_a_media_process_that_dies_again_while_it_comes_back_is_served_in_the_end() -> None:
    world = connected()
    world.src.everyone(world.src.media.lose())
    world.src.hold_media = True
    world.src.everyone(world.src.media.serve())
    world.src.everyone(world.src.media.lose())
    world.src.release()
    world.src.everyone(world.src.media.serve())
    assert [port.rtp_port for port in world.src.media.ports.values()] == [10000, 10002]


def test_signalling_goes_on_while_the_media_process_is_gone() -> None:
    world = connected()
    world.src.everyone(world.src.media.lose())
    world.alice.request("INVITE", audio(ALICE, 4000, "a=sendonly"))
    world.bob.reply(200, audio(BOB, 5000, "a=recvonly"))
    world.alice.ack()
    assert world.bob.request_seen.method == "ACK"
    world.alice.request("BYE")
    world.bob.reply(200)
    assert world.src.calls == []
    assert world.src.published[-1].ended is not None


def test_the_books_of_both_tracks_are_in_the_one_line_at_the_end() -> None:
    world = connected(b"", b"", ("P-Asserted-Identity", "<tel:+4930123>"))
    caller, callee = world.src.media.ports.values()
    caller.counters = PortCounters(received=100, relayed=98, lost=3, dropped_send=2, lost_restart=1)
    callee.counters = PortCounters(received=50, relayed=50, dropped_foreign=7, dropped_auth=1)
    world.wait(12.5)
    world.alice.request("BYE")
    begin, end = world.src.log("call.begin"), world.src.log("call.end")
    assert (begin["call"], begin["trunk"], begin["to"]) == (end["call"], "pbx", "carrier")
    session = base64.b64encode(world.src.published[0].session_id).decode()
    assert begin["session"] == end["session"] == session
    assert {name: end[name] for name in end if name.startswith(("caller", "callee", "dur"))} == {
        "duration_s": 12.5,
        "caller_received": 100,
        "caller_relayed": 98,
        "caller_lost": 3,
        "caller_dropped": 2,
        "caller_dropped_send": 2,
        "caller_lost_restart": 1,
        "callee_received": 50,
        "callee_relayed": 50,
        "callee_lost": 0,
        "callee_dropped": 8,
        "callee_dropped_foreign": 7,
        "callee_dropped_auth": 1,
        "caller_told": "",
        "callee_told": "",
    }
    assert [(o.name, o.labels) for o in world.src.observed] == [("calls_total", (("outcome", "answered"),))]


def test_recording_is_told_of_the_end_before_the_ports_are_closed() -> None:
    world = connected()
    world.src.hold_media = True
    world.alice.request("BYE")
    assert world.src.published[-1].ended == world.now
    assert world.src.log("call.begin")
    assert not [line for line in world.src.logs if line.event == "call.end"]
    world.src.release()
    assert world.src.log("call.end")["outcome"] == "answered"


@pytest.mark.rfc("8866", "5.7")
def test_each_party_is_met_on_the_edge_of_its_trunk() -> None:
    edges = {"default": edge(SRC), "out": edge("192.0.2.9", "out", low=20000, high=20099)}
    pbx, carrier = two_trunks()
    carrier = dataclasses.replace(carrier, edge="out", source_policy=SourcePolicy.LEARN)
    table = RoutingTable((pbx, carrier), edges)
    ingest = InlineIngest(identity=CountingIdentity(), routing=table, edges=edges)
    flow = Flow(Transport.UDP, Address(ALICE, 5060), "default")
    fields = Headers((("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@x>"), ("Content-Type", "application/sdp")))
    invite = Request(method="INVITE", uri="sip:b@x", headers=fields, body=audio(ALICE, 4000))
    arrived = sip.InviteArrived(usage=90, token=91, request=invite, flow=flow)
    (forward,) = ingest.receive(arrived, 0.0)
    assert isinstance(forward, Forward)
    media, todo, sent = FakeMedia(), [forward.event], []
    while todo:
        for effect in forward.machine.receive(todo.pop(0), 0.0):
            if isinstance(effect, plane.Command):
                todo.append(media.answer(effect))
            elif isinstance(effect, sip.StartInvite):
                sent.append(effect)
    assert [(port.host, port.rtp_port) for port in media.ports.values()] == [
        (SRC, 10000),
        ("192.0.2.9", 20000),
    ]
    inside, outside = media.ports.values()
    assert (inside.near, outside.near) == (None, inside.port)
    assert sent[0].edge == "out"
    assert b"c=IN IP4 192.0.2.9\r\n" in sent[0].body
    assert b"m=audio 20000 " in sent[0].body


def test_a_call_that_a_shutdown_ends_is_no_broken_one() -> None:
    world = connected()
    (call,) = world.src.calls
    dialog = world.bob.request_seen.to.tag or ""
    world.src.feed(call, sip.DialogEnded(usage=1, dialog=dialog, cause="shutdown"))
    world.run()
    assert world.src.log("call.end")["outcome"] == "shutdown"
    assert not [line for line in world.src.logs if line.level == "warning"]


def test_our_address_is_all_that_a_party_sees() -> None:
    world = connected()
    assert described(world.bob.last(sip.InviteArrived).request).own_connection is not None
    seen = world.bob.last(sip.InviteArrived).request
    assert seen.contacts[0].uri.host == SRC
    assert seen.via.host == SRC
    assert ALICE not in (seen.headers.get("call-id") or "")
