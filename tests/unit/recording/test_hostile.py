"""SRSs that would make the client loop, forget, or say what is not so; and races with the media plane."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from siprec_src.communication import CommunicationSession, Direction, Name
from siprec_src.media import plane
from siprec_src.metadata.model import Recording, SnapshotRequest
from siprec_src.metadata.reader import read_metadata
from siprec_src.metadata.writer import write_snapshot_request
from siprec_src.recording.commands import Stop
from siprec_src.sdp.model import Line, Media
from siprec_src.sdp.writer import write_sdp
from siprec_src.sip import vocabulary as sip
from tests.unit.recording.play import (
    CALLER,
    OPUS,
    VOICE_A,
    Play,
    answer_to,
    metadata_of,
    offer_of,
    track,
    two_party_call,
    with_stream,
)

OTHER_TYPE = "application/sdp, application/rs-metadata"
THIS_TYPE = "application/sdp, application/rs-metadata+xml"


def recorded(*srs: str) -> Play:
    play = Play(*srs)
    play.publish(two_party_call())
    play.accept()
    return play


def with_third_track() -> CommunicationSession:
    call = two_party_call()
    return dataclasses.replace(call, streams=(*call.streams, track(b"c" * 16, CALLER, 1)))


def renamed(call: CommunicationSession, aor: str) -> CommunicationSession:
    caller = dataclasses.replace(call.participants[0], names=(Name(aor=aor),))
    return dataclasses.replace(call, participants=(caller, *call.participants[1:]))


# No loop at the speed of the network.


@pytest.mark.rfc("9806", "2")
@pytest.mark.req("ERR-02")
def test_an_srs_that_always_wants_the_other_media_type_is_asked_twice_only() -> None:
    play = Play("sip:one.example")
    play.publish(two_party_call())
    for accept in (OTHER_TYPE, THIS_TYPE):
        play.say(415, headers=(("Accept", accept),))
    assert len(play.invites) == 2
    assert len(play.log("recording.failed")) == 1


@pytest.mark.req("ERR-13")
def test_srss_that_take_every_call_and_lose_it_at_once_are_not_asked_in_a_circle() -> None:
    play = Play("sip:one.example", "sip:two.example")
    play.publish(two_party_call())
    for _ in range(2):
        play.accept()
        play.tell(plane.ReaderUnreachable(reader=next(iter(play.media.readers))))
        play.say(503, made_here=True)
        play.say(503, made_here=True, to=[r for r in play.requests if r.method == "BYE"][-1])
    assert [i.request_uri for i in play.invites] == ["sip:one.example", "sip:two.example"]
    assert len(play.log("recording.failed")) == 1
    play.until(play.now + 10.0)
    assert len(play.invites) == 3


@pytest.mark.req("ERR-13")
def test_changes_of_the_call_do_not_cut_the_pause_between_rounds_short() -> None:
    play = Play("sip:one.example")
    play.publish(two_party_call())
    play.say(503)
    for number in range(20):
        play.publish(renamed(two_party_call(), f"sip:alice{number}@example.com"))
    assert len(play.invites) == 1


@pytest.mark.rfc("3261", "21.5.4")
@pytest.mark.req("ERR-08")
def test_an_srs_that_says_for_how_long_it_is_busy_is_left_alone_that_long() -> None:
    play = Play("sip:one.example", "sip:two.example")
    play.publish(two_party_call())
    play.say(503, headers=(("Retry-After", "120"),))
    asked = []
    while play.now < 200.0:
        asked.append((play.now, play.invites[-1].request_uri))
        before = len(play.invites)
        play.say(486)
        while len(play.invites) == before:
            play.until(play.now + 1.0)
    again = [now for now, uri in asked if uri == "sip:one.example"]
    assert len([uri for _, uri in asked if uri == "sip:two.example"]) > 3
    assert again
    assert again[0] > 120.0


def test_a_call_that_no_srs_may_get_is_named_once() -> None:
    play = Play("sip:one.example")
    call = dataclasses.replace(two_party_call(), streams=(track(VOICE_A, CALLER, 1, encrypted=True),))
    for number in range(5):
        play.publish(renamed(call, f"sip:alice{number}@example.com"))
    assert len(play.log("recording.failed")) == 1


@pytest.mark.req("KEY-03")
def test_a_call_that_becomes_encrypted_goes_to_a_secure_srs_at_once() -> None:
    play = recorded("sip:one.example", "sip:two.example;secure=true;transport=tcp")
    play.publish(with_stream(two_party_call(), VOICE_A, encrypted=True))
    assert play.invites[-1].request_uri == "sip:two.example;transport=tcp"


# Nothing is forgotten.


@pytest.mark.rfc("7866", "9.2")
@pytest.mark.req("UPD-06", "UPD-10", "DLG-06")
def test_a_snapshot_that_met_glare_is_sent_again() -> None:
    play = recorded()
    body = write_snapshot_request(SnapshotRequest())
    play.ask("UPDATE", body, "application/rs-metadata+xml", Content_Disposition="recording-session")
    play.say(491)
    play.until(play.now + 5.0)
    assert play.methods() == ["UPDATE", "UPDATE"]
    assert isinstance(read_metadata(metadata_of(play.requests[1])), Recording)


@pytest.mark.req("BOD-12", "MD-25", "UPD-16")
def test_metadata_names_no_label_of_an_m_line_that_was_refused() -> None:
    play = recorded()
    play.publish(with_third_track())
    play.say(488)
    play.publish(renamed(with_third_track(), "sip:carol@example.com"))
    update = play.requests[-1]
    assert [m.label for m in offer_of(update).media] == ["1", "2"]
    assert metadata_of(update).count(b"<label>") == 2


def test_an_added_track_without_a_port_is_named() -> None:
    play = recorded()
    play.media.refuse(plane.OpenPorts, "ports-exhausted")
    play.publish(with_third_track())
    (line,) = play.log("recording.fork-failed")
    assert line["what"] == "ports-exhausted"
    assert play.log("recording.end") == []


def test_a_track_that_moves_while_its_reader_is_being_attached_is_recorded() -> None:
    play = Play()
    play.publish(two_party_call())
    play.hold_media()
    play.accept()
    held, play.held = play.held or [], []
    opened = play.media.answer(plane.OpenPorts(tag=0, host="10.0.0.1", low=30000, high=30001, count=1))
    assert isinstance(opened, plane.PortsOpen)
    port = opened.ports[0].port
    play.publish(with_stream(two_party_call(), VOICE_A, source=port))
    play.held = None
    for index, (machine, answer) in enumerate(held):
        gone = plane.Refused(tag=answer.tag, reason="gone") if index == 0 else answer
        if index == 0:
            play.media.readers.clear()
        play._do(machine, machine.receive(gone, play.now))  # type: ignore[attr-defined]
    assert port in [r.attached.stream for r in play.media.readers.values()]


@pytest.mark.rfc("7865", "6.4")
def test_a_recording_that_is_stopped_before_the_call_ends_leaves_it_in_the_metadata() -> None:
    play = recorded()
    play.now = 5.0
    play.command(Stop(7))
    document = read_metadata(metadata_of(play.requests[0]))
    assert isinstance(document, Recording)
    assert document.session_recordings[0].disassociated is not None
    assert document.sessions[0].stopped is None


# Answers that are not what they seem.


@pytest.mark.rfc("3264", "6")
@pytest.mark.req("KEY-35", "SDP-30")
@pytest.mark.parametrize("protocol", ["RTP/SAVP", "UDP/TLS/RTP/SAVPF", "TCP/RTP/AVP", "udptl"])
def test_another_transport_than_was_offered_is_a_refused_track(protocol: str) -> None:
    play = Play("sip:one.example")
    play.publish(two_party_call())
    play.accept(lambda i, m: m.with_protocol(protocol) if i else m)
    assert [r.attached.stream for r in play.media.readers.values()] == [1]


@pytest.mark.req("SDP-30")
def test_the_feedback_profile_is_taken_for_the_same() -> None:
    play = Play("sip:one.example")
    play.publish(two_party_call())
    play.accept(lambda _i, m: m.with_protocol("RTP/AVPF"))
    assert len(play.media.readers) == 2


@pytest.mark.rfc("3264", "6.1")
@pytest.mark.req("SDP-11", "SDP-13")
def test_a_payload_type_without_rtpmap_means_what_the_offer_said() -> None:
    play = Play("sip:one.example")
    play.publish(with_stream(two_party_call(), VOICE_A, formats=(OPUS,)))
    play.accept(lambda i, m: m.without_attribute("rtpmap", "fmtp") if i == 0 else m)
    assert [r.attached.payload_types for r in play.media.readers.values()] == [((96, 96),), ((0, 0),)]


@pytest.mark.rfc("3605", "2.1")
@pytest.mark.parametrize("host", ["rtcp.example", "0.0.0.0"])
def test_rtcp_goes_to_numeric_addresses_only(host: str) -> None:
    def change(_index: int, media: Media) -> Media:
        return dataclasses.replace(media, lines=(*media.lines, Line("a", f"rtcp:40001 IN IP4 {host}")))

    play = Play("sip:one.example")
    play.publish(two_party_call())
    play.accept(change)
    to = [r.attached.remote_rtcp for r in play.media.readers.values()]
    assert [(e.host, e.port) for e in to if e] == [("192.0.2.9", 40001)] * 2


@pytest.mark.req("SDP-15", "SDP-16")
def test_origin_stays_and_versions_only_grow_over_a_whole_life() -> None:
    play = recorded()
    seen = [offer_of(play.invites[0])]
    play.publish(with_stream(two_party_call(), VOICE_A, direction=Direction.RECVONLY))
    play.say(488)
    play.publish(with_third_track())
    play.say(500)
    play.until(play.now + 6.0)
    play.accept()
    inactive = answer_to(offer_of(play.newest), lambda _i, m: m.with_direction(Direction.INACTIVE))
    said = play.ask("UPDATE", write_sdp(inactive))
    play.publish(dataclasses.replace(with_third_track(), ended=50.0))
    messages: list[sip.SendRequest | sip.Respond] = [*play.requests, said]
    seen += [offer_of(message) for message in messages if b"m=audio" in message.body]
    origins = [description.origin for description in seen]
    assert len({(o.username, o.session_id, o.address) for o in origins}) == 1
    for before, after in itertools.pairwise(seen):
        grown = after.origin.version - before.origin.version
        assert grown == (0 if after == before else 1), (before, after)


def test_a_slow_media_plane_and_a_silent_srs_delay_the_end_by_their_patience_each() -> None:
    play = recorded()
    play.now = 9.0
    play.hold_media()
    play.publish(dataclasses.replace(two_party_call(), ended=9.0))
    play.until(20.0)
    assert play.methods() == ["UPDATE", "BYE"]
