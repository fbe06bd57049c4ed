"""What the SRS is told while the call lasts, and how."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import CommunicationSession, Direction, Name
from siprec_src.media import plane
from siprec_src.metadata.model import DataMode, Recording
from siprec_src.metadata.reader import read_metadata
from siprec_src.recording.commands import Pause, Resume
from siprec_src.recording.srs import SrsConfig, Updates
from siprec_src.sip import vocabulary as sip
from tests.unit.recording.play import (
    CALLER,
    OPUS,
    PCMA,
    PCMU,
    VOICE_A,
    VOICE_B,
    Play,
    metadata_of,
    offer_of,
    track,
    two_party_call,
    with_stream,
)

ONLY_INVITE = (("Allow", "INVITE, ACK, BYE, CANCEL"),)


def recorded(*srs: str | SrsConfig, allow: str = "INVITE, ACK, BYE, UPDATE") -> Play:
    play = Play(*srs)
    play.publish(two_party_call())
    play.accept(headers=(("Allow", allow),))
    return play


def held() -> CommunicationSession:
    """The callee holds the caller: the caller does not send any more."""
    return with_stream(two_party_call(), VOICE_A, direction=Direction.RECVONLY)


def document(command: sip.SendRequest) -> Recording:
    read = read_metadata(metadata_of(command))
    assert isinstance(read, Recording)
    return read


@pytest.mark.rfc("7865", "6.8.1")
@pytest.mark.rfc("7866", "9.1")
@pytest.mark.req("MD-50", "MD-52", "UPD-04", "UPD-17", "BOD-12", "BOD-13", "SDP-20")
def test_hold_is_told_as_metadata_with_the_unchanged_sdp() -> None:
    play = recorded()
    play.publish(held())
    (update,) = play.requests
    assert update.method == "UPDATE"
    assert offer_of(update) == offer_of(play.invites[0])
    told = document(update)
    assert told.mode is DataMode.COMPLETE
    assert {p.participant_id: p.sends for p in told.participant_streams}[CALLER] == ()
    assert [s.label for s in told.streams] == ["1", "2"]
    assert all(r.live for r in play.media.readers.values())


@pytest.mark.rfc("3311", "4")
@pytest.mark.req("UPD-17")
@pytest.mark.parametrize("allow", ["INVITE, ACK, BYE", "", "IN VITE"])
def test_without_update_in_allow_metadata_goes_in_a_re_invite(allow: str) -> None:
    play = recorded(allow=allow)
    play.publish(held())
    (reinvite,) = play.requests
    assert reinvite.method == "INVITE"
    assert offer_of(reinvite).origin == offer_of(play.invites[0]).origin
    play.accept()
    assert play.sent[-1] == sip.SendAck(usage=reinvite.usage, dialog="srs", token=reinvite.token)


def test_re_invite_can_be_chosen_for_an_srs() -> None:
    play = recorded(SrsConfig(uri="sip:srs.example", updates=Updates.INVITE))
    play.publish(held())
    assert play.methods() == ["INVITE"]


@pytest.mark.req("SIP-03", "SIP-11")
def test_later_requests_require_siprec_too() -> None:
    play = recorded()
    play.publish(held())
    assert play.requests[0].headers.get("require") == "siprec"
    assert "application/rs-metadata+xml" in (play.requests[0].headers.get("accept") or "")


@pytest.mark.req("UPD-15", "DLG-05")
def test_changes_that_come_meanwhile_become_one_document() -> None:
    play = recorded()
    play.publish(held())
    play.publish(with_stream(held(), VOICE_B, direction=Direction.INACTIVE))
    play.publish(two_party_call())
    assert len(play.requests) == 1
    play.accept()
    assert len(play.requests) == 2
    assert [p.sends for p in document(play.requests[1]).participant_streams] == [(VOICE_A,), (VOICE_B,)]
    play.accept()
    assert len(play.requests) == 2


def test_what_the_srs_knows_already_is_not_told_again() -> None:
    play = recorded()
    play.publish(two_party_call())
    play.publish(dataclasses.replace(two_party_call(), headers=(("X-Tag", "1"),)))
    assert play.requests == []


def test_a_change_before_the_answer_is_told_after_it() -> None:
    play = Play()
    play.publish(two_party_call())
    play.publish(held())
    assert play.requests == []
    play.accept()
    assert play.methods() == ["UPDATE"]


def test_a_new_name_of_a_participant_is_told() -> None:
    play = recorded()
    call = two_party_call()
    people = (call.participants[0], dataclasses.replace(call.participants[1], names=(Name(aor="sip:x@y"),)))
    play.publish(dataclasses.replace(call, participants=people))
    assert document(play.requests[0]).participants[1].names[0].aor == "sip:x@y"


@pytest.mark.rfc("3264", "8")
@pytest.mark.rfc("3264", "8.3.2")
@pytest.mark.req("SDP-15", "SDP-22")
def test_another_codec_of_the_call_is_offered_and_the_reader_goes_on() -> None:
    play = recorded()
    play.publish(with_stream(two_party_call(), VOICE_A, formats=(PCMA,)))
    (reinvite,) = play.requests
    assert reinvite.method == "INVITE"
    offer = offer_of(reinvite)
    assert offer.origin.version == 2
    assert [m.formats for m in offer.media] == [("8",), ("0",)]
    assert len(play.media.readers) == 2
    play.accept()
    readers = list(play.media.readers.values())
    assert len(readers) == 2
    assert readers[0].updated is not None
    assert readers[0].updated.payload_types == ((8, 8),)


@pytest.mark.rfc("3264", "8.3.2")
@pytest.mark.req("SDP-22")
def test_a_payload_type_never_changes_its_codec() -> None:
    play = Play()
    play.publish(with_stream(two_party_call(), VOICE_A, formats=(OPUS, PCMU)))
    play.accept()
    speex = dataclasses.replace(OPUS, encoding="speex", clock_rate=16000, channels=1)
    play.publish(with_stream(two_party_call(), VOICE_A, formats=(speex, PCMU)))
    offer = offer_of(play.requests[0])
    assert offer.media[0].attributes("rtpmap") == ("97 speex/16000", "0 PCMU/8000")


@pytest.mark.req("SDP-22")
def test_another_clock_means_a_new_reader() -> None:
    play = recorded()
    play.publish(with_stream(two_party_call(), VOICE_A, formats=(OPUS,)))
    play.accept()
    readers = [r.attached for r in play.media.readers.values()]
    assert [r.clock_rate for r in readers] == [8000, 48000]
    assert readers[1].stream == 1


@pytest.mark.rfc("7866", "7.1.1.1")
@pytest.mark.req("SDP-17", "SDP-18")
def test_a_new_track_is_appended_and_a_gone_one_disabled() -> None:
    play = recorded()
    call = two_party_call()
    more = dataclasses.replace(call, streams=(*call.streams, track(b"c" * 16, CALLER, 1)))
    play.publish(more)
    offer = offer_of(play.requests[0])
    assert [(m.label, m.port) for m in offer.media] == [("1", 10000), ("2", 10002), ("3", 10004)]
    play.accept()
    assert len(play.media.readers) == 3
    play.publish(dataclasses.replace(more, streams=more.streams[1:]))
    assert 1 not in [r.attached.stream for r in list(play.media.readers.values())[:1]]
    offer = offer_of(play.requests[1])
    assert [m.port for m in offer.media] == [0, 10002, 10004]
    assert offer.origin.version == 3
    play.accept()
    assert len(play.media.readers) == 2
    play.publish(more)
    assert [m.port for m in offer_of(play.requests[2]).media] == [10000, 10002, 10004]


def test_a_track_received_at_another_port_is_read_there() -> None:
    play = recorded()
    opened = play.media.answer(plane.OpenPorts(tag=0, host="10.0.0.1", low=30000, high=30001, count=1))
    assert isinstance(opened, plane.PortsOpen)
    port = opened.ports[0].port
    play.publish(with_stream(two_party_call(), VOICE_A, source=port))
    attached = [r.attached for r in play.media.readers.values()]
    assert sorted(a.stream for a in attached) == [2, port]
    assert len({a.ssrc for a in [c for c in play.commands if isinstance(c, plane.AttachReader)]}) == 3
    assert play.requests == []


# Refusals of updates.


@pytest.mark.rfc("3261", "14.1")
@pytest.mark.req("DLG-06", "DLG-10")
def test_after_491_the_newest_state_is_told_2_to_4_seconds_later() -> None:
    play = recorded()
    play.publish(held())
    play.say(491)
    play.publish(with_stream(two_party_call(), VOICE_B, direction=Direction.RECVONLY))
    play.until(4.0)
    assert len(play.requests) == 1
    play.until(4.1)
    assert len(play.requests) == 2
    assert [p.sends for p in document(play.requests[1]).participant_streams] == [(VOICE_A,), ()]
    assert offer_of(play.requests[1]).origin.version == 1


@pytest.mark.rfc("3311", "5.2")
@pytest.mark.req("ERR-10")
def test_after_500_with_retry_after_it_is_told_then() -> None:
    play = recorded()
    play.publish(held())
    play.say(500, headers=(("Retry-After", "7"),))
    play.until(7.9)
    assert len(play.requests) == 1
    play.until(8.1)
    assert len(play.requests) == 2


def test_retries_of_one_change_are_bounded() -> None:
    play = recorded()
    play.publish(held())
    for _ in range(10):
        play.say(503)
        play.until(play.now + 61.0)
    assert len(play.requests) == 6
    assert len(play.log("recording.update-refused")) == 1


@pytest.mark.rfc("3261", "8.1.3.5")
def test_an_srs_that_refuses_update_gets_re_invites() -> None:
    play = recorded()
    play.publish(held())
    play.say(405)
    assert play.methods() == ["UPDATE", "INVITE"]
    play.accept()
    play.publish(two_party_call())
    assert play.methods() == ["UPDATE", "INVITE", "INVITE"]


@pytest.mark.rfc("3261", "14.1")
@pytest.mark.req("UPD-16", "DLG-10")
def test_a_refused_update_leaves_the_recording_as_it_is() -> None:
    play = recorded()
    play.publish(held())
    play.say(488)
    assert len(play.requests) == 1
    assert all(r.live for r in play.media.readers.values())
    assert play.log("recording.update-refused")[0]["status"] == 488
    play.publish(two_party_call())
    assert len(play.requests) == 2


@pytest.mark.rfc("3261", "12.2.1.2")
@pytest.mark.req("DLG-04", "UPD-05")
@pytest.mark.parametrize("told", ["response", "event", "both"])
def test_a_lost_dialog_is_followed_by_a_new_session_with_a_complete_snapshot(told: str) -> None:
    play = recorded()
    play.until(40.0)
    play.publish(held())
    usage = play.invites[0].usage
    if told in ("response", "both"):
        play.say(481)
    if told in ("event", "both"):
        play.tell(sip.DialogEnded(usage=usage, dialog="srs", cause="481"))
    assert len(play.invites) == 2
    assert "BYE" not in play.methods()
    old, new = (read_metadata(metadata_of(i)) for i in play.invites)
    assert isinstance(old, Recording)
    assert isinstance(new, Recording)
    assert new.mode is DataMode.COMPLETE
    assert (new.sessions[0].session_id, [s.stream_id for s in new.streams]) == (
        old.sessions[0].session_id,
        [s.stream_id for s in old.streams],
    )
    play.accept()
    assert len(play.media.readers) == 2
    assert [line["reason"] for line in play.log("recording.end")] == ["srs-dialog-lost"]


@pytest.mark.req("DLG-04")
def test_a_session_that_breaks_off_soon_is_followed_by_the_next_after_a_pause() -> None:
    play = recorded()
    play.tell(sip.DialogEnded(usage=play.invites[0].usage, dialog="srs", cause="408"))
    assert len(play.invites) == 1
    play.until(7.0)
    assert len(play.invites) == 2


@pytest.mark.rfc("3264", "6")
@pytest.mark.req("SDP-05")
def test_a_bad_answer_to_a_re_invite_ends_that_session_and_begins_another() -> None:
    play = recorded()
    play.until(60.0)
    play.publish(with_stream(two_party_call(), VOICE_A, formats=(PCMA,)))
    play.say(200, sdp=offer_of(play.requests[0]).with_media())
    assert play.methods() == ["INVITE", "BYE"]
    assert not play.media.readers
    assert len(play.invites) == 2


def test_an_update_answered_without_sdp_changes_nothing() -> None:
    play = recorded()
    play.publish(held())
    play.say(200)
    assert all(r.live for r in play.media.readers.values())
    play.publish(two_party_call())
    assert play.methods() == ["UPDATE", "UPDATE"]


# Pause and resume.


@pytest.mark.rfc("7866", "7.1.1.1")
@pytest.mark.req("SDP-19")
def test_pause_stops_the_media_before_it_is_said() -> None:
    play = recorded()
    play.hold_media()
    play.command(Pause(7))
    assert [c.live for c in play.commands if isinstance(c, plane.SetReaderLive)] == [False, False]
    assert play.requests == []
    play.release_media()
    (reinvite,) = play.requests
    assert reinvite.method == "INVITE"
    offer = offer_of(reinvite)
    assert [m.own_direction for m in offer.media] == [Direction.INACTIVE] * 2
    assert offer.own_connection == offer_of(play.invites[0]).own_connection
    play.accept(lambda _i, m: m.with_direction(Direction.INACTIVE))
    assert [r.live for r in play.media.readers.values()] == [False, False]


@pytest.mark.rfc("7866", "7.1.1.1")
@pytest.mark.req("SDP-19", "SDP-15")
def test_resume_starts_the_media_only_after_the_answer() -> None:
    play = recorded()
    play.command(Pause(7))
    play.accept(lambda _i, m: m.with_direction(Direction.INACTIVE))
    play.command(Resume(7))
    offer = offer_of(play.requests[1])
    assert [m.own_direction for m in offer.media] == [Direction.SENDONLY] * 2
    assert offer.origin.version == 3
    assert [r.live for r in play.media.readers.values()] == [False, False]
    play.accept()
    assert [r.live for r in play.media.readers.values()] == [True, True]


@pytest.mark.req("SDP-19")
def test_a_refused_pause_is_a_pause_all_the_same() -> None:
    play = recorded()
    play.command(Pause(7))
    play.say(488)
    assert [r.live for r in play.media.readers.values()] == [False, False]
    play.publish(held())
    play.accept()
    assert [r.live for r in play.media.readers.values()] == [False, False]


@pytest.mark.req("SDP-19")
def test_a_refused_resume_leaves_the_recording_paused() -> None:
    play = recorded()
    play.command(Pause(7))
    play.accept(lambda _i, m: m.with_direction(Direction.INACTIVE))
    play.command(Resume(7))
    play.say(488)
    assert [r.live for r in play.media.readers.values()] == [False, False]
    assert len(play.requests) == 2


def test_pause_and_resume_while_a_request_is_out_settle_on_the_last() -> None:
    play = recorded()
    play.publish(held())
    play.command(Pause(7))
    play.command(Resume(7))
    play.command(Pause(7))
    play.accept()
    assert [m.own_direction for m in offer_of(play.requests[1]).media] == [Direction.INACTIVE] * 2
    play.accept(lambda _i, m: m.with_direction(Direction.INACTIVE))
    assert len(play.requests) == 2
    assert [r.live for r in play.media.readers.values()] == [False, False]


def test_a_pause_before_the_answer_holds_from_the_first_packet_on() -> None:
    play = Play()
    play.publish(two_party_call())
    play.command(Pause(7))
    play.accept()
    assert [r.live for r in play.media.readers.values()] == [False, False]
    assert play.methods() == ["INVITE"]


def test_a_pause_that_is_undone_before_it_was_said_leaves_the_media_running() -> None:
    play = recorded()
    play.hold_media()
    play.command(Pause(7))
    play.command(Resume(7))
    play.release_media()
    assert [r.live for r in play.media.readers.values()] == [True, True]
    assert play.requests == []


@pytest.mark.rfc("5626", "4.4.1")
@pytest.mark.req("TRN-05", "TRN-07")
def test_a_connection_that_was_lost_is_opened_again_by_a_refresh() -> None:
    play = Play()
    play.publish(two_party_call())
    play.accept()
    play.tell(sip.FlowLost(usage=play.invites[0].usage, dialog="srs"))
    play.until(play.now + 2.0)
    assert play.methods() == ["UPDATE"]
    assert play.newest.body == b""
    play.say(200)
    assert [line["srs"] for line in play.log("recording.connection-lost")] == ["sip:recorder@srs.example"]
    play.until(play.now + 60.0)
    assert play.methods() == ["UPDATE"]
    assert len(play.media.readers) == 2


@pytest.mark.rfc("5626", "4.4.1")
@pytest.mark.req("TRN-05", "TRN-07")
def test_an_srs_that_no_connection_leads_to_any_more_is_followed_by_another() -> None:
    play = Play("sip:one.example", "sip:two.example")
    play.publish(two_party_call())
    play.accept()
    play.tell(sip.FlowLost(usage=play.invites[0].usage, dialog="srs"))
    play.until(play.now + 2.0)
    play.say(503, made_here=True)
    play.until(play.now + 10.0)
    assert [invite.request_uri for invite in play.invites] == ["sip:one.example", "sip:two.example"]
