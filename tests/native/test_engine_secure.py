"""SRTP on call legs and towards the SRS, checked by libsrtp (RFC 3711, RFC 4568, RFC 7714)."""

from __future__ import annotations

import struct

import pytest
from pylibsrtp import Policy, Session

from siprec_src.media.model import SrtpKey
from siprec_src.media.plane import ConnectPort, DetachReader, Refused, UpdateReader
from siprec_src.sdp.crypto import SUITES
from tests.native.engine_support import Call, read_rtp, rtp

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
    "AES_CM_128_HMAC_SHA1_32": (Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 30),
    "AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    "AEAD_AES_256_GCM": (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
}
SUITE = "AES_CM_128_HMAC_SHA1_80"


def make_key(suite: str = SUITE, seed: int = 1) -> SrtpKey:
    return SrtpKey(suite, bytes((seed + n) % 256 for n in range(PROFILES[suite][1])))


def session(key: SrtpKey, *, inbound: bool) -> Session:
    direction = Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND
    return Session(policy=Policy(key=key.material, ssrc_type=direction, srtp_profile=PROFILES[key.suite][0]))


@pytest.mark.req("KEY-23")
@pytest.mark.parametrize("suite", PROFILES)
def test_libsrtp_opens_what_the_srs_gets(call: Call, suite: str) -> None:
    key = make_key(suite)
    call.attach(send_key=key, first_sequence=65534)
    opened = session(key, inbound=True)
    for n in range(5):
        call.caller.send(rtp(n, 160 * n, payload=bytes([n]) * 160), call.caller_port)
        protected = call.srs.receive()
        assert bytes([n]) * 16 not in protected
        copy = read_rtp(opened.unprotect(protected))
        assert (copy.sequence, copy.payload) == ((65534 + n) & 0xFFFF, bytes([n]) * 160)


@pytest.mark.req("KEY-21")
def test_the_bye_to_a_secure_srs_is_srtcp(call: Call) -> None:
    key = make_key()
    reader = call.attach(send_key=key)
    call.caller.send(rtp(1), call.caller_port)
    call.srs.receive()
    call.plane.ask(DetachReader(tag=call.plane.next_tag(), reader=reader))
    protected = call.srs.receive_rtcp()
    index_with_flag = struct.unpack("!I", protected[-14:-10])[0]
    assert index_with_flag & 0x80000000, "the E flag"
    assert session(key, inbound=True).unprotect_rtcp(protected)[1] == 200


def test_a_secure_leg_is_opened_for_the_other_leg_and_the_srs(call: Call) -> None:
    inward, outward = make_key(seed=1), make_key("AEAD_AES_128_GCM", seed=9)
    call.connect(call.caller_port, call.caller, receive_key=inward, send_key=outward)
    call.attach()
    phone = session(inward, inbound=False)
    call.caller.send(phone.protect(rtp(1, payload=b"hello" * 20)), call.caller_port)
    assert call.callee.receive() == rtp(1, payload=b"hello" * 20)
    assert read_rtp(call.srs.receive()).payload == b"hello" * 20
    call.callee.send(rtp(2, ssrc=3), call.callee_port)
    assert session(outward, inbound=True).unprotect(call.caller.receive()) == rtp(2, ssrc=3)


@pytest.mark.rfc("3711", "3.3.1")
@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"])
@pytest.mark.parametrize("joined", [True, False])
def test_a_party_that_has_rolled_over_before_is_heard_only_where_it_is_joined(
    call: Call, suite: str, joined: bool
) -> None:
    key = make_key(suite)
    call.connect(
        call.caller_port, call.caller, receive_key=SrtpKey(suite, key.material, joined=joined), send_key=key
    )
    phone = session(key, inbound=False)
    for step in range(5):  # 30 000 a step: it has rolled over twice at the end
        phone.protect(rtp(30_000 * step % 0x10000))
    for sequence in (20_000, 20_001):
        call.caller.send(phone.protect(rtp(sequence, payload=b"hello" * 20)), call.caller_port)
        if joined:
            assert call.callee.receive() == rtp(sequence, payload=b"hello" * 20)
    if not joined:
        call.plane.until(lambda: call.plane.port_counters(call.caller_port).dropped_auth == 2)


@pytest.mark.rfc("6188", "4")
@pytest.mark.rfc("7714", "14.2")
@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_that_is_taken_from_a_party_goes_through_two_legs(call: Call, suite: str) -> None:
    """What one leg protects, another one opens: also the suites that libsrtp's Python door does not have."""
    key = SrtpKey(suite, bytes(range(7, 7 + SUITES[suite])))
    call.connect(call.callee_port, call.callee, send_key=key)
    call.caller.send(rtp(1, payload=b"hello" * 20), call.caller_port)
    call.caller.send_rtcp(struct.pack("!BBHI", 0x80, 201, 1, 7), call.caller_port)
    sealed, sealed_rtcp = call.callee.receive(), call.callee.receive_rtcp()
    assert b"hello" not in sealed
    call.connect(call.caller_port, call.caller, receive_key=key)
    call.connect(call.callee_port, call.callee)
    call.caller.send(sealed, call.caller_port)
    call.caller.send_rtcp(sealed_rtcp, call.caller_port)
    assert call.callee.receive() == rtp(1, payload=b"hello" * 20)
    assert call.callee.receive_rtcp() == struct.pack("!BBHI", 0x80, 201, 1, 7)


def test_rtcp_of_a_secure_leg_is_srtcp_both_ways(call: Call) -> None:
    inward, outward = make_key(seed=1), make_key(seed=9)
    call.connect(call.caller_port, call.caller, receive_key=inward, send_key=outward)
    report = struct.pack("!BBHI", 0x80, 201, 1, 7)
    call.caller.send_rtcp(session(inward, inbound=False).protect_rtcp(report), call.caller_port)
    assert call.callee.receive_rtcp() == report
    call.callee.send_rtcp(report, call.callee_port)
    assert session(outward, inbound=True).unprotect_rtcp(call.caller.receive_rtcp()) == report


@pytest.mark.req("KEY-22")
@pytest.mark.rfc("3711", "3.3")
def test_forged_and_replayed_packets_are_dropped_by_name(call: Call) -> None:
    key = make_key()
    call.connect(call.caller_port, call.caller, receive_key=key)
    good = session(key, inbound=False).protect(rtp(1))
    forged = good[:20] + bytes([good[20] ^ 1]) + good[21:]
    for packet in (forged, good, good, rtp(2)):
        call.caller.send(packet, call.caller_port)
    assert call.callee.receive() == rtp(1)
    call.plane.until(lambda: call.plane.port_counters(call.caller_port).dropped_auth == 2)
    counters = call.plane.port_counters(call.caller_port)
    assert (counters.received, counters.dropped_replay) == (1, 1)
    assert call.callee.is_quiet()


@pytest.mark.req("KEY-18")
@pytest.mark.rfc("4568", "7.1.4")
def test_the_same_key_given_again_keeps_its_roll_over_counter(call: Call) -> None:
    key = make_key()
    reader = call.attach(send_key=key, first_sequence=65535)
    opened = session(key, inbound=True)
    for n in range(3):
        call.caller.send(rtp(n), call.caller_port)
        assert read_rtp(opened.unprotect(call.srs.receive())).sequence == (65535 + n) & 0xFFFF
    call.plane.do(
        UpdateReader(
            tag=call.plane.next_tag(),
            reader=reader,
            remote=call.srs.endpoint,
            payload_types=((0, 0),),
            send_key=key,
        )
    )
    call.caller.send(rtp(3), call.caller_port)
    assert read_rtp(opened.unprotect(call.srs.receive())).sequence == 2


@pytest.mark.req("KEY-18")
def test_a_new_key_begins_with_roll_over_counter_zero(call: Call) -> None:
    reader = call.attach(send_key=make_key(seed=1), first_sequence=65535)
    for n in range(3):
        call.caller.send(rtp(n), call.caller_port)
        call.srs.receive()
    fresh = make_key(seed=2)
    call.plane.do(
        UpdateReader(
            tag=call.plane.next_tag(),
            reader=reader,
            remote=call.srs.endpoint,
            payload_types=((0, 0),),
            send_key=fresh,
        )
    )
    call.caller.send(rtp(3), call.caller_port)
    assert read_rtp(session(fresh, inbound=True).unprotect(call.srs.receive())).sequence == 2


@pytest.mark.parametrize("key", [SrtpKey("AES_CM_512", b"x" * 30), SrtpKey(SUITE, b"x" * 29)])
def test_a_key_that_fits_no_suite_is_refused_without_being_shown(call: Call, key: SrtpKey) -> None:
    refused = call.plane.ask(ConnectPort(tag=call.plane.next_tag(), port=call.caller_port.port, send_key=key))
    assert isinstance(refused, Refused)
    assert refused.reason == "bad-argument"
    assert "xxx" not in refused.detail
