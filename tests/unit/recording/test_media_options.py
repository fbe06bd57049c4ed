"""How a recorder may want its RTP and RTCP offered: on one port, and under the profiles with feedback."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import Format
from siprec_src.media import plane
from siprec_src.recording.protection import MediaSecurity
from siprec_src.recording.srs import SrsConfig
from siprec_src.sdp.model import Line, Media
from tests.unit.recording.play import VOICE_A, Play, offer_of, two_party_call, with_stream

TCP = "sip:srs.example;transport=tcp"


def started(config: SrsConfig) -> Play:
    play = Play(config)
    play.publish(two_party_call())
    return play


@pytest.mark.rfc("7866", "8.1.2")
@pytest.mark.rfc("4585", "4")
@pytest.mark.req("SDP-30", "KEY-01")
@pytest.mark.parametrize(
    ("security", "profile"),
    [
        (MediaSecurity.NONE, "RTP/AVPF"),
        (MediaSecurity.SDES, "RTP/SAVPF"),
        (MediaSecurity.DTLS, "UDP/TLS/RTP/SAVPF"),
    ],
)
def test_the_profiles_with_feedback_are_offered_where_the_srs_wants_them(
    security: MediaSecurity, profile: str
) -> None:
    play = started(SrsConfig(uri=TCP, media_security=security, feedback=True))
    assert {media.protocol for media in offer_of(play.invites[0]).media} == {profile}


@pytest.mark.rfc("3556", "2")
@pytest.mark.req("RTP-26")
@pytest.mark.parametrize(
    ("said", "silent"), [(("RS:0", "RR:0"), True), (("RS:0",), False), (("RR:0",), False)]
)
def test_an_srs_without_bandwidth_for_rtcp_gets_none(said: tuple[str, ...], silent: bool) -> None:
    play = started(SrsConfig(uri=TCP))
    bandwidth = tuple(Line("b", value) for value in said)
    play.accept(lambda _index, media: dataclasses.replace(media, lines=(*bandwidth, *media.lines)))
    attached = [command for command in play.commands if isinstance(command, plane.AttachReader)]
    assert [command.no_rtcp for command in attached] == [silent] * 2


@pytest.mark.rfc("5761", "5.1.1")
@pytest.mark.req("RTP-27")
@pytest.mark.parametrize("taken", [True, False])
def test_rtcp_is_multiplexed_when_the_answer_has_it_too(taken: bool) -> None:
    play = started(SrsConfig(uri=TCP, rtcp_mux=True))
    assert all(media.rtcp_mux for media in offer_of(play.invites[0]).media)

    def answer(_index: int, media: Media) -> Media:
        return media.with_attribute("rtcp-mux", "") if taken else media

    play.accept(answer)
    attached = [command for command in play.commands if isinstance(command, plane.AttachReader)]
    assert [command.rtcp_mux for command in attached] == [taken] * 2
    if not taken:
        rtcp = [command.remote_rtcp.port for command in attached if command.remote_rtcp is not None]
        assert rtcp == [command.remote.port + 1 for command in attached]


@pytest.mark.rfc("5761", "4")
@pytest.mark.req("RTP-27")
def test_a_payload_type_that_looks_like_rtcp_gets_another_number() -> None:
    odd = Format(payload_type=72, encoding="opus", clock_rate=48000, channels=2)
    play = Play(SrsConfig(uri=TCP, rtcp_mux=True))
    play.publish(with_stream(two_party_call(), VOICE_A, formats=(odd,)))
    assert offer_of(play.invites[0]).media[0].formats == ("96",)
    play.accept()
    attached = next(command for command in play.commands if isinstance(command, plane.AttachReader))
    assert attached.payload_types == ((72, 96),)


@pytest.mark.rfc("5576", "4.1")
@pytest.mark.req("SDP-33")
def test_the_sdp_says_under_which_ssrc_and_cname_a_track_comes() -> None:
    play = started(SrsConfig(uri=TCP, source_attributes=True))
    said = [media.attribute("ssrc") for media in offer_of(play.invites[0]).media]
    play.accept()
    attached = [command for command in play.commands if isinstance(command, plane.AttachReader)]
    assert said == [f"{command.ssrc} cname:{command.cname}" for command in attached]
    assert len(set(said)) == 2
    assert not any("@" in (line or "") for line in said)
