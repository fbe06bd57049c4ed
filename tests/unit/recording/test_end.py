"""How a recording session ends, and the books that are written then."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import Direction
from siprec_src.media import plane
from siprec_src.media.model import ReaderCounters
from siprec_src.metadata.model import DataMode, Recording
from siprec_src.metadata.reader import read_metadata
from siprec_src.recording.commands import Stop
from siprec_src.recording.protection import MediaSecurity
from siprec_src.recording.srs import OnEnd, SrsConfig
from siprec_src.sip import vocabulary as sip
from tests.unit.recording.play import VOICE_A, Play, metadata_of, offer_of, two_party_call, with_stream

ENDED = dataclasses.replace(two_party_call(), ended=9.0, reason="Normal", reason_cause=16)


def recorded(*srs: str | SrsConfig, allow: str = "INVITE, ACK, BYE, UPDATE") -> Play:
    play = Play(*srs)
    play.publish(two_party_call())
    play.accept(headers=(("Allow", allow),))
    play.now = 9.0
    return play


def kinds(play: Play) -> list[str]:
    """What happened, in order, from the end of the call on."""
    names = []
    for effect in play.order:
        match effect:
            case sip.SendRequest(method=method):
                names.append(method)
            case plane.DetachReader() | plane.ClosePorts() | sip.SendAck():
                names.append(type(effect).__name__)
    return names[names.index("DetachReader") :]


@pytest.mark.rfc("8068", "3.2.4")
@pytest.mark.rfc("3261", "15.1.1")
@pytest.mark.req("UPD-14", "BOD-14", "BOD-12", "DLG-12", "RTP-34")
def test_media_stops_then_the_final_metadata_goes_then_the_bye() -> None:
    play = recorded()
    play.publish(ENDED)
    play.say(200)
    assert kinds(play) == ["DetachReader", "DetachReader", "UPDATE", "BYE", "ClosePorts"]
    final = play.requests[0]
    assert b"m=audio" not in final.body
    assert final.headers.get("content-type") == "application/rs-metadata+xml"
    assert final.headers.get("content-disposition") == "recording-session;handling=required"
    told = read_metadata(metadata_of(final))
    assert isinstance(told, Recording)
    assert told.sessions[0].stopped is not None
    assert told.sessions[0].reasons[0].cause == 16
    assert all(p.disassociated is not None for p in told.participant_sessions)
    assert all(s.label is None for s in told.streams)
    play.say(200)
    assert (play.finished, play.pool.live) == (1, 0)
    assert set(play.media.ports) == {1, 2}


@pytest.mark.req("UPD-17")
def test_without_update_the_final_metadata_goes_in_a_re_invite_with_the_offer() -> None:
    play = recorded(allow="INVITE, BYE")
    play.publish(ENDED)
    assert offer_of(play.requests[0]) == offer_of(play.invites[0])
    play.accept()
    assert kinds(play)[2:] == ["INVITE", "SendAck", "BYE", "ClosePorts"]


@pytest.mark.rfc("8068", "3.2.4")
@pytest.mark.req("BOD-14")
def test_the_final_metadata_may_travel_in_the_bye() -> None:
    play = recorded(SrsConfig(uri="sip:srs.example", on_end=OnEnd.BYE_BODY))
    play.publish(ENDED)
    (bye,) = play.requests
    assert bye.method == "BYE"
    assert b"<stop-time>" in metadata_of(bye)


def test_the_final_metadata_can_be_left_out() -> None:
    play = recorded(SrsConfig(uri="sip:srs.example", on_end=OnEnd.NONE))
    play.publish(ENDED)
    (bye,) = play.requests
    assert (bye.method, bye.body) == ("BYE", b"")


@pytest.mark.req("MD-60")
def test_the_bye_is_dated() -> None:
    play = recorded()
    play.publish(ENDED)
    play.say(200)
    assert play.requests[1].headers.get("date") == "Fri, 02 Jan 2026 00:00:09 GMT"


@pytest.mark.parametrize("status", [400, 408, 481, 488, 491, 503])
def test_the_bye_does_not_depend_on_the_answer_to_the_final_metadata(status: int) -> None:
    play = recorded()
    play.publish(ENDED)
    play.say(status)
    assert play.methods() == ["UPDATE", "BYE"]


def test_patience_with_a_silent_srs_ends_after_2_seconds() -> None:
    play = recorded()
    play.publish(ENDED)
    play.until(10.9)
    assert play.methods() == ["UPDATE"]
    play.until(11.1)
    assert play.methods() == ["UPDATE", "BYE"]


@pytest.mark.rfc("3261", "15.1.1")
@pytest.mark.req("DLG-12")
def test_any_answer_to_the_bye_is_the_end() -> None:
    play = recorded()
    play.publish(ENDED)
    play.say(200)
    play.say(408, made_here=True)
    assert play.finished == 1


@pytest.mark.req("UPD-15")
def test_an_exchange_that_is_out_ends_before_the_final_metadata_goes() -> None:
    play = recorded()
    play.publish(with_stream(two_party_call(), VOICE_A, direction=Direction.RECVONLY))
    play.publish(ENDED)
    assert play.methods() == ["UPDATE"]
    assert not play.media.readers
    play.accept()
    assert play.methods() == ["UPDATE", "UPDATE"]
    assert b"<stop-time>" in metadata_of(play.requests[1])


def test_a_media_plane_that_does_not_answer_holds_nothing_up() -> None:
    play = recorded()
    play.hold_media()
    play.publish(ENDED)
    assert play.methods() == []
    play.until(11.1)
    assert play.methods() == ["UPDATE"]


def test_a_dialog_that_the_srs_forgot_gets_no_bye() -> None:
    play = recorded()
    play.publish(ENDED)
    play.tell(sip.DialogEnded(usage=play.invites[0].usage, dialog="srs", cause="481"))
    assert play.methods() == ["UPDATE"]
    assert play.finished == 1


def test_the_end_is_logged_once_with_the_totals_of_each_track() -> None:
    play = recorded()
    for index, reader in enumerate(play.media.readers.values()):
        reader.counters = ReaderCounters(
            offered=100,
            delivered=90 - index,
            delivered_octets=14400,
            skipped_paused=3,
            skipped_event=2,
            dropped_send=5 + index,
            reported_lost=1,
        )
    play.publish(ENDED)
    play.say(200)
    play.say(200)
    (end,) = play.log("recording.end")
    assert end["duration_s"] == 8.0
    assert (end["result"], end["reason"], end["detail"]) == ("partly", "send", "call-ended")
    assert (end["offered"], end["delivered"], end["dropped_send"]) == (200, 179, 11)
    assert (end["offered_1"], end["delivered_1"], end["offered_2"], end["delivered_2"]) == (100, 90, 100, 89)
    assert (end["skipped_paused"], end["skipped_event"], end["reported_lost"]) == (6, 4, 2)
    assert [o.value for o in play.observed if o.name == "fork_packets_dropped_total"] == [11]
    assert play.counted("fork_packets_dropped_total") == [(("srs", "sip:recorder@srs.example"),)]
    assert play.counted("recordings_total") == [(("outcome", "partly"), ("reason", "send"))]


def test_books_that_could_not_be_read_are_named() -> None:
    play = recorded()
    play.media.readers.clear()
    play.publish(ENDED)
    assert play.log("recording.end") == []
    play.say(200)
    assert play.log("recording.end")[0]["unaccounted"] == "1,2"


def test_stop_ends_the_recording_of_a_call_that_goes_on() -> None:
    play = recorded()
    play.command(Stop(7))
    play.say(200)
    play.say(200)
    assert play.finished == 1
    play.publish(with_stream(two_party_call(), VOICE_A, direction=Direction.RECVONLY))
    play.publish(ENDED)
    assert len(play.invites) == 1
    assert play.log("recording.end")[0]["reason"] == "stopped"


# The media process.


@pytest.mark.req("PER-04")
def test_a_dead_media_process_ends_the_session_and_a_new_one_begins_another() -> None:
    play = recorded()
    old = play.invites[0]
    play.tell(play.media.lose())
    assert play.methods() == ["BYE"]
    assert play.log("recording.end")[0]["reason"] == "media-down"
    play.say(200)
    play.until(100.0)
    assert len(play.invites) == 1
    play.tell(play.media.serve())
    opened = play.media.answer(plane.OpenPorts(tag=0, host="10.0.0.1", low=20000, high=20003, count=2))
    assert isinstance(opened, plane.PortsOpen)
    first, second = (o.port for o in opened.ports)
    play.publish(two_party_call((first, second)))
    assert len(play.invites) == 2
    before, after = (read_metadata(metadata_of(i)) for i in (old, play.invites[1]))
    assert isinstance(before, Recording)
    assert isinstance(after, Recording)
    assert after.mode is DataMode.COMPLETE
    for kind in ("groups", "sessions", "participants", "streams"):
        assert getattr(after, kind) == getattr(before, kind)
    play.accept()
    assert [r.attached.stream for r in play.media.readers.values()] == [first, second]
    assert not [c for c in play.commands if isinstance(c, plane.ClosePorts)]


@pytest.mark.rfc("3711", "9.1")
@pytest.mark.req("KEY-20", "RTP-22")
def test_nothing_is_sent_again_under_a_key_that_a_dead_media_process_has_used() -> None:
    play = Play(SrsConfig(uri="sip:srs.example;transport=tcp", media_security=MediaSecurity.SDES))
    play.publish(two_party_call())
    play.accept()
    play.tell(play.media.lose())
    play.say(200)
    play.tell(play.media.serve())
    opened = play.media.answer(plane.OpenPorts(tag=0, host="10.0.0.1", low=20000, high=20003, count=2))
    assert isinstance(opened, plane.PortsOpen)
    play.publish(two_party_call((opened.ports[0].port, opened.ports[1].port)))
    play.accept()
    attached = [command for command in play.commands if isinstance(command, plane.AttachReader)]
    keys = {command.send_key.material for command in attached if command.send_key is not None}
    assert len(attached) == len(keys) == len({command.ssrc for command in attached}) == 4
    offered = [line.material for i in play.invites for m in offer_of(i).media for line in m.crypto]
    assert len(offered) == len(set(offered)) >= 4


def test_without_a_new_publication_the_ports_of_the_call_are_tried_a_second_later() -> None:
    play = recorded()
    play.tell(play.media.lose())
    play.say(200)
    play.tell(play.media.serve())
    play.until(9.9)
    assert len([c for c in play.commands if isinstance(c, plane.OpenPorts)]) == 1
    play.until(10.1)
    assert len([c for c in play.commands if isinstance(c, plane.OpenPorts)]) == 2


def test_a_media_process_that_dies_during_set_up_cancels_the_invite() -> None:
    play = Play()
    play.publish(two_party_call())
    play.tell(play.media.lose())
    assert any(isinstance(c, sip.CancelInvite) for c in play.sent)
    play.say(487)
    assert play.counted("recordings_total") == [(("outcome", "failed"), ("reason", "media-down"))]


@pytest.mark.req("RTP-36")
def test_a_closed_media_port_is_told_once_and_the_srs_has_to_answer() -> None:
    play = recorded()
    for reader in list(play.media.readers) * 3:
        play.tell(plane.ReaderUnreachable(reader=reader))
    assert [line["label"] for line in play.log("recording.unreachable")] == ["1", "2"]
    assert play.methods() == ["UPDATE"]
    assert offer_of(play.requests[0]) == offer_of(play.invites[0])
    play.accept()
    assert play.methods() == ["UPDATE", "UPDATE"]
    play.accept()
    assert len(play.media.readers) == 2
    play.publish(ENDED)
    play.say(200)
    assert play.log("recording.end")[0]["unreachable"] == "1,2"


@pytest.mark.req("RTP-36", "ERR-08")
def test_an_srs_without_media_and_signalling_is_followed_by_the_next_at_once() -> None:
    play = recorded("sip:one.example", "sip:two.example")
    play.tell(plane.ReaderUnreachable(reader=next(iter(play.media.readers))))
    play.say(503, made_here=True)
    assert play.invites[-1].request_uri == "sip:two.example"
    assert play.log("recording.end")[0]["reason"] == "srs-unreachable"
    play.accept()
    assert len(play.media.readers) == 2


@pytest.mark.req("RTP-32")
def test_receiver_reports_of_the_srs_are_told() -> None:
    play = recorded()
    reader = list(play.media.readers)[1]
    report = plane.ReaderReport(
        reader=reader, fraction_lost=0.25, cumulative_lost=9, jitter_us=1500, round_trip_us=None
    )
    play.tell(report)
    (line,) = play.log("recording.report")
    assert (line["label"], line["fraction_lost"], line["jitter_us"]) == ("2", 0.25, 1500)
    srs = ("srs", "sip:recorder@srs.example")
    assert play.counted("srs_reported_loss_ratio") == [(srs,)]
    assert play.counted("srs_reported_jitter_seconds") == [(srs,)]


@pytest.mark.req("RTP-36")
def test_an_srs_that_stops_to_send_rtcp_is_an_alarm_and_no_end() -> None:
    play = recorded()
    reader = list(play.media.readers)[1]
    play.tell(plane.ReaderSilence(reader=reader, silent=True))
    assert [line["label"] for line in play.log("recording.rtcp-silent")] == ["2"]
    assert play.counted("srs_rtcp_silences_total") == [(("srs", "sip:recorder@srs.example"),)]
    play.tell(plane.ReaderSilence(reader=reader, silent=False))
    assert len(play.log("recording.rtcp-again")) == 1
    assert play.methods() == []
    assert len(play.media.readers) == 2


def test_every_session_that_began_ends_once_in_the_log() -> None:
    play = recorded()
    play.tell(sip.DialogEnded(usage=play.invites[0].usage, dialog="srs", cause="408"))
    play.until(30.0)
    play.accept()
    play.publish(ENDED)
    play.say(200)
    play.say(200)
    assert len(play.log("recording.begin")) == len(play.log("recording.end")) == 2
    assert play.finished == 1
