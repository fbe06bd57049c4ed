"""The engine's SRTP against libsrtp, byte for byte and both ways (RFC 3711, RFC 4568, RFC 7714)."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pylibsrtp
import pytest

NATIVE = Path(__file__).resolve().parents[2] / "native"
SSRC = 0xCAFEBABE

SUITES = {
    "AES_CM_128_HMAC_SHA1_80": (pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
    "AES_CM_128_HMAC_SHA1_32": (pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 30),
    "AEAD_AES_128_GCM": (pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    "AEAD_AES_256_GCM": (pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
}

EREPLAY = 5
EAUTH = 4


class Pipe:
    """The engine's SRTP behind ``native/tests/srtp_pipe.c``."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin = process.stdin
        self._stdout = process.stdout

    def key(self, slot: int, suite: str, material: bytes, *, receive: bool) -> None:
        error, _ = self._ask(b"K" if receive else b"k", slot, suite.encode() + b"\0" + material)
        assert error == 0

    def transform(self, operation: bytes, slot: int, packet: bytes) -> bytes:
        error, result = self._ask(operation, slot, packet)
        assert error == 0
        return result

    def refusal(self, operation: bytes, slot: int, packet: bytes) -> int:
        return self._ask(operation, slot, packet)[0]

    def _ask(self, operation: bytes, slot: int, data: bytes) -> tuple[int, bytes]:
        self._stdin.write(struct.pack("!I", 2 + len(data)) + operation + bytes([slot]) + data)
        self._stdin.flush()
        (length,) = struct.unpack("!I", self._stdout.read(4))
        answer = self._stdout.read(length)
        return answer[0], answer[1:]


@pytest.fixture(scope="module")
def pipe() -> Iterator[Pipe]:
    make = shutil.which("make")
    if make is None or shutil.which("cc") is None:
        pytest.skip("no C compiler")
    subprocess.run([make, "-s", "-C", str(NATIVE), "build/srtp_pipe"], check=True)
    with subprocess.Popen(
        [str(NATIVE / "build" / "srtp_pipe")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield Pipe(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=10) == 0


@pytest.fixture(params=SUITES)
def suite(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def material(suite: str) -> bytes:
    return bytes((11 * i + 5) % 256 for i in range(SUITES[suite][1]))


def session(suite: str, material: bytes, ssrc_type: int) -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(key=material, ssrc_type=ssrc_type, srtp_profile=SUITES[suite][0])
    policy.window_size = 128
    return pylibsrtp.Session(policy)


def sending(suite: str, material: bytes) -> pylibsrtp.Session:
    return session(suite, material, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)


def receiving(suite: str, material: bytes) -> pylibsrtp.Session:
    return session(suite, material, pylibsrtp.Policy.SSRC_ANY_INBOUND)


def rtp(sequence: int, *, header: bytes = b"\x80\x00", extra: bytes = b"", payload_bytes: int = 160) -> bytes:
    fixed = header + struct.pack("!HII", sequence % 65536, sequence * 160 % 2**32, SSRC)
    return fixed + extra + bytes((sequence + i) % 256 for i in range(payload_bytes))


def packets_over_the_wrap() -> list[bytes]:
    """Every shape of header and payload, over two wraps of the sequence number, with losses."""
    sequences = [*range(65500, 65560), *range(66000, 196400, 3001), *range(196590, 196630)]
    packets = [rtp(sequence) for sequence in sequences]
    packets += [
        rtp(196631, header=b"\x82\x80", extra=struct.pack("!II", 1, 2)),
        rtp(196632, header=b"\x90\x65", extra=b"\xbe\xde\x00\x01\x10\xff\x00\x00"),
        rtp(196633, payload_bytes=0),
        rtp(196634, payload_bytes=1),
        rtp(196635, payload_bytes=1200),
        rtp(196636, header=b"\xa0\x00", payload_bytes=15) + b"\x01",
    ]
    return packets


def reports() -> list[bytes]:
    receiver_report = struct.pack("!BBHI", 0x80, 201, 1, SSRC)
    sdes = struct.pack("!BBHI", 0x81, 202, 3, SSRC) + b"\x01\x04name\x00\x00"
    sender_report = struct.pack("!BBHIQIII", 0x80, 200, 6, SSRC, 0x0102030405060708, 160, 1, 160)
    return [receiver_report, receiver_report + sdes, sender_report + sdes] * 5


@pytest.mark.rfc("3711", "3.3")
@pytest.mark.rfc("7714", "8")
@pytest.mark.req("KEY-23", "KEY-24")
def test_rtp_is_protected_as_libsrtp_does_over_two_wraps(pipe: Pipe, suite: str, material: bytes) -> None:
    other = sending(suite, material)
    pipe.key(0, suite, material, receive=False)
    for packet in packets_over_the_wrap():
        assert pipe.transform(b"p", 0, packet) == other.protect(packet)


@pytest.mark.rfc("3711", "3.3")
def test_rtp_of_libsrtp_is_opened_over_two_wraps(pipe: Pipe, suite: str, material: bytes) -> None:
    other = sending(suite, material)
    pipe.key(0, suite, material, receive=True)
    for packet in packets_over_the_wrap():
        assert pipe.transform(b"u", 0, other.protect(packet)) == packet


@pytest.mark.rfc("3711", "3.3")
def test_rtp_is_opened_by_libsrtp_over_two_wraps(pipe: Pipe, suite: str, material: bytes) -> None:
    other = receiving(suite, material)
    pipe.key(0, suite, material, receive=False)
    for packet in packets_over_the_wrap():
        assert other.unprotect(pipe.transform(b"p", 0, packet)) == packet


@pytest.mark.rfc("3711", "3.3.1")
def test_disorder_around_the_wrap_is_opened_as_by_libsrtp(pipe: Pipe, suite: str, material: bytes) -> None:
    sender, receiver = sending(suite, material), receiving(suite, material)
    pipe.key(0, suite, material, receive=True)
    protected = {sequence: sender.protect(rtp(sequence)) for sequence in range(65500, 65600)}
    order = [65500, 65535, 65534, 65537, 65536, 65533, 65598, 65560, 65599, 65510]
    for sequence in order:
        assert pipe.transform(b"u", 0, protected[sequence]) == receiver.unprotect(protected[sequence])
    for sequence in order:
        assert pipe.refusal(b"u", 0, protected[sequence]) == EREPLAY
        with pytest.raises(pylibsrtp.Error):
            receiver.unprotect(protected[sequence])


@pytest.mark.rfc("3711", "3.4")
@pytest.mark.rfc("7714", "9")
@pytest.mark.req("KEY-21")
def test_rtcp_is_protected_as_libsrtp_does(pipe: Pipe, suite: str, material: bytes) -> None:
    other = sending(suite, material)
    pipe.key(0, suite, material, receive=False)
    # The first index is 0 (RFC 3711 3.4); libsrtp begins with 1.
    pipe.transform(b"P", 0, reports()[0])
    for packet in reports():
        assert pipe.transform(b"P", 0, packet) == other.protect_rtcp(packet)


@pytest.mark.rfc("3711", "3.4")
@pytest.mark.req("KEY-22")
def test_rtcp_of_libsrtp_is_opened_once(pipe: Pipe, suite: str, material: bytes) -> None:
    other = sending(suite, material)
    pipe.key(0, suite, material, receive=True)
    for packet in reports():
        protected = other.protect_rtcp(packet)
        assert pipe.transform(b"U", 0, protected) == packet
        assert pipe.refusal(b"U", 0, protected) == EREPLAY


@pytest.mark.rfc("3711", "3.4")
def test_rtcp_is_opened_by_libsrtp_from_index_zero(pipe: Pipe, suite: str, material: bytes) -> None:
    other = receiving(suite, material)
    pipe.key(0, suite, material, receive=False)
    for packet in reports():
        assert other.unprotect_rtcp(pipe.transform(b"P", 0, packet)) == packet


@pytest.mark.rfc("3711", "3.3")
@pytest.mark.req("KEY-15")
def test_packets_of_another_key_are_refused(pipe: Pipe, suite: str, material: bytes) -> None:
    other = sending(suite, bytes(len(material)))
    pipe.key(0, suite, material, receive=True)
    assert pipe.refusal(b"u", 0, other.protect(rtp(1))) == EAUTH
    assert pipe.refusal(b"U", 0, other.protect_rtcp(reports()[0])) == EAUTH
