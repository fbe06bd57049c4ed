"""Two ends of a DTLS-SRTP association shake hands in memory, or refuse to (RFC 5763, RFC 5764)."""

from __future__ import annotations

import dataclasses

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import crypto

from siprec_src.app.dtls import MTU_BYTES, Association, Identity
from siprec_src.media.model import DtlsPeer
from siprec_src.sdp.crypto import SUITES as SDES_SUITES
from siprec_src.sdp.dtls import SUITES

US, THEM, STRANGER = Identity(), Identity(), Identity()


def peer(identity: Identity, *suites: str, active: bool) -> DtlsPeer:
    return DtlsPeer(
        association="", active=active, fingerprints=(identity.fingerprint,), suites=suites or tuple(SUITES)
    )


def shake(client: Association, server: Association) -> list[bytes]:
    """Carry datagrams until nobody has anything to say; returns all of them."""
    said: list[bytes] = []
    waiting = [(server, datagram) for datagram in client.begin()]
    waiting += [(client, datagram) for datagram in server.begin()]
    while waiting:
        to, datagram = waiting.pop(0)
        said.append(datagram)
        waiting += [(server if to is client else client, reply) for reply in to.receive(datagram)]
    return said


@pytest.mark.rfc("5764", "4.1.2", "4.2")
@pytest.mark.rfc("7714", "14.2")
@pytest.mark.req("KEY-30")
@pytest.mark.parametrize("suite", SUITES)
def test_both_ends_get_the_same_two_keys_crossed(suite: str) -> None:
    client = Association(US, peer(THEM, suite, active=False))
    server = Association(THEM, peer(US, active=True))
    shake(client, server)
    assert client.keys is not None
    assert server.keys is not None
    assert (client.keys.send, client.keys.receive) == (server.keys.receive, server.keys.send)
    assert client.keys.send.suite == suite
    assert client.keys.send.material != client.keys.receive.material
    assert len(client.keys.send.material) == SDES_SUITES[suite]
    assert client.timeout_s is server.timeout_s is None


def test_keys_are_new_in_each_handshake() -> None:
    made = set()
    for _ in range(2):
        client, server = Association(US, peer(THEM, active=False)), Association(THEM, peer(US, active=True))
        shake(client, server)
        assert client.keys is not None
        made |= {client.keys.send.material, client.keys.receive.material}
    assert len(made) == 4


@pytest.mark.rfc("5763", "5.1")
@pytest.mark.rfc("8122", "5")
@pytest.mark.req("KEY-31")
@pytest.mark.parametrize("active", [False, True])
def test_another_certificate_than_the_sdp_says_gives_no_keys(active: bool) -> None:
    suspicious = Association(US, peer(STRANGER, active=active))
    other = Association(THEM, peer(US, active=not active))
    if active:
        shake(other, suspicious)
    else:
        shake(suspicious, other)
    assert suspicious.keys is None
    assert "fingerprint" in suspicious.failure
    assert suspicious.receive(b"\x16" * 50) == []


def test_without_a_common_profile_there_are_no_keys() -> None:
    client = Association(US, peer(THEM, "AEAD_AES_256_GCM", active=False))
    server = Association(THEM, peer(US, "AES_CM_128_HMAC_SHA1_80", active=True))
    shake(client, server)
    assert client.keys is server.keys is None
    assert "profile" in client.failure


@pytest.mark.rfc("6347", "4.1.1")
def test_no_datagram_needs_to_be_fragmented_on_its_way() -> None:
    client, server = Association(US, peer(THEM, active=False)), Association(THEM, peer(US, active=True))
    said = shake(client, server)
    assert all(20 <= datagram[0] <= 63 for datagram in said)
    assert max(map(len, said)) <= MTU_BYTES


def test_rubbish_does_not_disturb_a_handshake() -> None:
    client, server = Association(US, peer(THEM, active=False)), Association(THEM, peer(US, active=True))
    record = b"\x16\xfe\xfd"
    for rubbish in (b"", record[:1], record + bytes(10), record + b"\xff" * 500, b"\x80" * 172):
        assert server.receive(rubbish) == []
    shake(client, server)
    assert client.keys is not None


@pytest.mark.rfc("8122", "5")
def test_a_certificate_is_octets_that_nobody_here_has_to_understand() -> None:
    """A version that X.509 does not have: its fingerprint is all that is asked of it (RFC 5763 5.1)."""
    them = Identity()
    der = them.certificate.public_bytes(Encoding.DER)
    strange = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1)
    shown = crypto.load_certificate(crypto.FILETYPE_ASN1, strange)
    with pytest.warns(DeprecationWarning, match="X509"):
        them.context(tuple(SUITES)).use_certificate(shown)
    fingerprint = f"sha-256 {shown.digest('sha256').decode()}"
    us = Association(US, dataclasses.replace(peer(them, active=False), fingerprints=(fingerprint,)))
    shake(us, Association(them, peer(US, active=True)))
    assert us.failure == ""
    assert us.keys is not None
    deceived = Association(US, peer(them, active=False))
    shake(deceived, Association(them, peer(US, active=True)))
    assert "fingerprint" in deceived.failure


@pytest.mark.parametrize(
    "suites", [(), ("AES_256_CM_HMAC_SHA1_80",), ("",), ("AEAD_AES_256_GCM", "AEAD_AES_256_GCM")]
)
def test_suites_without_a_profile_are_an_error_of_who_asks(suites: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="profile"):
        Association(US, dataclasses.replace(peer(THEM, active=False), suites=suites))


def test_a_fingerprint_of_a_hash_that_is_not_known_is_nobodys() -> None:
    odd = dataclasses.replace(peer(THEM, active=False), fingerprints=("md5 " + ":".join(["AB"] * 16), ""))
    client = Association(US, odd)
    shake(client, Association(THEM, peer(US, active=True)))
    assert "fingerprint" in client.failure
