"""What SDP says of a DTLS-SRTP association, and which ends fit together (RFC 5763 5, RFC 8122 5)."""

from __future__ import annotations

import pytest

from siprec_src.communication import Direction, Format
from siprec_src.errors import RemoteProtocolError
from siprec_src.sdp.dtls import PROTOCOL
from siprec_src.sdp.model import Media, Origin, SessionDescription, new_session
from siprec_src.sdp.offer_answer import Verdict, answer_recorder, check_answer

PCMU = Format(payload_type=0, encoding="PCMU", clock_rate=8000)
ORIGIN = Origin(session_id=10, version=3, address="192.0.2.1")
OURS = "sha-256 " + ":".join(["AA"] * 32)
THEIRS = "sha-256 " + ":".join(["BB"] * 32)


def line(setup: str, *fingerprints: str, direction: Direction = Direction.SENDONLY) -> Media:
    media = Media(medium="audio", port=4000, protocol=PROTOCOL, formats=()).with_formats((PCMU,))
    return (
        media.with_attribute("setup", *([setup] if setup else []))
        .with_attribute("fingerprint", *fingerprints)
        .with_direction(direction)
    )


OFFER = new_session(ORIGIN, line("actpass", OURS))


def judge(answer: Media) -> Verdict:
    return check_answer(OFFER, new_session(ORIGIN, answer.with_direction(Direction.RECVONLY)))[0]


@pytest.mark.rfc("5763", "5")
@pytest.mark.rfc("4145", "4")
@pytest.mark.parametrize(("setup", "role"), [("active", "active"), ("passive", "passive"), ("", "passive")])
def test_the_answer_says_who_begins(setup: str, role: str) -> None:
    verdict = judge(line(setup, THEIRS))
    assert verdict.accepted
    assert verdict.dtls is not None
    assert verdict.dtls.setup is not None
    assert (verdict.dtls.setup.value, verdict.dtls.fingerprints) == (role, (THEIRS,))


@pytest.mark.rfc("8122", "5")
@pytest.mark.req("KEY-31")
@pytest.mark.parametrize(
    "fingerprint",
    [
        "md5 " + ":".join(["BB"] * 16),
        "md2 " + ":".join(["BB"] * 16),
        "sha-1 " + ":".join(["BB"] * 20),
        "sha-256 " + ":".join(["BB"] * 31),
        "sha-256 BBBB",
        "",
    ],
)
def test_a_certificate_is_known_by_a_strong_hash_or_not_at_all(fingerprint: str) -> None:
    verdict = judge(line("active", *([fingerprint] if fingerprint else [])))
    assert (verdict.accepted, verdict.insecure) == (False, True)


@pytest.mark.rfc("8122", "5.1")
def test_of_several_fingerprints_the_strong_ones_count_wherever_they_stand() -> None:
    weak = "sha-1 " + ":".join(["CC"] * 20)
    sha_512 = "SHA-512 " + ":".join(["dd"] * 64)
    answer = new_session(ORIGIN, line("active").with_direction(Direction.RECVONLY))
    (verdict,) = check_answer(OFFER, answer.with_attribute("fingerprint", weak, THEIRS, sha_512))
    assert verdict.dtls is not None
    assert verdict.dtls.fingerprints == (THEIRS, "sha-512 " + ":".join(["DD"] * 64))


@pytest.mark.rfc("5763", "5")
@pytest.mark.parametrize("setup", ["actpass", "holdconn", "nonsense"])
def test_an_answer_in_which_nobody_begins_cannot_be_used(setup: str) -> None:
    verdict = judge(line(setup, THEIRS))
    assert (verdict.accepted, verdict.insecure) == (False, True)


@pytest.mark.req("KEY-35")
@pytest.mark.parametrize("protocol", ["RTP/AVP", "RTP/SAVP"])
def test_dtls_answered_by_less_cannot_be_used(protocol: str) -> None:
    verdict = judge(line("active", THEIRS).with_protocol(protocol))
    assert (verdict.accepted, verdict.insecure) == (False, True)


def offered(setup: str) -> SessionDescription:
    return new_session(ORIGIN, line(setup, THEIRS, direction=Direction.RECVONLY))


@pytest.mark.rfc("8842", "5.3")
@pytest.mark.parametrize(
    ("in_force", "setup", "answered"),
    [
        ("actpass", "actpass", "active"),
        ("passive", "actpass", "passive"),
        ("active", "actpass", "active"),
        ("actpass", "active", "passive"),
        ("actpass", "passive", "active"),
    ],
)
def test_our_answer_keeps_our_role(in_force: str, setup: str, answered: str) -> None:
    local = new_session(ORIGIN, line(in_force, OURS))
    answer = answer_recorder(local, offered(setup), [Direction.SENDONLY])
    assert answer.media[0].attribute("setup") == answered
    assert answer.media[0].attribute("fingerprint") == OURS


def test_an_offer_without_an_association_is_488() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        answer_recorder(OFFER, offered("holdconn"), [Direction.SENDONLY])
    assert caught.value.status == 488
