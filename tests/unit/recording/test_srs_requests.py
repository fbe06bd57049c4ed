"""What the SRS asks for inside the dialog, and what it gets."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import Direction
from siprec_src.media import plane
from siprec_src.metadata.model import DataMode, Recording, SnapshotRequest
from siprec_src.metadata.reader import read_metadata
from siprec_src.metadata.writer import write_snapshot_request
from siprec_src.recording.commands import Pause
from siprec_src.recording.srs import OnSrsBye, SrsConfig
from siprec_src.sdp.model import SessionDescription
from siprec_src.sdp.writer import write_sdp
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.body import join_mixed, make_part
from tests.unit.recording.play import (
    OPUS,
    PCMU,
    VOICE_A,
    Play,
    answer_to,
    metadata_of,
    offer_of,
    two_party_call,
    with_stream,
)


def recorded(*srs: str | SrsConfig, direction: Direction = Direction.RECVONLY) -> Play:
    play = Play(*srs)
    play.publish(two_party_call())
    play.accept(lambda _i, m: m.with_direction(direction))
    return play


def srs_side(play: Play, direction: Direction = Direction.RECVONLY) -> SessionDescription:
    """The SRS's description of the session, as an offer of its own."""
    return answer_to(
        offer_of(play.invites[-1]), lambda _i, m: m.with_direction(direction)
    ).with_next_version()


def lives(play: Play) -> list[bool]:
    return [r.live for r in play.media.readers.values()]


@pytest.mark.rfc("8068", "3.2.1")
@pytest.mark.req("UPD-11")
def test_the_media_type_of_a_draft_is_not_sent_and_is_tolerated_in_accept() -> None:
    play = recorded()
    draft = "application/sdp, application/rs-metadata-request"
    answer = play.ask("UPDATE", write_sdp(srs_side(play)), Accept=draft)
    assert answer.status == 200
    assert play.ask("OPTIONS", Accept=draft).status == 200
    for headers in (play.invites[0].headers, *(response.headers for response in play.responses)):
        assert "rs-metadata-request" not in (headers.get("accept") or "")


@pytest.mark.rfc("7866", "7.2")
@pytest.mark.req("SDP-25", "SIP-03")
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_recvonly_after_an_inactive_answer_starts_the_media(method: str) -> None:
    play = recorded(direction=Direction.INACTIVE)
    assert lives(play) == [False, False]
    answer = play.ask(method, write_sdp(srs_side(play)))
    assert (answer.status, answer.contact_parameters) == (200, ";+sip.src")
    assert [m.own_direction for m in offer_of(answer).media] == [Direction.SENDONLY] * 2
    assert [m.label for m in offer_of(answer).media] == ["1", "2"]
    assert lives(play) == [True, True]


@pytest.mark.rfc("3264", "6.1")
@pytest.mark.req("SDP-25", "SDP-26")
def test_inactive_pauses_the_media_before_it_is_answered() -> None:
    play = recorded()
    answer = play.ask("UPDATE", write_sdp(srs_side(play, Direction.INACTIVE)))
    assert [m.own_direction for m in offer_of(answer).media] == [Direction.INACTIVE] * 2
    assert lives(play) == [False, False]
    stops = [i for i, e in enumerate(play.order) if isinstance(e, plane.SetReaderLive)]
    assert max(stops) < play.order.index(answer)


@pytest.mark.req("SDP-25")
def test_a_pause_of_the_srs_outlives_our_metadata_updates() -> None:
    play = recorded()
    play.ask("UPDATE", write_sdp(srs_side(play, Direction.INACTIVE)))
    call = two_party_call()
    play.publish(with_stream(call, VOICE_A, direction=Direction.RECVONLY))
    assert [m.own_direction for m in offer_of(play.requests[0]).media] == [Direction.INACTIVE] * 2


@pytest.mark.rfc("3264", "8.4")
@pytest.mark.req("SDP-10")
def test_the_null_address_in_an_offer_stops_rtp_and_rtcp() -> None:
    play = recorded()
    play.ask("INVITE", write_sdp(srs_side(play).with_connection("0.0.0.0")))
    assert not play.media.readers


@pytest.mark.req("SDP-25", "SDP-27")
def test_port_0_stops_that_track_and_is_answered_with_port_0() -> None:
    play = recorded()
    offer = srs_side(play)
    answer = play.ask("INVITE", write_sdp(offer.with_media_at(1, offer.media[1].with_port(0))))
    assert [m.port for m in offer_of(answer).media] == [10000, 0]
    assert offer_of(answer).media[1].formats == ("0",)
    assert [r.attached.stream for r in play.media.readers.values()] == [1]


@pytest.mark.req("SDP-25")
def test_a_track_that_the_srs_disabled_it_may_enable_again() -> None:
    play = recorded()
    offer = srs_side(play)
    play.ack(play.ask("INVITE", write_sdp(offer.with_media_at(1, offer.media[1].with_port(0)))))
    answer = play.ask("INVITE", write_sdp(offer.with_next_version()))
    assert [m.port for m in offer_of(answer).media] == [10000, 10002]
    assert len(play.media.readers) == 2


@pytest.mark.rfc("3264", "8.3.1")
def test_a_new_address_moves_the_reader_with_its_ssrc() -> None:
    play = recorded()
    offer = srs_side(play)
    moved = offer.with_connection("192.0.2.99").with_media_at(0, offer.media[0].with_port(40000))
    play.ask("UPDATE", write_sdp(moved))
    first = next(iter(play.media.readers.values()))
    assert first.updated is not None
    assert (first.updated.remote.host, first.updated.remote.port) == ("192.0.2.99", 40000)
    assert len([c for c in play.commands if isinstance(c, plane.AttachReader)]) == 2


@pytest.mark.rfc("7866", "7.2")
@pytest.mark.req("SDP-24")
@pytest.mark.parametrize("count", [1, 3])
def test_an_srs_neither_adds_nor_removes_streams(count: int) -> None:
    play = recorded()
    offer = srs_side(play)
    answer = play.ask("INVITE", write_sdp(offer.with_media(*(offer.media * 2)[:count])))
    assert answer.status == 488
    assert lives(play) == [True, True]


@pytest.mark.req("SDP-11")
def test_a_codec_that_the_call_does_not_have_is_488() -> None:
    play = recorded()
    offer = srs_side(play)
    answer = play.ask("INVITE", write_sdp(offer.with_media_at(0, offer.media[0].with_formats((OPUS,)))))
    assert answer.status == 488
    assert lives(play) == [True, True]


@pytest.mark.rfc("3264", "8.3.2")
@pytest.mark.req("SDP-22")
def test_an_offer_that_gives_a_payload_type_another_codec_is_488() -> None:
    play = Play()
    call = two_party_call()
    forms = (OPUS, PCMU)
    play.publish(
        dataclasses.replace(call, streams=tuple(dataclasses.replace(s, formats=forms) for s in call.streams))
    )
    play.accept()
    stolen = dataclasses.replace(PCMU, payload_type=96)
    offer = srs_side(play)
    answer = play.ask("INVITE", write_sdp(offer.with_media_at(0, offer.media[0].with_formats((stolen,)))))
    assert answer.status == 488


@pytest.mark.rfc("3261", "13.2.1")
@pytest.mark.req("SIP-19", "TIM-09")
def test_an_invite_without_offer_gets_ours_and_the_ack_has_the_answer() -> None:
    play = recorded()
    answer = play.ask("INVITE")
    assert answer.status == 200
    assert offer_of(answer) == offer_of(play.invites[0])
    assert lives(play) == [True, True]
    play.ack(answer, write_sdp(srs_side(play, Direction.INACTIVE)))
    assert lives(play) == [False, False]


@pytest.mark.rfc("3261", "14.2")
@pytest.mark.req("SIP-19")
def test_an_srs_that_holds_may_take_up_again_by_an_invite_without_offer() -> None:
    play = recorded()
    play.ask("UPDATE", write_sdp(srs_side(play, Direction.INACTIVE)))
    assert lives(play) == [False, False]
    answer = play.ask("INVITE")
    assert [media.own_direction for media in offer_of(answer).media] == [Direction.SENDONLY] * 2
    assert lives(play) == [False, False]
    play.ack(answer, write_sdp(srs_side(play)))
    assert lives(play) == [True, True]


@pytest.mark.req("SIP-19", "SDP-05")
def test_an_ack_without_the_answer_ends_the_session() -> None:
    play = recorded()
    play.until(60.0)
    play.ack(play.ask("INVITE"))
    assert play.methods() == ["BYE"]
    assert len(play.invites) == 2


@pytest.mark.req("DLG-05")
def test_nothing_of_ours_leaves_until_their_invite_is_acknowledged() -> None:
    play = recorded()
    answer = play.ask("INVITE", write_sdp(srs_side(play)))
    play.command(Pause(7))
    assert play.requests == []
    play.ack(answer)
    assert play.methods() == ["INVITE"]


@pytest.mark.rfc("4028", "7.4")
@pytest.mark.req("TIM-09")
def test_a_refresh_changes_nothing() -> None:
    play = recorded()
    before = len(play.commands)
    assert play.ask("UPDATE").status == 200
    answer = play.ask("INVITE", write_sdp(srs_side(play)))
    assert answer.status == 200
    assert offer_of(answer).origin.version == 1
    assert len(play.commands) == before


def test_while_paused_by_us_their_offer_is_answered_inactive() -> None:
    play = recorded()
    play.command(Pause(7))
    play.accept(lambda _i, m: m.with_direction(Direction.INACTIVE))
    answer = play.ask("INVITE", write_sdp(srs_side(play)))
    assert [m.own_direction for m in offer_of(answer).media] == [Direction.INACTIVE] * 2
    assert lives(play) == [False, False]


# Snapshot requests.

SNAPSHOT = write_snapshot_request(SnapshotRequest(reason="lost my state"))


@pytest.mark.rfc("7866", "9.2")
@pytest.mark.rfc("7865", "7")
@pytest.mark.req("UPD-06", "UPD-07", "UPD-08", "MD-34")
@pytest.mark.parametrize("media_type", ["application/rs-metadata+xml", "application/rs-metadata"])
def test_a_snapshot_request_is_answered_200_and_then_served_at_once(media_type: str) -> None:
    play = recorded()
    answer = play.ask("UPDATE", SNAPSHOT, media_type, Content_Disposition="recording-session")
    assert (answer.status, answer.body) == (200, b"")
    (update,) = play.requests
    assert play.order.index(answer) < play.order.index(update)
    told = read_metadata(metadata_of(update))
    assert isinstance(told, Recording)
    assert told.mode is DataMode.COMPLETE
    assert offer_of(update) == offer_of(play.invites[0])
    play.accept()
    assert len(play.requests) == 1


@pytest.mark.req("UPD-09")
def test_a_snapshot_request_in_a_re_invite_is_served_after_its_ack() -> None:
    play = recorded()
    content_type, body = join_mixed(
        (
            make_part("application/sdp", write_sdp(srs_side(play))),
            make_part("application/rs-metadata+xml", SNAPSHOT, "recording-session"),
        ),
        "b1",
    )
    answer = play.ask("INVITE", body, content_type)
    assert answer.status == 200
    assert metadata_of(answer) == b""
    assert play.requests == []
    play.ack(answer)
    assert play.methods() == ["UPDATE"]


@pytest.mark.req("UPD-11")
def test_the_media_type_that_only_a_draft_had_is_tolerated_and_never_said() -> None:
    play = recorded()
    leftover = "application/sdp, application/rs-metadata-request"
    assert play.ask("UPDATE", Accept=leftover).status == 200
    assert not any("rs-metadata-request" in str(command.headers) for command in play.sent)


@pytest.mark.req("UPD-09")
def test_a_snapshot_request_in_an_info_is_served() -> None:
    play = recorded()
    assert play.ask("INFO", SNAPSHOT, "application/rs-metadata+xml").status == 200
    assert play.methods() == ["UPDATE"]


@pytest.mark.req("UPD-10")
@pytest.mark.parametrize("method", ["UPDATE", "INFO"])
@pytest.mark.parametrize("media_type", ["application/rs-metadata+xml", "application/rs-metadata"])
def test_a_snapshot_request_during_our_own_exchange_waits_for_its_end(method: str, media_type: str) -> None:
    play = recorded()
    play.command(Pause(7))
    assert play.ask(method, SNAPSHOT, media_type).status == 200
    assert play.methods() == ["INVITE"]
    play.accept(lambda _i, m: m.with_direction(Direction.INACTIVE))
    assert play.methods() == ["INVITE", "UPDATE"]


# BYE.


@pytest.mark.rfc("3261", "15.1.2")
@pytest.mark.req("DLG-11")
def test_a_bye_of_the_srs_stops_the_media_at_once_and_for_good() -> None:
    play = recorded("sip:one.example", "sip:two.example")
    answer = play.ask("BYE")
    assert answer.status == 200
    assert not play.media.readers
    ends = [i for i, e in enumerate(play.order) if isinstance(e, plane.DetachReader)]
    assert max(ends) < play.order.index(answer)
    assert set(play.media.ports) == {1, 2}
    play.until(300.0)
    assert (len(play.invites), play.finished) == (1, 1)
    assert play.log("recording.end")[0]["reason"] == "srs-bye"
    (failed,) = play.log("recording.failed")
    assert (failed["why"], failed["not_recorded"]) == ("sip:one.example: srs-bye", "audio,audio")
    assert play.counted("recordings_total") == [(("outcome", "interrupted"), ("reason", "srs-bye"))]


@pytest.mark.req("DLG-11")
def test_a_bye_of_the_srs_can_be_followed_by_a_new_session() -> None:
    play = recorded(SrsConfig(uri="sip:one.example", on_srs_bye=OnSrsBye.RESTART))
    play.ask("BYE")
    assert len(play.invites) == 1
    play.until(7.0)
    assert len(play.invites) == 2


@pytest.mark.rfc("3261", "12.2.2")
def test_a_bye_that_crosses_ours_is_answered() -> None:
    play = recorded()
    play.publish(dataclasses.replace(two_party_call(), ended=9.0))
    play.say(200)
    assert play.methods() == ["UPDATE", "BYE"]
    assert play.ask("BYE").status == 200
    play.say(200, play.requests[1])
    assert play.finished == 1


# All the rest.


@pytest.mark.rfc("3261", "11.2")
@pytest.mark.req("DLG-15")
@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("OPTIONS", 200),
        ("INFO", 200),
        ("REFER", 603),
        ("SUBSCRIBE", 489),
        ("NOTIFY", 481),
        ("PRACK", 481),
        ("MESSAGE", 405),
        ("PUBLISH", 405),
    ],
)
def test_other_requests_are_answered_properly(method: str, status: int) -> None:
    play = recorded()
    answer = play.ask(method)
    assert answer.status == status
    if status in (200, 405) and method != "INFO":
        assert answer.headers.get("allow")
    assert lives(play) == [True, True]


@pytest.mark.rfc("6086", "4.2.2")
@pytest.mark.req("DLG-15")
def test_an_info_package_is_refused_with_469() -> None:
    assert recorded().ask("INFO", Info_Package="conference").status == 469


@pytest.mark.rfc("5621", "8.4")
@pytest.mark.req("BOD-07", "DLG-14")
@pytest.mark.parametrize(
    ("disposition", "status"), [("signal;handling=required", 415), ("signal;handling=optional", 200)]
)
def test_a_body_part_of_unknown_type_is_415_only_when_required(disposition: str, status: int) -> None:
    play = recorded()
    parts = (
        make_part("application/gtd", b"IAM", disposition),
        make_part("application/sdp", write_sdp(srs_side(play))),
    )
    content_type, body = join_mixed(parts, "b1")
    answer = play.ask("INVITE", body, content_type)
    assert answer.status == status
    if status == 415:
        assert "application/sdp" in (answer.headers.get("accept") or "")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\xff\x00", "application/sdp"),
        (b"v=1\r\n", "application/sdp"),
        (b"no boundary", "multipart/mixed;boundary=b"),
        (b"x", "multipart/mixed"),
        (b"<recording", "application/rs-metadata+xml"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "application/rs-metadata+xml"),
        (b"x", "///"),
    ],
)
@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO"])
def test_hostile_bodies_get_a_4xx_and_change_nothing(method: str, body: bytes, content_type: str) -> None:
    play = recorded()
    answer = play.ask(method, body, content_type)
    assert 400 <= answer.status < 500 or (method == "INFO" and answer.status == 200)
    assert lives(play) == [True, True]
    assert play.methods() == []


def test_a_request_of_an_early_dialog_is_answered_too() -> None:
    play = Play()
    play.publish(two_party_call())
    assert play.ask("OPTIONS").status == 200
    assert play.ask("UPDATE", write_sdp(srs_side(play))).status == 488
    assert isinstance(play.sent[0], sip.StartInvite)


@pytest.mark.rfc("7866", "9.2")
@pytest.mark.req("UPD-12")
@pytest.mark.parametrize("update", [False, True])
def test_a_bye_at_once_after_metadata_is_an_alarm_with_the_shape_of_the_document(*, update: bool) -> None:
    play = recorded(SrsConfig(uri="sip:srs.example", on_srs_bye=OnSrsBye.RESTART))
    if update:
        play.until(60.0)
        play.publish(dataclasses.replace(two_party_call(), sip_session_ids=("1;remote=2",)))
    play.until(play.now + 1.0)
    play.ask("BYE")
    (line,) = play.log("recording.metadata-suspected")
    assert "participant 2" in str(line["document"])
    assert "alice" not in str(line)
    assert play.counted("srs_byes_after_metadata_total") == [(("srs", "sip:srs.example"),)]


@pytest.mark.req("UPD-12")
def test_an_srs_that_ends_every_session_over_its_metadata_is_not_asked_in_a_loop() -> None:
    play = recorded(SrsConfig(uri="sip:srs.example", on_srs_bye=OnSrsBye.RESTART))
    play.ask("BYE")
    for _ in range(200):
        play.until(play.now + 0.5)
        if len(play.invites) > len(play.counted("srs_byes_after_metadata_total")):
            play.accept()
            play.ask("BYE")
    assert len(play.invites) <= 7


def test_a_bye_long_after_the_last_document_is_no_complaint_about_it() -> None:
    play = recorded()
    play.until(play.now + 3.0)
    play.ask("BYE")
    assert play.log("recording.metadata-suspected") == []
