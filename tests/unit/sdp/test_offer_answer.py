"""Offer and answer between a recording client and recorders of every kind (RFC 3264, RFC 7866 7)."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import Direction, Format
from siprec_src.errors import RemoteProtocolError, StateError
from siprec_src.sdp.crypto import Crypto
from siprec_src.sdp.model import Media, Origin, SessionDescription, new_session
from siprec_src.sdp.offer_answer import (
    Exchange,
    Negotiation,
    Verdict,
    answer_recorder,
    check_answer,
    effective_direction,
    mirrored,
    next_offer,
    restricted,
)
from siprec_src.sdp.parser import parse_sdp

PCMU = Format(payload_type=0, encoding="PCMU", clock_rate=8000)
PCMA = Format(payload_type=8, encoding="PCMA", clock_rate=8000)
EVENT = Format(payload_type=101, encoding="telephone-event", clock_rate=8000, parameters="0-15")
SUITE = "AES_CM_128_HMAC_SHA1_80"
OUR_KEYS = (Crypto(1, SUITE, b"a" * 30), Crypto(2, "AES_CM_128_HMAC_SHA1_32", b"b" * 30))
THEIR_KEY = b"c" * 30
ORIGIN = Origin(session_id=10, version=3, address="192.0.2.1")
SENDRECV, SENDONLY, RECVONLY, INACTIVE = Direction


def line(label: str, port: int = 4000, direction: Direction = SENDONLY) -> Media:
    media = Media(medium="audio", port=port, protocol="RTP/AVP", formats=())
    return media.with_formats((PCMU, PCMA)).with_label(label).with_direction(direction)


def secure(label: str = "1", port: int = 4000) -> Media:
    return line(label, port).with_protocol("RTP/SAVP").with_crypto(*OUR_KEYS)


OFFER = new_session(ORIGIN, line("1"), line("2", 4002))
SECURE = new_session(ORIGIN, secure())


def answer(*media: str, connection: str = "198.51.100.1") -> SessionDescription:
    head = f"v=0\r\no=srs 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 {connection}\r\nt=0 0\r\n"
    return parse_sdp((head + "".join(media)).encode())


def judge(
    media: str, *, connection: str = "198.51.100.1", offer: SessionDescription | None = None
) -> Verdict:
    offered = offer or new_session(ORIGIN, line("1"))
    return check_answer(offered, answer(media, connection=connection))[0]


@pytest.mark.rfc("3264", "6")
@pytest.mark.req("SDP-06", "SDP-11")
def test_answer_is_matched_by_position_and_its_labels_only_warn() -> None:
    first, second = check_answer(
        OFFER,
        answer(
            "m=audio 6000 RTP/AVP 8 0\r\na=recvonly\r\na=label:2\r\na=ptime:30\r\n",
            "m=audio 6002 RTP/AVP 0\r\na=recvonly\r\na=rtcp:7000\r\n",
        ),
    )
    assert (first.accepted, first.sends, first.host, first.port) == (True, True, "198.51.100.1", 6000)
    assert [pair.answered.payload_type for pair in first.formats] == [8, 0]
    assert first.warnings == ("label '1' answered with '2'",)
    assert second.port == 6002
    assert second.rtcp is not None
    assert second.rtcp.port == 7000
    assert second.warnings == ()


@pytest.mark.rfc("3264", "6")
@pytest.mark.req("SDP-05")
@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_m_lines_is_a_protocol_error(count: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        check_answer(OFFER, answer(*["m=audio 6000 RTP/AVP 0\r\n"] * count))
    assert caught.value.section == "RFC 3264 6"


@pytest.mark.rfc("3264", "6")
@pytest.mark.req("SDP-07")
def test_port_0_means_neither_rtp_nor_rtcp() -> None:
    verdict = judge("m=audio 0 RTP/AVP 0\r\n")
    assert (verdict.accepted, verdict.sends, verdict.sends_rtcp, verdict.failure) == (
        False,
        False,
        False,
        "port 0",
    )


@pytest.mark.rfc("3264", "6.1")
@pytest.mark.req("SDP-08", "SDP-09", "SDP-10")
@pytest.mark.parametrize(
    ("lines", "connection", "sends", "rtcp", "warned"),
    [
        ("a=recvonly\r\n", "198.51.100.1", True, True, False),
        ("a=inactive\r\n", "198.51.100.1", False, True, False),
        ("a=sendrecv\r\n", "198.51.100.1", True, True, True),
        ("", "198.51.100.1", True, True, True),
        ("a=sendonly\r\n", "198.51.100.1", False, True, True),
        ("a=recvonly\r\n", "0.0.0.0", False, False, False),
    ],
)
def test_what_the_answer_s_direction_lets_us_send(
    lines: str, connection: str, sends: bool, rtcp: bool, warned: bool
) -> None:
    verdict = judge("m=audio 6000 RTP/AVP 0\r\n" + lines, connection=connection)
    assert (verdict.accepted, verdict.sends, verdict.sends_rtcp) == (True, sends, rtcp)
    assert bool(verdict.warnings) is warned


@pytest.mark.rfc("3264", "6.1")
@pytest.mark.req("SDP-26")
def test_inactive_offer_stays_inactive_whatever_is_answered() -> None:
    offer = new_session(ORIGIN, line("1", direction=INACTIVE))
    assert judge("m=audio 6000 RTP/AVP 0\r\na=inactive\r\n", offer=offer).warnings == ()
    verdict = judge("m=audio 6000 RTP/AVP 0\r\na=recvonly\r\n", offer=offer)
    assert verdict.direction is INACTIVE
    assert not verdict.sends
    assert verdict.warnings == ("inactive answered with recvonly",)


@pytest.mark.rfc("3264", "8.3.2")
@pytest.mark.req("SDP-11")
def test_codec_is_recognised_under_the_answer_s_own_number() -> None:
    dynamic = dataclasses.replace(PCMU, payload_type=97)
    offer = new_session(ORIGIN, line("1").with_formats((dynamic, EVENT)))
    verdict = judge("m=audio 6000 RTP/AVP 0 96\r\na=rtpmap:96 TELEPHONE-EVENT/8000\r\n", offer=offer)
    pairs = [(pair.offered.payload_type, pair.answered.payload_type) for pair in verdict.formats]
    assert pairs == [(97, 0), (101, 96)]


@pytest.mark.rfc("3264", "6.1")
@pytest.mark.parametrize(
    ("media", "failure"),
    [
        ("m=audio 6000 RTP/AVP 9\r\n", "no format of the offer accepted"),
        ("m=audio 6000 RTP/SAVP 0\r\n", "RTP/AVP answered with RTP/SAVP"),
        ("m=video 6000 RTP/AVP 0\r\n", "audio answered with video"),
    ],
)
def test_an_m_line_answered_with_something_else_cannot_be_used(media: str, failure: str) -> None:
    assert judge(media).failure == failure


@pytest.mark.rfc("3264", "6.1")
def test_events_alone_are_no_recording() -> None:
    offer = new_session(ORIGIN, line("1").with_formats((PCMU, EVENT)))
    media = "m=audio 6000 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    assert judge(media, offer=offer).failure == "no format of the offer accepted"


@pytest.mark.rfc("5761", "5.1.1")
def test_rtcp_mux_needs_both_sides() -> None:
    mux = new_session(ORIGIN, line("1").with_attribute("rtcp-mux", ""))
    assert judge("m=audio 6000 RTP/AVP 0\r\na=rtcp-mux\r\n", offer=mux).rtcp_mux
    assert not judge("m=audio 6000 RTP/AVP 0\r\na=rtcp-mux\r\n").rtcp_mux


def crypto(tag: int, suite: str, key: bytes) -> str:
    return (
        "a=crypto:"
        + Media(medium="audio", port=1, protocol="RTP/SAVP", formats=())
        .with_crypto(Crypto(tag, suite, key))
        .attributes("crypto")[0]
        + "\r\n"
    )


@pytest.mark.rfc("4568", "5.1.3")
@pytest.mark.req("KEY-13", "KEY-14", "KEY-15")
def test_our_chosen_key_protects_what_we_send_and_theirs_what_they_send() -> None:
    media = "m=audio 6000 RTP/SAVP 0\r\na=recvonly\r\n" + crypto(2, "AES_CM_128_HMAC_SHA1_32", THEIR_KEY)
    verdict = judge(media, offer=SECURE)
    assert verdict.accepted
    assert verdict.local_crypto == OUR_KEYS[1]
    assert verdict.remote_crypto == Crypto(2, "AES_CM_128_HMAC_SHA1_32", THEIR_KEY)


@pytest.mark.rfc("4568", "5.1.3")
@pytest.mark.req("KEY-13", "KEY-14")
@pytest.mark.parametrize(
    "lines",
    [
        "",
        crypto(1, SUITE, THEIR_KEY) + crypto(2, "AES_CM_128_HMAC_SHA1_32", THEIR_KEY),
        crypto(3, SUITE, THEIR_KEY),
        crypto(1, "AES_CM_128_HMAC_SHA1_32", THEIR_KEY),
        crypto(1, SUITE, OUR_KEYS[0].material),
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n",
    ],
)
def test_anything_but_one_line_of_ours_with_an_own_key_fails(lines: str) -> None:
    verdict = judge("m=audio 6000 RTP/SAVP 0\r\n" + lines, offer=SECURE)
    assert not verdict.accepted
    assert "a=crypto" in verdict.failure


@pytest.mark.rfc("3264", "6")
@pytest.mark.req("SDP-30")
def test_secure_media_answered_in_the_clear_cannot_be_used() -> None:
    assert judge("m=audio 6000 RTP/AVP 0\r\n", offer=SECURE).failure == "RTP/SAVP answered with RTP/AVP"


@pytest.mark.rfc("3264", "8.4")
@pytest.mark.req("SDP-10")
@pytest.mark.parametrize(
    ("lines", "connection", "direction"),
    [
        ("", "192.0.2.1", SENDRECV),
        ("a=sendonly\r\n", "192.0.2.1", SENDONLY),
        ("a=inactive\r\n", "192.0.2.1", INACTIVE),
        ("", "0.0.0.0", SENDONLY),
        ("a=recvonly\r\n", "0.0.0.0", INACTIVE),
        ("a=recvonly\r\n", "192.0.2.1", RECVONLY),
    ],
)
def test_hold_is_understood_in_both_spellings(lines: str, connection: str, direction: Direction) -> None:
    description = answer("m=audio 6000 RTP/AVP 0\r\n" + lines, connection=connection)
    assert effective_direction(description, description.media[0]) is direction


def test_disabled_media_is_inactive() -> None:
    description = answer("m=audio 0 RTP/AVP 0\r\n")
    assert effective_direction(description, description.media[0]) is INACTIVE


@pytest.mark.rfc("3264", "6.1")
def test_a_direction_in_the_answer_never_exceeds_the_offer() -> None:
    table = {(offered, wanted): restricted(offered, wanted) for offered in Direction for wanted in Direction}
    assert table[SENDRECV, SENDRECV] is SENDRECV
    assert table[SENDONLY, SENDRECV] is RECVONLY
    assert table[RECVONLY, SENDRECV] is SENDONLY
    assert table[RECVONLY, RECVONLY] is INACTIVE
    assert all(table[INACTIVE, wanted] is INACTIVE for wanted in Direction)
    assert all(table[offered, INACTIVE] is INACTIVE for offered in Direction)
    assert [mirrored(direction) for direction in Direction] == [SENDRECV, RECVONLY, SENDONLY, INACTIVE]


@pytest.mark.rfc("3264", "4")
@pytest.mark.req("SDP-21")
def test_one_offer_at_a_time() -> None:
    ours = Negotiation().offer(OFFER)
    assert ours.exchange is Exchange.WE_OFFERED
    with pytest.raises(StateError):
        ours.offer(OFFER)
    with pytest.raises(RemoteProtocolError) as glare:
        ours.offered(OFFER)
    assert glare.value.status == 491
    theirs = Negotiation().offered(OFFER)
    with pytest.raises(RemoteProtocolError) as second:
        theirs.offered(OFFER)
    assert second.value.status == 500
    with pytest.raises(StateError):
        theirs.offer(OFFER)


@pytest.mark.rfc("3264", "4")
def test_an_exchange_ends_with_both_descriptions_or_as_it_began() -> None:
    reply = answer("m=audio 6000 RTP/AVP 0\r\n", "m=audio 6002 RTP/AVP 0\r\n")
    agreed = Negotiation().offer(OFFER).answered(reply)
    assert agreed == Negotiation(local=OFFER, remote=reply)
    assert agreed.offer(OFFER).refused() == agreed
    assert agreed.offered(reply).answer(OFFER) == Negotiation(local=OFFER, remote=reply)
    with pytest.raises(RemoteProtocolError):
        agreed.answered(reply)
    with pytest.raises(RemoteProtocolError):
        agreed.offered(answer())
    with pytest.raises(StateError):
        agreed.answer(OFFER)
    with pytest.raises(StateError):
        agreed.offered(reply).answer(new_session(ORIGIN))


@pytest.mark.rfc("3264", "8")
@pytest.mark.req("SDP-15", "SDP-16")
def test_version_grows_by_one_only_when_something_changed() -> None:
    fresh = Origin(session_id=99, version=1, address="203.0.113.1", username="x")
    same = new_session(fresh, *OFFER.media, connection="192.0.2.1")
    assert next_offer(OFFER, same) is OFFER
    paused = same.with_media(*(media.with_direction(INACTIVE) for media in same.media))
    assert next_offer(OFFER, paused).value("o") == "- 10 4 IN IP4 192.0.2.1"


@pytest.mark.rfc("3264", "8")
@pytest.mark.req("SDP-17", "SDP-22")
def test_m_lines_are_never_removed_and_payload_types_keep_their_codec() -> None:
    with pytest.raises(StateError):
        next_offer(OFFER, OFFER.with_media(OFFER.media[0]))
    dynamic = dataclasses.replace(PCMU, payload_type=96)
    before = new_session(ORIGIN, line("1").with_formats((dynamic,)))
    with pytest.raises(StateError):
        next_offer(
            before, new_session(ORIGIN, line("1").with_formats((dataclasses.replace(PCMA, payload_type=96),)))
        )
    grown = OFFER.with_media(*OFFER.media, line("3", 4004))
    assert len(next_offer(OFFER, grown).media) == 3


def recorder_offer(*media: str, connection: str = "198.51.100.1") -> SessionDescription:
    return answer(*media, connection=connection).with_value("t", "0 0")


@pytest.mark.rfc("7866", "7.2")
@pytest.mark.req("SDP-25", "SDP-26", "SDP-27")
@pytest.mark.parametrize(
    ("lines", "wanted", "direction"),
    [
        ("a=recvonly\r\n", SENDONLY, SENDONLY),
        ("a=recvonly\r\n", INACTIVE, INACTIVE),
        ("a=inactive\r\n", SENDONLY, INACTIVE),
        ("a=sendonly\r\n", SENDONLY, INACTIVE),
        ("", SENDONLY, SENDONLY),
    ],
)
def test_recorder_may_pause_and_resume(lines: str, wanted: Direction, direction: Direction) -> None:
    local = new_session(ORIGIN, line("1"))
    reply = answer_recorder(local, recorder_offer("m=audio 6000 RTP/AVP 0\r\n" + lines), [wanted])
    media = reply.media[0]
    assert reply.direction(media) is direction
    assert (media.label, media.port, media.formats) == ("1", 4000, ("0",))
    assert reply.value("o") == "- 10 4 IN IP4 192.0.2.1"
    assert reply.value("t") == "0 0"


@pytest.mark.rfc("7866", "7.2")
@pytest.mark.req("SDP-25", "SDP-27")
def test_recorder_stops_a_stream_with_port_0() -> None:
    reply = answer_recorder(
        OFFER,
        recorder_offer("m=audio 0 RTP/AVP 0\r\n", "m=audio 6002 RTP/AVP 0 8\r\na=recvonly\r\n"),
        [SENDONLY, SENDONLY],
    )
    assert [media.port for media in reply.media] == [0, 4002]
    assert reply.media[0].formats == ("0", "8")
    assert reply.media[0].protocol == "RTP/AVP"


@pytest.mark.rfc("7866", "7.2")
@pytest.mark.req("SDP-24")
@pytest.mark.parametrize(
    "media",
    [
        (),
        ("m=audio 6000 RTP/AVP 0\r\n",) * 2,
        ("m=audio 6000 RTP/SAVP 0\r\n",),
        ("m=video 6000 RTP/AVP 0\r\n",),
        ("m=audio 6000 RTP/AVP 9\r\n",),
    ],
)
def test_recorder_that_adds_drops_or_changes_streams_gets_488(media: tuple[str, ...]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        answer_recorder(new_session(ORIGIN, line("1")), recorder_offer(*media), [SENDONLY])
    assert caught.value.status == 488


@pytest.mark.rfc("4568", "7.1.4")
@pytest.mark.req("KEY-18")
def test_our_key_stays_under_the_tag_of_the_recorder_s_offer() -> None:
    media = "m=audio 6000 RTP/SAVP 0\r\na=recvonly\r\n" + crypto(7, SUITE, THEIR_KEY)
    reply = answer_recorder(SECURE, recorder_offer(media), [SENDONLY])
    assert reply.media[0].crypto == (Crypto(7, SUITE, OUR_KEYS[0].material),)
    strange = "m=audio 6000 RTP/SAVP 0\r\n" + crypto(1, "AEAD_AES_256_GCM", b"c" * 44)
    with pytest.raises(RemoteProtocolError):
        answer_recorder(SECURE, recorder_offer(strange), [SENDONLY])
