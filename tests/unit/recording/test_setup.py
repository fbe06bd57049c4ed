"""The INVITE that begins a recording session, and what becomes of it."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from siprec_src.communication import MediaStream
from siprec_src.media import plane
from siprec_src.metadata.model import Recording
from siprec_src.metadata.reader import read_metadata
from siprec_src.recording.srs import MetadataType, SrsConfig, Track
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.body import split_parts
from siprec_src.sip.credentials import Credentials
from siprec_src.sip.flow import Transport
from siprec_src.sip.message import Headers
from tests.unit.recording.play import (
    CALLEE,
    CALLER,
    DTMF,
    OPUS,
    PCMA,
    PCMU,
    VOICE_A,
    VOICE_B,
    Play,
    answer_to,
    edge,
    metadata_of,
    offer_of,
    track,
    two_party_call,
    with_stream,
)


def invite(play: Play) -> sip.StartInvite:
    play.publish(two_party_call())
    return play.invites[-1]


@pytest.mark.rfc("7866", "6.1.1")
@pytest.mark.req("SIP-01", "SIP-02", "SIP-04", "SIP-05", "SIP-09", "SIP-11", "SIP-12")
def test_the_invite_says_that_it_comes_from_a_recording_client() -> None:
    command = invite(Play("sip:recorder@srs.example:5080"))
    assert command.request_uri == "sip:recorder@srs.example:5080"
    assert command.contact_parameters == ";+sip.src"
    fields = dict(command.headers)
    assert fields["Require"] == "siprec"
    assert fields["From"] == "<sip:siprec-src@192.0.2.1>"
    assert fields["To"] == "<sip:recorder@srs.example>"
    assert fields["Accept"] == "application/sdp, application/rs-metadata+xml, application/rs-metadata"
    assert "UPDATE" in fields["Allow"]
    assert "siprec" not in fields.get("Supported", "")


@pytest.mark.rfc("7865", "6.1.1")
@pytest.mark.req("MD-60")
def test_the_invite_is_dated() -> None:
    assert invite(Play()).headers.get("date") == "Fri, 02 Jan 2026 00:00:01 GMT"


@pytest.mark.rfc("7866", "9.1")
@pytest.mark.req(
    "BOD-01", "BOD-03", "BOD-04", "BOD-05", "BOD-06", "BOD-08", "BOD-10", "MD-03", "UPD-01", "UPD-02"
)
def test_sdp_and_metadata_are_the_two_parts_of_one_body() -> None:
    command = invite(Play())
    assert command.headers.get("mime-version") == "1.0"
    parts = split_parts(command.headers.get("content-type") or "", command.body)
    assert [(p.essence, str(p.disposition)) for p in parts] == [
        ("application/sdp", "session;handling=required"),
        ("application/rs-metadata+xml", "recording-session;handling=required"),
    ]
    assert b"Content-Type: application/rs-metadata+xml\r\n" in command.body
    assert command.body.endswith(b"--boundary-1--\r\n")


@pytest.mark.rfc("9806", "2")
@pytest.mark.req("BOD-03", "BOD-05")
def test_media_type_and_handling_of_the_metadata_are_per_srs() -> None:
    config = SrsConfig(uri="sip:srs.example", metadata_type=MetadataType.OLD, metadata_required=False)
    command = invite(Play(config))
    parts = split_parts(command.headers.get("content-type") or "", command.body)
    assert (parts[1].essence, str(parts[1].disposition)) == (
        "application/rs-metadata",
        "recording-session;handling=optional",
    )


@pytest.mark.rfc("7866", "7.1.1")
@pytest.mark.rfc("3264", "5.1")
@pytest.mark.req("SDP-01", "SDP-02", "SDP-03", "SDP-13", "SDP-14", "SDP-32")
def test_each_track_has_a_sendonly_m_line_with_its_label() -> None:
    offer = offer_of(invite(Play()))
    assert [(m.medium, m.protocol, m.port, m.formats) for m in offer.media] == [
        ("audio", "RTP/AVP", 10000, ("0",)),
        ("audio", "RTP/AVP", 10002, ("0",)),
    ]
    assert [m.label for m in offer.media] == ["1", "2"]
    for media in offer.media:
        assert media.attribute("sendonly") == ""
        assert media.attributes("rtpmap") == ("0 PCMU/8000",)
        assert media.packet_time_ms == 20
        assert media.attribute("rtcp") is None


@pytest.mark.rfc("4796", "5")
@pytest.mark.req("SDP-29")
def test_the_content_of_a_track_is_told_on_its_m_line() -> None:
    play = Play()
    play.publish(with_stream(two_party_call(), VOICE_B, content="speaker"))
    assert [m.attribute("content") for m in offer_of(play.invites[0]).media] == [None, "speaker"]


@pytest.mark.req("SDP-02", "MD-61")
def test_labels_go_by_the_speaker_even_if_the_callee_comes_first() -> None:
    call = two_party_call()
    play = Play()
    play.publish(dataclasses.replace(call, streams=call.streams[::-1]))
    offer = offer_of(play.invites[0])
    assert [m.label for m in offer.media] == ["2", "1"]
    document = read_metadata(metadata_of(play.invites[0]))
    assert isinstance(document, Recording)
    labels = {stream.stream_id: stream.label for stream in document.streams}
    assert labels == {VOICE_A: "1", VOICE_B: "2"}


@pytest.mark.parametrize(
    ("wanted", "labels", "sources"),
    [(Track.INBOUND, ["1"], [1]), (Track.OUTBOUND, ["2"], [2]), (Track.BOTH, ["1", "2"], [1, 2])],
)
def test_only_the_chosen_track_is_offered(wanted: Track, labels: list[str], sources: list[int]) -> None:
    play = Play(SrsConfig(uri="sip:srs.example", track=wanted))
    command = invite(play)
    assert [m.label for m in offer_of(command).media] == labels
    play.accept()
    assert [r.attached.stream for r in play.media.readers.values()] == sources


@pytest.mark.rfc("4574", "4")
@pytest.mark.req("SDP-01")
def test_further_tracks_of_a_party_get_labels_of_their_own() -> None:
    call = two_party_call()
    more = (track(b"c" * 16, CALLER, 1), track(b"d" * 16, CALLEE, 2))
    play = Play(SrsConfig(uri="sip:srs.example", labels=("agent", "3")))
    play.publish(dataclasses.replace(call, streams=(*call.streams, *more)))
    assert [m.label for m in offer_of(play.invites[0]).media] == ["agent", "3", "4", "5"]


@pytest.mark.rfc("7865", "6.7.1")
@pytest.mark.req("MD-28", "SDP-01")
def test_what_cannot_be_forked_is_described_without_a_label() -> None:
    call = two_party_call()
    video = MediaStream(stream_id=b"v" * 16, sender=CALLER, medium="video", source=9, formats=())
    deaf = MediaStream(stream_id=b"n" * 16, sender=CALLEE, medium="audio", source=None, formats=(PCMU,))
    play = Play()
    play.publish(dataclasses.replace(call, streams=(*call.streams, video, deaf)))
    assert len(offer_of(play.invites[0]).media) == 2
    document = read_metadata(metadata_of(play.invites[0]))
    assert isinstance(document, Recording)
    assert [stream.label for stream in document.streams] == ["1", "2", None, None]


@pytest.mark.rfc("4733", "2.1")
@pytest.mark.req("SDP-31")
@pytest.mark.parametrize(("events", "formats"), [(False, ("0",)), (True, ("0", "101"))])
def test_events_are_offered_only_when_wanted(events: bool, formats: tuple[str, ...]) -> None:
    play = Play(SrsConfig(uri="sip:srs.example", events=events))
    assert offer_of(invite(play)).media[0].formats == formats
    play.accept(lambda i, m: m if not events else m.with_formats((PCMU, DTMF)))
    attached = [c for c in play.commands if isinstance(c, plane.AttachReader)]
    assert [a.events for a in attached] == [events, events]
    assert attached[0].payload_types == (((0, 0), (101, 101)) if events else ((0, 0),))


@pytest.mark.rfc("3264", "5.1")
@pytest.mark.req("SDP-14")
def test_codecs_can_be_restricted_and_keep_the_order_of_the_call() -> None:
    call = with_stream(two_party_call(), VOICE_A, formats=(OPUS, PCMA, PCMU))
    play = Play(SrsConfig(uri="sip:srs.example", codecs=("pcmu", "PCMA")))
    play.publish(call)
    assert offer_of(play.invites[0]).media[0].formats == ("8", "0")


@pytest.mark.rfc("3264", "5")
@pytest.mark.req("SDP-15", "SDP-16")
def test_origin_and_connection_show_the_advertised_address_of_the_edge() -> None:
    play = Play("sip:srs.example;edge=dublin", edges=(edge(), edge("dublin", "198.51.100.7")))
    command = invite(play)
    assert command.edge == "dublin"
    offer = offer_of(command)
    assert (offer.origin.address, offer.origin.version) == ("198.51.100.7", 1)
    assert offer.own_connection is not None
    assert offer.own_connection.host == "198.51.100.7"
    opened = next(c for c in play.commands if isinstance(c, plane.OpenPorts))
    assert (opened.host, opened.low, opened.high, opened.near) == ("10.0.0.1", 10000, 10099, 1)


@pytest.mark.rfc("7866", "8.2.3")
@pytest.mark.rfc("7022", "4")
@pytest.mark.req("RTP-22", "RTP-34", "SDP-11")
def test_forks_begin_with_the_answer_and_never_before() -> None:
    play = Play()
    invite(play)
    assert not play.media.readers
    play.accept()
    first, second = (r.attached for r in play.media.readers.values())
    assert (first.remote.port, second.remote.port) == (30000, 30002)
    assert first.remote_rtcp is not None
    assert first.remote_rtcp.port == 30001
    assert first.ssrc != second.ssrc
    assert first.cname != second.cname
    assert first.live
    assert second.live
    ack = next(c for c in play.sent if isinstance(c, sip.SendAck))
    assert (ack.token, ack.headers) == (play.invites[0].token, Headers())


def test_the_beginning_is_logged_once_with_ids_and_the_time_it_took() -> None:
    play = Play()
    invite(play)
    play.now = 1.25
    play.accept()
    (begin,) = play.log("recording.begin")
    assert begin == {
        "call": 7,
        "session": "U1NTU1NTU1NTU1NTU1NTUw==",
        "rs": 1,
        "srs": "sip:recorder@srs.example",
        "edge": "default",
        "secure": False,
        "tracks": "1,2",
        "setup_s": 0.25,
    }
    assert [o.value for o in play.observed if o.name == "recording_setup_seconds"] == [0.25]


@pytest.mark.req("SIP-10")
def test_an_srs_that_does_not_say_so_is_used_and_noted() -> None:
    play = Play()
    invite(play)
    offer = offer_of(play.invites[0])
    play.say(200, sdp=answer_to(offer), headers=())
    assert play.log("recording.answer") == []
    other = Play()
    invite(other)
    other.say(200, sdp=answer_to(offer_of(other.invites[0])), contact="<sip:srs@192.0.2.9>")
    assert [line["what"] for line in other.log("recording.answer")] == ["no +sip.srs in Contact"]


@pytest.mark.req("SIP-16")
def test_nothing_is_ever_said_to_the_call() -> None:
    play = Play()
    invite(play)
    play.accept()
    touched = [c for c in play.commands if isinstance(c, plane.ConnectPort | plane.BridgePorts)]
    assert touched == []


@pytest.mark.req("ERR-08", "ERR-13")
@pytest.mark.parametrize("status", [305, 403, 404, 480, 486, 488, 500, 503, 600, 603])
def test_a_refusal_sends_the_call_to_the_next_srs(status: int) -> None:
    play = Play("sip:one.example", "sip:two.example")
    invite(play)
    play.say(status)
    assert [i.request_uri for i in play.invites] == ["sip:one.example", "sip:two.example"]
    play.accept()
    assert len(play.media.readers) == 2
    (failed,) = play.log("recording.attempt-failed")
    assert (failed["srs"], failed["reason"], failed["status"]) == ("sip:one.example", "srs-refused", status)
    assert play.log("recording.failed") == []


@pytest.mark.rfc("5630", "3.4", "5.1.1")
@pytest.mark.req("ERR-11", "TRN-13")
@pytest.mark.parametrize(("status", "code"), [(416, 380), (480, 381)])
def test_a_scheme_that_is_refused_is_not_replaced_by_a_weaker_one(status: int, code: int) -> None:
    over_tls = dataclasses.replace(edge(), transports=(Transport.TCP, Transport.TLS))
    play = Play("sips:one.example", "sips:two.example", edges=[over_tls])
    invite(play)
    play.say(status, headers=[("Warning", f'{code} one.example "no SIPS"')])
    assert [i.request_uri for i in play.invites] == ["sips:one.example", "sips:two.example"]
    play.say(status)
    play.until(120.0)
    assert len(play.invites) > 2
    assert all(i.request_uri.startswith("sips:") for i in play.invites)


@pytest.mark.rfc("3261", "22.1")
@pytest.mark.req("AUT-01", "ERR-05")
@pytest.mark.parametrize("status", [401, 407])
def test_an_srs_that_refuses_our_credentials_is_named_so_and_the_next_one_asked(status: int) -> None:
    play = Play("sip:one.example", "sip:two.example")
    invite(play)
    play.say(status)
    assert play.log("recording.attempt-failed")[0]["reason"] == "srs-auth-failed"
    assert play.invites[-1].request_uri == "sip:two.example"


@pytest.mark.rfc("3261", "22.2")
@pytest.mark.req("AUT-07")
def test_each_srs_gets_its_own_credentials_and_fields_in_every_request() -> None:
    credentials = Credentials(username="u", password="p")
    token = ("X-Auth-Token", "t")
    play = Play(
        SrsConfig(uri="sip:one.example", credentials=credentials, secret_headers=(token,)), "sip:two.example"
    )
    assert invite(play).credentials == credentials
    play.accept()
    play.publish(dataclasses.replace(two_party_call(), ended=5.0))
    play.until(20.0)
    assert play.requests[-1].method == "BYE"
    sent = [play.invites[0].headers, *(request.headers for request in play.requests)]
    assert all(token in tuple(headers) for headers in sent)
    other = Play("sip:two.example")
    assert invite(other).credentials is None
    assert token not in tuple(other.invites[0].headers)


@pytest.mark.rfc("3261", "8.1.3.1")
@pytest.mark.req("TXN-06")
@pytest.mark.parametrize(("status", "reason"), [(408, "srs-timeout"), (503, "srs-unreachable")])
def test_silence_and_broken_transports_send_the_call_to_the_next_srs(status: int, reason: str) -> None:
    play = Play("sip:one.example", "sip:two.example")
    assert invite(play).answer_timeout_s == 8.0
    play.say(status, made_here=True)
    assert play.invites[-1].request_uri == "sip:two.example"
    assert play.log("recording.attempt-failed")[0]["reason"] == reason


@pytest.mark.rfc("7866", "6.1.1")
@pytest.mark.req("SIP-06", "ERR-01")
def test_420_is_never_answered_by_a_call_without_siprec() -> None:
    play = Play("sip:pbx.example", "sip:two.example")
    invite(play)
    play.say(420)
    play.say(486)
    play.until(200.0)
    assert "sip:pbx.example" not in [i.request_uri for i in play.invites[1:]]
    assert all(i.headers.get("require") == "siprec" for i in play.invites)


@pytest.mark.req("ERR-01")
def test_when_no_peer_is_an_srs_the_matter_is_closed() -> None:
    play = Play("sip:pbx.example")
    invite(play)
    play.say(420)
    play.until(300.0)
    assert len(play.invites) == 1
    assert play.finished == 1
    play.publish(dataclasses.replace(two_party_call(), ended=play.now))
    assert play.counted("calls_unrecorded_total") == [(("reason", "srs-no-siprec"),)]


@pytest.mark.req("ERR-09")
def test_a_status_can_mean_do_not_record() -> None:
    play = Play(SrsConfig(uri="sip:one.example", final_statuses=(603,)), "sip:two.example")
    invite(play)
    play.say(603)
    play.until(300.0)
    assert len(play.invites) == 1


@pytest.mark.rfc("9806", "2")
@pytest.mark.req("ERR-02")
def test_415_with_the_other_media_type_is_answered_with_that_type() -> None:
    play = Play("sip:one.example")
    invite(play)
    play.say(415, headers=(("Accept", "application/sdp, application/rs-metadata"),))
    assert [i.request_uri for i in play.invites] == ["sip:one.example"] * 2
    assert b"Content-Type: application/rs-metadata\r\n" in play.invites[1].body
    play.say(415, headers=(("Accept", "application/sdp, application/rs-metadata"),))
    assert len(play.invites) == 2


@pytest.mark.req("ERR-13")
def test_when_all_refuse_the_log_names_each_and_they_are_asked_again_later() -> None:
    play = Play("sip:one.example", "sip:two.example")
    invite(play)
    play.say(486)
    play.say(408, made_here=True)
    (failed,) = play.log("recording.failed")
    assert failed["why"] == "sip:one.example: srs-refused 486; sip:two.example: srs-timeout 408"
    assert (failed["not_recorded"], failed["from_s"]) == ("audio,audio", 0.0)
    play.until(5.9)
    assert len(play.invites) == 2
    play.until(6.1)
    assert play.invites[-1].request_uri == "sip:one.example"
    play.accept()
    assert len(play.media.readers) == 2


@pytest.mark.req("ERR-13")
def test_the_pause_between_rounds_grows_and_is_bounded() -> None:
    play = Play("sip:one.example")
    invite(play)
    asked = [play.now]
    for _ in range(6):
        play.say(503)
        while len(play.invites) == len(asked):
            play.until(play.now + 0.5)
        asked.append(play.now)
    pauses = [round(b - a) for a, b in itertools.pairwise(asked)]
    assert pauses == [5, 10, 20, 40, 60, 60]


def test_out_of_ports_is_a_failed_attempt_and_the_next_srs_is_asked() -> None:
    play = Play("sip:one.example", "sip:two.example;edge=dublin", edges=(edge(), edge("dublin")))
    play.media.refuse(plane.OpenPorts, "ports-exhausted")
    play.publish(two_party_call())
    assert [i.request_uri for i in play.invites] == ["sip:two.example"]
    assert play.log("recording.attempt-failed")[0]["reason"] == "ports-exhausted"


def test_ports_of_a_refused_session_are_given_back() -> None:
    play = Play("sip:one.example")
    invite(play)
    play.say(486)
    assert set(play.media.ports) == {1, 2}


@pytest.mark.rfc("3261", "9.1")
@pytest.mark.req("TXN-08")
def test_a_call_that_ends_before_the_srs_answers_cancels_the_invite() -> None:
    play = Play("sip:one.example", "sip:two.example")
    command = invite(play)
    play.publish(dataclasses.replace(two_party_call(), ended=2.0))
    assert sip.CancelInvite(usage=command.usage, token=command.token) in play.sent
    play.say(487)
    assert len(play.invites) == 1
    assert (play.finished, play.pool.live) == (1, 0)
    assert set(play.media.ports) == {1, 2}
    assert play.counted("recordings_total") == [(("outcome", "cancelled"), ("reason", "call-ended"))]
    assert play.counted("calls_unrecorded_total") == [(("reason", "call-ended"),)]


def test_a_call_that_ends_before_ports_are_open_leaves_none_open() -> None:
    play = Play()
    play.hold_media()
    play.publish(two_party_call())
    play.publish(dataclasses.replace(two_party_call(), ended=2.0))
    play.release_media()
    assert play.invites == []
    assert set(play.media.ports) == {1, 2}
    assert play.finished == 1
