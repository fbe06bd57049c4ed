"""DTLS-SRTP towards the SRS: what is offered, what is taken for an answer, when a handshake is due."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from siprec_src.communication import Direction
from siprec_src.errors import ConfigurationError
from siprec_src.media import plane
from siprec_src.recording.commands import Pause
from siprec_src.recording.protection import MediaSecurity
from siprec_src.recording.srs import SrsConfig, parse_target
from siprec_src.sdp.dtls import PROTOCOL
from siprec_src.sdp.model import Media
from siprec_src.sdp.offer_answer import effective_direction
from siprec_src.sdp.writer import write_sdp
from tests.unit.recording.play import Play, answer_to, edge, offer_of, two_party_call

SRS = SrsConfig(
    uri="sip:srs.example;transport=tcp",
    media_security=MediaSecurity.DTLS,
    srtp_suites=("AES_256_CM_HMAC_SHA1_80", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"),
)
THEIRS = "sha-256 " + ":".join(["BB"] * 32)
OTHER = "sha-256 " + ":".join(["CC"] * 32)


def dtls_answer(setup: str = "active", fingerprint: str = THEIRS) -> Callable[[int, Media], Media]:
    def change(_index: int, media: Media) -> Media:
        return (
            media.with_attribute("fingerprint", fingerprint)
            .with_attribute("setup", setup)
            .with_attribute("tls-id", "0123456789abcdef0123")
        )

    return change


def started(*others: str, srs: SrsConfig = SRS) -> Play:
    play = Play(srs, *others)
    play.publish(two_party_call())
    return play


def attached(play: Play) -> list[plane.AttachReader]:
    return [command for command in play.commands if isinstance(command, plane.AttachReader)]


@pytest.mark.rfc("5763", "5")
@pytest.mark.rfc("8122", "5")
@pytest.mark.rfc("8842", "5.2")
@pytest.mark.req("KEY-30", "KEY-34", "SIP-22")
def test_each_m_line_offers_an_association_of_its_own() -> None:
    offer = offer_of(started().invites[0])
    for media in offer.media:
        assert (media.protocol, media.attribute("setup")) == (PROTOCOL, "actpass")
        assert (media.attribute("fingerprint") or "").startswith("sha-256 ")
        assert media.attribute("connection") is None
        assert media.crypto == ()
    assert len({media.attribute("tls-id") for media in offer.media}) == 2


@pytest.mark.rfc("5764", "5.1")
@pytest.mark.req("KEY-32")
@pytest.mark.parametrize(("setup", "active"), [("active", True), ("passive", False)])
def test_a_reader_gets_the_other_end_and_no_key_before_the_handshake(setup: str, active: bool) -> None:
    play = started()
    play.accept(dtls_answer(setup))
    for command in attached(play):
        assert command.dtls is not None
        assert (command.dtls.active, command.dtls.fingerprints) == (active, (THEIRS,))
        assert command.dtls.suites == ("AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80")
        assert command.send_key is command.receive_key is None
    assert len({command.dtls.association for command in attached(play) if command.dtls}) == 2


@pytest.mark.req("KEY-30", "KEY-31", "KEY-35")
@pytest.mark.parametrize(
    "bad",
    [
        lambda m: m.without_attribute("fingerprint"),
        lambda m: m.with_attribute("fingerprint", "md5 " + ":".join(["BB"] * 16)),
        lambda m: m.with_attribute("setup", "holdconn"),
        lambda m: m.with_protocol("RTP/AVP"),
    ],
)
def test_an_answer_without_a_usable_end_is_ended_with_bye(bad: Callable[[Media], Media]) -> None:
    play = started()
    play.accept(lambda i, m: bad(dtls_answer()(i, m)) if i == 1 else dtls_answer()(i, m))
    assert play.methods() == ["BYE"]
    assert not play.media.readers
    assert play.log("recording.attempt-failed")[0]["reason"] == "srs-bad-answer"


@pytest.mark.rfc("5763", "5")
@pytest.mark.req("KEY-31")
def test_a_failed_handshake_ends_the_session_and_the_next_srs_is_asked() -> None:
    play = started("sip:two.example;secure=true;transport=tcp")
    play.media.refuse(plane.AttachReader, "dtls-failed")
    play.accept(dtls_answer())
    play.say(200, next(r for r in play.requests if r.method == "BYE"))
    assert play.log("recording.end")[0]["reason"] == "srs-dtls-failed"
    assert [str(invite.request_uri).split(";")[0] for invite in play.invites] == [
        "sip:srs.example",
        "sip:two.example",
    ]
    assert not play.media.readers


@pytest.mark.rfc("5763", "5")
@pytest.mark.req("KEY-20")
def test_a_handshake_that_died_with_the_media_process_is_made_anew_with_the_same_srs() -> None:
    play = started("sip:two.example;secure=true;transport=tcp")
    play.media.refuse(plane.AttachReader, "dtls-lost")
    play.accept(dtls_answer())
    play.say(200, next(r for r in play.requests if r.method == "BYE"))
    (end,) = play.log("recording.end")
    assert (end["result"], end["reason"]) == ("interrupted", "media-restart")
    first, second = play.invites
    assert first.request_uri == second.request_uri
    ours = [[media.attribute("tls-id") for media in offer_of(invite).media] for invite in play.invites]
    assert not set(ours[0]) & set(ours[1])
    play.say(200, second, answer_to(offer_of(second), dtls_answer()))
    assert len(play.media.readers) == 2


def test_a_pause_during_the_handshake_lets_nothing_out() -> None:
    """The engine gets the reader when the handshake has ended, whatever was wanted when it began."""
    play = started()
    play.hold_media()
    play.accept(dtls_answer())
    play.command(Pause(7))
    offer = offer_of(play.requests[-1])
    assert {effective_direction(offer, media) for media in offer.media} == {Direction.INACTIVE}
    play.release_media()
    assert len(play.media.readers) == 2
    assert not any(command.live for command in attached(play))
    assert not [c for c in play.commands if isinstance(c, plane.SetReaderLive) and c.live]


def test_copying_begins_when_the_handshakes_have_ended() -> None:
    play = started()
    play.accept(dtls_answer())
    assert not any(command.live for command in attached(play))
    assert [reader.live for reader in play.media.readers.values()] == [True, True]


@pytest.mark.rfc("8842", "5.2")
@pytest.mark.req("KEY-34")
def test_a_later_offer_keeps_the_association() -> None:
    play = started()
    play.accept(dtls_answer())
    before = offer_of(play.invites[0])
    play.command(Pause(7))
    after = offer_of(play.requests[-1])
    for name in ("tls-id", "fingerprint", "setup"):
        assert [m.attribute(name) for m in after.media] == [m.attribute(name) for m in before.media]
    play.accept(dtls_answer())
    assert len(attached(play)) == 2


def their_offer(play: Play, change: Callable[[int, Media], Media]) -> bytes:
    return write_sdp(answer_to(offer_of(play.newest), change))


@pytest.mark.rfc("8842", "5.3")
@pytest.mark.req("KEY-18", "KEY-34")
def test_an_offer_of_the_srs_keeps_our_role_and_the_association_or_makes_a_new_one() -> None:
    play = started()
    play.accept(dtls_answer("active"))
    first = offer_of(play.invites[0]).media[0].attribute("tls-id")
    same = play.ask("INVITE", their_offer(play, dtls_answer("actpass")))
    assert offer_of(same).media[0].attribute("setup") == "passive"
    assert offer_of(same).media[0].attribute("tls-id") == first
    play.ack(same)
    assert len(attached(play)) == 2
    moved = dtls_answer("actpass", OTHER)
    other = play.ask(
        "INVITE", their_offer(play, lambda i, m: moved(i, m).with_attribute("tls-id", "fedcba98765432100000"))
    )
    assert offer_of(other).media[0].attribute("tls-id") not in (None, first)
    assert len(attached(play)) == 4
    again = attached(play)[2]
    assert again.dtls is not None
    assert again.dtls.fingerprints == (OTHER,)


@pytest.mark.rfc("5764", "3")
def test_a_new_address_makes_a_new_handshake() -> None:
    play = started()
    play.accept(dtls_answer())
    play.ask("INVITE", their_offer(play, lambda i, m: dtls_answer("actpass")(i, m).with_port(40000 + 2 * i)))
    assert [command.remote.port for command in attached(play)] == [30000, 30002, 40000, 40002]


def test_other_payload_types_leave_the_keys_as_they_are() -> None:
    play = started()
    play.accept(dtls_answer())
    play.ask(
        "INVITE",
        their_offer(play, lambda i, m: dtls_answer("actpass")(i, m).with_rtcp(50001)),
    )
    assert len(attached(play)) == 4, "RTCP elsewhere is another 5-tuple"
    updates = [command for command in play.commands if isinstance(command, plane.UpdateReader)]
    assert all(update.keep_keys for update in updates)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"uri": "sip:srs.example;secure=false"}, "secure=false"),
        ({"uri": "sip:srs.example;transport=udp"}, "fingerprint"),
        ({"uri": "sip:srs.example"}, "goes over TLS"),
        ({"uri": "sip:srs.example;secure=true", "media_security": MediaSecurity.NONE}, "secure=true"),
    ],
)
def test_what_contradicts_itself_is_refused(changes: dict[str, object], message: str) -> None:
    config = dataclasses.replace(SRS, **changes)  # type: ignore[arg-type] # names are the fields'
    with pytest.raises(ConfigurationError, match=message):
        parse_target(config, {"default": edge()})


def test_suites_that_dtls_does_not_have_are_refused_where_no_other_is_left() -> None:
    with pytest.raises(ConfigurationError, match="srtp_suites"):
        dataclasses.replace(SRS, srtp_suites=("AES_256_CM_HMAC_SHA1_80",))


def test_fingerprints_over_tcp_come_with_a_warning() -> None:
    assert "fingerprint" in parse_target(SRS, {"default": edge()}).warning
