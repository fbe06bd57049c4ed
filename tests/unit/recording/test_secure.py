"""SRTP towards the SRS: keys, their answers, and no way back to RTP."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import Direction
from siprec_src.media import plane
from siprec_src.recording.srs import SrsConfig
from siprec_src.sdp.crypto import Crypto
from siprec_src.sdp.model import Media, SessionDescription
from siprec_src.sdp.writer import write_sdp
from tests.unit.recording.play import (
    PCMA,
    VOICE_A,
    Play,
    answer_to,
    offer_of,
    two_party_call,
    with_stream,
)

SECURE = "sip:srs.example;secure=true;transport=tcp"
SUITES = ("AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80")


def started(*srs: str | SrsConfig) -> Play:
    play = Play(*(srs or (SrsConfig(uri=SECURE, srtp_suites=SUITES), "sip:two.example")))
    play.publish(two_party_call())
    return play


@pytest.mark.rfc("7866", "12.2")
@pytest.mark.rfc("4568", "6.1")
@pytest.mark.req("KEY-01", "KEY-02", "KEY-10", "KEY-11", "KEY-12", "KEY-16", "SDP-30")
def test_each_m_line_is_savp_with_keys_of_its_own_strongest_first() -> None:
    offer = offer_of(started().invites[0])
    lines = [line for media in offer.media for line in media.crypto]
    assert [media.protocol for media in offer.media] == ["RTP/SAVP"] * 2
    assert [(line.tag, line.suite) for line in lines] == [(1, SUITES[0]), (2, SUITES[1])] * 2
    assert [len(line.material) for line in lines] == [44, 30, 44, 30]
    assert len({line.material[-4:] for line in lines}) == 4
    assert offer.attributes("crypto") == ()


@pytest.mark.req("SIP-22", "KEY-11")
def test_keys_are_new_for_each_srs() -> None:
    play = started(SECURE, SECURE.replace("srs", "two"))
    play.say(486)
    one, two = (offer_of(i) for i in play.invites)
    keys = [{c.material for m in o.media for c in m.crypto} for o in (one, two)]
    assert not keys[0] & keys[1]


@pytest.mark.rfc("4568", "5.1.3")
@pytest.mark.req("KEY-13", "KEY-14", "KEY-15")
def test_our_key_of_the_chosen_tag_protects_and_the_key_of_the_srs_opens() -> None:
    play = started()
    offered = offer_of(play.invites[0])
    play.accept(lambda i, m: m.with_crypto(Crypto(2, SUITES[1], bytes([i + 1]) * 30)))
    for index, reader in enumerate(play.media.readers.values()):
        attached = reader.attached
        assert attached.send_key is not None
        assert attached.receive_key is not None
        assert attached.send_key.material == offered.media[index].crypto[1].material
        assert attached.send_key.suite == SUITES[1]
        assert attached.receive_key.material == bytes([index + 1]) * 30


BAD_KEYS = {
    "another tag": lambda m: m.with_crypto(Crypto(9, SUITES[0], b"\xbb" * 44)),
    "another suite": lambda m: m.with_crypto(Crypto(1, SUITES[1], b"\xbb" * 30)),
    "two lines": lambda m: m.with_crypto(
        Crypto(1, SUITES[0], b"\xbb" * 44), Crypto(2, SUITES[1], b"\xbb" * 30)
    ),
    "no line": lambda m: m.without_attribute("crypto"),
    "a short key": lambda m: m.with_attribute("crypto", f"1 {SUITES[0]} inline:AAAA"),
    "a mandatory parameter": lambda m: m.with_crypto(
        Crypto(1, SUITES[0], b"\xbb" * 44, parameters=("UNENCRYPTED_SRTCP",))
    ),
    "plain RTP": lambda m: dataclasses.replace(m, protocol="RTP/AVP").without_attribute("crypto"),
}


@pytest.mark.rfc("4568", "7.1.3")
@pytest.mark.req("KEY-13", "KEY-14", "KEY-16", "KEY-17", "KEY-35")
@pytest.mark.parametrize("what", BAD_KEYS)
def test_an_answer_without_the_agreed_protection_ends_in_bye(what: str) -> None:
    play = started()
    play.accept(lambda i, m: BAD_KEYS[what](m) if i == 1 else m)
    assert play.methods() == ["BYE"]
    assert not play.media.readers
    assert play.log("recording.attempt-failed")[0]["reason"] == "srs-bad-answer"


@pytest.mark.req("KEY-13", "SDP-11")
def test_a_secure_track_of_another_codec_is_refused_alone() -> None:
    play = started()
    play.accept(lambda i, m: m.with_formats((PCMA,)) if i == 1 else m)
    assert [r.attached.stream for r in play.media.readers.values()] == [1]


@pytest.mark.req("KEY-14")
def test_an_answer_that_echoes_our_key_ends_in_bye() -> None:
    play = started()
    play.say(200, sdp=_echo(play))
    assert play.methods() == ["BYE"]


@pytest.mark.req("KEY-03", "KEY-35")
@pytest.mark.parametrize("refusal", ["488", "port 0"])
def test_an_srs_that_refuses_srtp_never_gets_rtp(refusal: str) -> None:
    play = started(SECURE)
    if refusal == "488":
        play.say(488)
    else:
        play.accept(lambda _i, m: m.with_port(0))
    play.until(300.0)
    assert len(play.invites) > 1
    assert all(m.protocol == "RTP/SAVP" for i in play.invites for m in offer_of(i).media)
    assert not play.media.readers


@pytest.mark.rfc("7866", "12")
@pytest.mark.req("KEY-03")
def test_an_encrypted_call_is_not_copied_in_clear() -> None:
    play = Play("sip:plain.example", SECURE)
    play.publish(with_stream(two_party_call(), VOICE_A, encrypted=True))
    assert [i.request_uri for i in play.invites] == ["sip:srs.example;transport=tcp"]


@pytest.mark.req("KEY-03")
def test_an_encrypted_call_without_a_secure_srs_is_named_as_not_recorded() -> None:
    play = Play("sip:plain.example")
    call = with_stream(two_party_call(), VOICE_A, encrypted=True)
    play.publish(call)
    assert play.invites == []
    assert play.log("recording.failed")[0]["why"] == "sip:plain.example: srs-not-secure"
    play.publish(dataclasses.replace(call, ended=5.0))
    assert play.counted("calls_unrecorded_total") == [(("reason", "srs-not-secure"),)]
    assert play.finished == 1


@pytest.mark.req("KEY-03")
def test_the_exception_must_be_configured() -> None:
    play = Play(SrsConfig(uri="sip:plain.example", clear_copy_of_encrypted=True))
    play.publish(with_stream(two_party_call(), VOICE_A, encrypted=True))
    assert len(play.invites) == 1


@pytest.mark.req("KEY-03")
def test_a_call_that_becomes_encrypted_leaves_the_plain_srs() -> None:
    play = Play("sip:plain.example", SECURE)
    play.publish(two_party_call())
    play.accept()
    play.publish(with_stream(two_party_call(), VOICE_A, encrypted=True))
    assert not play.media.readers
    assert play.methods() == ["BYE"]
    play.until(20.0)
    assert play.invites[-1].request_uri == "sip:srs.example;transport=tcp"


@pytest.mark.rfc("4568", "7.1.4")
@pytest.mark.req("KEY-18")
def test_a_later_offer_keeps_port_and_key() -> None:
    play = started(SECURE)
    play.accept()
    play.publish(with_stream(two_party_call(), VOICE_A, direction=Direction.RECVONLY))
    assert offer_of(play.requests[0]) == offer_of(play.invites[0])
    play.accept()
    assert len([c for c in play.commands if isinstance(c, plane.AttachReader)]) == 2
    assert not [c for c in play.commands if isinstance(c, plane.UpdateReader)]


@pytest.mark.rfc("4568", "5.1.2")
@pytest.mark.req("KEY-14", "KEY-18")
def test_an_offer_of_the_srs_is_answered_with_our_key_in_force_under_its_tag() -> None:
    play = started(SECURE)
    play.accept()
    ours = offer_of(play.invites[0]).media[0].crypto[0]
    theirs = (Crypto(7, "AEAD_AES_128_GCM", b"\x01" * 28), Crypto(8, ours.suite, b"\x02" * 30))
    offer = answer_to(offer_of(play.invites[0]), lambda _i, m: m.with_crypto(*theirs)).with_next_version()
    answer = play.ask("INVITE", write_sdp(offer))
    chosen = offer_of(answer).media[0].crypto
    assert chosen == (dataclasses.replace(ours, tag=8),)
    first = next(iter(play.media.readers.values()))
    assert first.updated is not None
    assert first.updated.send_key is not None
    assert first.updated.receive_key is not None
    assert first.updated.send_key.material == ours.material
    assert first.updated.receive_key.material == b"\x02" * 30


@pytest.mark.req("KEY-37")
def test_keys_are_in_no_log_line() -> None:
    play = started(SECURE)
    play.accept()
    play.publish(dataclasses.replace(two_party_call(), ended=9.0))
    play.say(200)
    play.say(200)
    shown = repr(play.logs) + repr(play.commands)
    for line in offer_of(play.invites[0]).media[0].attributes("crypto"):
        assert line.partition("inline:")[2] not in shown
    assert "inline:" not in shown


def _echo(play: Play) -> SessionDescription:
    offer = offer_of(play.invites[0])

    def echo(index: int, media: Media) -> Media:
        return media.with_crypto(offer.media[index].crypto[0])

    return answer_to(offer, echo)
