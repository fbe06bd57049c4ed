"""What the SRS's answer does to the forks."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import Direction
from siprec_src.media import plane
from siprec_src.sdp.model import Line
from siprec_src.sip import vocabulary as sip
from tests.unit.recording.play import (
    OPUS,
    PCMA,
    PCMU,
    VOICE_A,
    Play,
    answer_to,
    offer_of,
    two_party_call,
    with_stream,
)


def started(*srs: str) -> Play:
    play = Play(*(srs or ("sip:one.example", "sip:two.example")))
    play.publish(two_party_call())
    return play


@pytest.mark.rfc("3264", "6")
@pytest.mark.req("SDP-07")
def test_port_0_means_no_reader_for_that_track() -> None:
    play = started()
    play.accept(lambda i, m: m.with_port(0) if i == 1 else m)
    assert [r.attached.stream for r in play.media.readers.values()] == [1]
    assert play.log("recording.begin")[0]["tracks"] == "1"
    assert play.log("recording.answer")[0]["what"] == "label 2: port 0"


@pytest.mark.req("SDP-07")
def test_port_0_everywhere_is_a_refusal() -> None:
    play = started()
    play.accept(lambda _i, m: m.with_port(0))
    assert play.methods() == ["BYE"]
    assert not play.media.readers
    assert play.invites[-1].request_uri == "sip:two.example"
    assert play.log("recording.attempt-failed")[0]["reason"] == "srs-no-media"


@pytest.mark.rfc("3264", "6.1")
@pytest.mark.req("SDP-08")
def test_inactive_means_rtcp_but_no_rtp() -> None:
    play = started()
    play.accept(lambda _i, m: m.with_direction(Direction.INACTIVE))
    assert [r.live for r in play.media.readers.values()] == [False, False]
    assert play.methods() == []


@pytest.mark.rfc("3264", "8.4")
@pytest.mark.req("SDP-10")
def test_the_null_address_means_nothing_at_all() -> None:
    play = started()
    answer = answer_to(offer_of(play.invites[0])).with_connection("0.0.0.0")
    play.say(200, sdp=answer)
    assert not play.media.readers
    assert play.methods() == []


@pytest.mark.req("SDP-09")
@pytest.mark.parametrize(
    ("direction", "live"),
    [(None, True), (Direction.SENDRECV, True), (Direction.SENDONLY, False), (Direction.RECVONLY, True)],
)
def test_a_wrong_direction_is_forgiven_where_it_is_safe(direction: Direction | None, live: bool) -> None:
    play = started()
    play.accept(
        lambda _i, m: m.without_attribute("recvonly") if direction is None else m.with_direction(direction)
    )
    assert [r.live for r in play.media.readers.values()] == [live, live]
    assert bool(play.log("recording.answer")) is (direction is not Direction.RECVONLY)


@pytest.mark.rfc("3264", "6")
@pytest.mark.req("SDP-05")
@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_m_lines_is_ended_with_bye(count: int) -> None:
    play = started()
    good = answer_to(offer_of(play.invites[0]))
    play.say(200, sdp=good.with_media(*(good.media * 2)[:count]))
    assert isinstance(play.sent[1], sip.SendAck)
    assert play.methods() == ["BYE"]
    assert not play.media.readers
    assert play.log("recording.attempt-failed")[0]["reason"] == "srs-bad-answer"
    assert play.invites[-1].request_uri == "sip:two.example"


@pytest.mark.req("SDP-05")
@pytest.mark.parametrize("body", [b"", b"v=0\r\n", b"\x00\xff", b"v=0\r\no=x\r\n"])
def test_nonsense_instead_of_an_answer_is_ended_with_bye(body: bytes) -> None:
    play = started()
    play.say(200, sdp=body)
    assert play.methods() == ["BYE"]
    assert play.invites[-1].request_uri == "sip:two.example"


@pytest.mark.rfc("3264", "6")
@pytest.mark.req("SDP-06")
def test_tracks_are_matched_by_position_not_by_label() -> None:
    play = started()
    play.accept(lambda i, m: m.with_label("12"[1 - i]))
    pairs = [(r.attached.stream, r.attached.remote.port) for r in play.media.readers.values()]
    assert pairs == [(1, 30000), (2, 30002)]
    assert len(play.log("recording.answer")) == 2


@pytest.mark.req("SDP-06")
def test_labels_may_be_left_away() -> None:
    play = started()
    play.accept(lambda _i, m: m.without_attribute("label"))
    assert len(play.media.readers) == 2
    assert play.log("recording.answer") == []


@pytest.mark.rfc("3264", "6.1")
@pytest.mark.req("SDP-11")
def test_packets_leave_with_the_payload_type_of_the_answer() -> None:
    play = Play()
    play.publish(with_stream(two_party_call(), VOICE_A, formats=(OPUS, PCMU)))
    other = dataclasses.replace(OPUS, payload_type=111)
    play.accept(lambda i, m: m.with_formats((other, PCMU)) if i == 0 else m)
    attached = next(iter(play.media.readers.values())).attached
    assert attached.payload_types == ((96, 111), (0, 0))
    assert attached.clock_rate == 48000


@pytest.mark.rfc("3264", "6.1")
@pytest.mark.req("SDP-11", "SDP-14")
def test_a_codec_that_was_not_offered_is_a_refused_track() -> None:
    play = started()
    play.accept(lambda i, m: m.with_formats((PCMA,)) if i == 0 else m)
    assert [r.attached.stream for r in play.media.readers.values()] == [2]
    assert play.log("recording.answer")[0]["what"] == "label 1: no format of the offer accepted"


@pytest.mark.req("SDP-10")
def test_media_is_not_sent_to_a_host_name() -> None:
    play = started()
    play.say(200, sdp=answer_to(offer_of(play.invites[0])).with_connection("media.srs.example"))
    assert not play.media.readers
    assert play.methods() == ["BYE"]


@pytest.mark.req("SDP-10")
def test_the_address_of_an_m_line_goes_before_that_of_the_session() -> None:
    play = started()
    answer = answer_to(offer_of(play.invites[0]))
    own = dataclasses.replace(answer.media[1], lines=(Line("c", "IN IP4 192.0.2.77"), *answer.media[1].lines))
    play.say(200, sdp=answer.with_media_at(1, own))
    hosts = [r.attached.remote.host for r in play.media.readers.values()]
    assert hosts == ["192.0.2.9", "192.0.2.77"]


@pytest.mark.rfc("3605", "2.1")
def test_rtcp_goes_where_the_answer_says() -> None:
    play = started()
    play.accept(lambda _i, m: m.with_rtcp(40001, "192.0.2.10"))
    attached = next(iter(play.media.readers.values())).attached
    assert attached.remote_rtcp is not None
    assert (attached.remote_rtcp.host, attached.remote_rtcp.port) == ("192.0.2.10", 40001)


@pytest.mark.rfc("5761", "5.1.1")
@pytest.mark.req("RTP-27")
def test_rtcp_is_not_multiplexed_unless_it_was_offered() -> None:
    play = started()
    play.accept(lambda _i, m: m.with_attribute("rtcp-mux", ""))
    assert not any(r.attached.rtcp_mux for r in play.media.readers.values())


def test_a_fork_that_the_media_plane_refuses_is_logged_and_the_rest_goes_on() -> None:
    play = started()
    play.media.refuse(plane.AttachReader, "no-room")
    play.accept()
    assert len(play.media.readers) == 1
    assert play.log("recording.fork-failed") == [
        {**_ids(play), "what": "no-room", "labels": "1"},
    ]


def _ids(play: Play) -> dict[str, object]:
    begin = play.log("recording.begin")[0]
    return {k: v for k, v in begin.items() if k not in ("tracks", "setup_s")}


@pytest.mark.rfc("3261", "13.2.1")
@pytest.mark.req("DLG-17")
def test_an_answer_in_a_1xx_is_a_preview_by_which_nothing_is_sent() -> None:
    play = Play()
    play.publish(two_party_call())
    (invite,) = play.invites
    play.say(183, sdp=answer_to(offer_of(invite)))
    assert not play.media.readers
    play.accept()
    assert len(play.media.readers) == 2
    assert play.log("recording.answer") == []


@pytest.mark.rfc("3261", "13.2.1")
@pytest.mark.req("DLG-17")
def test_a_200_that_says_something_else_than_its_1xx_holds_and_is_told() -> None:
    play = Play()
    play.publish(two_party_call())
    (invite,) = play.invites
    play.say(183, sdp=answer_to(offer_of(invite), lambda _i, media: media.with_port(50000)))
    play.say(180, sdp=b"no description")
    play.accept()
    ports = {reader.attached.remote.port for reader in play.media.readers.values()}
    assert ports == {30000, 30002}
    (said,) = play.log("recording.answer")
    assert said["what"] == "another answer than in the 1xx"
