"""The SRS gets a call at least as well protected as it is, or not at all (RFC 7866 12, 12.2)."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import CommunicationSession
from siprec_src.media import plane
from siprec_src.recording.protection import MediaSecurity
from siprec_src.recording.srs import SrsConfig
from siprec_src.sip.flow import Transport
from tests.unit.recording.play import (
    PCMU,
    VOICE_A,
    VOICE_B,
    Play,
    edge,
    offer_of,
    two_party_call,
    with_stream,
)

SHORT, LONG = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"
URI = "sip:srs.example;transport=tcp"
SDES = SrsConfig(uri=URI, media_security=MediaSecurity.SDES, srtp_suites=(SHORT, LONG))


def call_of(bits: int) -> CommunicationSession:
    call = with_stream(two_party_call(), VOICE_A, encrypted=True, key_bits=bits)
    return with_stream(call, VOICE_B, encrypted=True, key_bits=bits)


def suites(play: Play) -> list[list[str]]:
    return [[line.suite for line in media.crypto] for media in offer_of(play.invites[-1]).media]


@pytest.mark.rfc("7866", "12.2")
@pytest.mark.req("KEY-05")
@pytest.mark.parametrize(("bits", "offered"), [(128, [SHORT, LONG]), (192, [LONG]), (256, [LONG])])
def test_keys_are_offered_that_are_as_long_as_those_of_the_call(bits: int, offered: list[str]) -> None:
    play = Play(SDES)
    play.publish(call_of(bits))
    assert suites(play) == [offered, offered]


@pytest.mark.req("KEY-05")
def test_each_track_is_compared_with_its_own_key() -> None:
    play = Play(SDES)
    play.publish(with_stream(call_of(128), VOICE_B, key_bits=256))
    assert suites(play) == [[SHORT, LONG], [LONG]]


@pytest.mark.req("KEY-05")
def test_dtls_agrees_on_nothing_shorter_than_the_call_has() -> None:
    play = Play(dataclasses.replace(SDES, media_security=MediaSecurity.DTLS))
    play.publish(call_of(256))
    end = "sha-256 " + ":".join(["BB"] * 32)
    play.accept(lambda _i, m: m.with_attribute("setup", "active").with_attribute("fingerprint", end))
    attached = [command for command in play.commands if isinstance(command, plane.AttachReader)]
    assert [command.dtls.suites for command in attached if command.dtls] == [(LONG,)] * 2


@pytest.mark.rfc("7866", "12.2")
@pytest.mark.req("KEY-03", "KEY-05")
@pytest.mark.parametrize("exception", [False, True])
def test_shorter_keys_need_an_exception(exception: bool) -> None:
    config = dataclasses.replace(SDES, srtp_suites=(SHORT,), clear_copy_of_encrypted=exception)
    play = Play(config)
    play.publish(call_of(256))
    assert len(play.invites) == int(exception)
    if not exception:
        assert play.log("recording.failed")[0]["why"] == "sip:srs.example: srs-not-secure"


@pytest.mark.req("KEY-05")
def test_longer_keys_in_the_call_end_a_session_with_shorter_ones() -> None:
    play = Play(SDES)
    play.publish(call_of(128))
    play.accept()
    play.publish(call_of(256))
    play.say(200)
    assert play.log("recording.end")[0]["reason"] == "srs-not-secure"
    assert suites(play) == [[LONG], [LONG]]


@pytest.mark.req("KEY-05")
@pytest.mark.parametrize("begun", [False, True])
def test_keys_that_grow_longer_while_a_port_is_opened_count(begun: bool) -> None:
    play, call = Play(SDES), call_of(128)
    if begun:
        play.publish(dataclasses.replace(call, streams=call.streams[:1]))
        play.accept()
    play.hold_media()
    play.publish(call)
    play.publish(with_stream(call, VOICE_B, key_bits=256))
    play.release_media()
    added = offer_of(play.requests[-1] if begun else play.invites[-1]).media[1]
    assert [line.suite for line in added.crypto] == [LONG]


@pytest.mark.rfc("7866", "12")
@pytest.mark.req("KEY-03")
@pytest.mark.parametrize(
    ("uri", "exception", "asked"),
    [
        ("sip:srs.example;transport=tcp", False, False),
        ("sip:srs.example;transport=tcp", True, True),
        ("sip:srs.example;transport=tls", False, True),
        ("sips:srs.example", False, True),
    ],
)
def test_a_call_to_a_sips_uri_is_told_to_its_srs_over_tls(uri: str, exception: bool, asked: bool) -> None:
    at = dataclasses.replace(edge(), transports=(Transport.TCP, Transport.TLS))
    play = Play(SrsConfig(uri=uri, clear_copy_of_encrypted=exception), edges=[at])
    play.publish(dataclasses.replace(two_party_call(), sips=True))
    assert bool(play.invites) is asked


@pytest.mark.rfc("4568", "6.4")
@pytest.mark.rfc("3711", "3.3.1")
@pytest.mark.req("KEY-19", "RTP-22")
def test_a_late_fork_begins_low_and_under_an_ssrc_of_its_own() -> None:
    """What the party's sequence numbers are by then does not matter: those of the copy are its own."""
    play = Play(SDES)
    play.publish(call_of(128))
    play.accept()
    attached = [command for command in play.commands if isinstance(command, plane.AttachReader)]
    assert all(command.first_sequence < 1 << 15 for command in attached)
    assert len({command.ssrc for command in attached}) == 2


@pytest.mark.rfc("7866", "8.3.1")
@pytest.mark.req("RTP-20")
def test_a_party_has_one_cname_for_all_its_tracks_as_long_as_the_session_lasts() -> None:
    call = two_party_call()
    more = dataclasses.replace(call.streams[0], stream_id=b"c" * 16, source=2)
    play = Play(SDES)
    play.publish(dataclasses.replace(call, streams=(*call.streams, more)))
    play.accept()
    alice, bob, also_alice = (c for c in play.commands if isinstance(c, plane.AttachReader))
    assert alice.cname == also_alice.cname != bob.cname
    wide = dataclasses.replace(PCMU, payload_type=9, encoding="G722", clock_rate=16000)
    play.publish(with_stream(call, VOICE_A, formats=(wide,)))
    play.accept()
    again = [c for c in play.commands if isinstance(c, plane.AttachReader)][3:]
    assert all(command.cname == alice.cname for command in again)
