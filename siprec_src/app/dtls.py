"""One end of a DTLS-SRTP association: datagrams in, datagrams and keys out (RFC 5763, RFC 5764).

OpenSSL does the handshake in memory; no socket is touched here. The peer's certificate is known by the
fingerprint that its SDP has, by nothing else, so nothing in it is read (RFC 5763 5.1). Only OpenSSL's
retransmission timer reads a clock.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto

from siprec_src.media.model import DtlsPeer, SrtpKey
from siprec_src.sdp.dtls import HASHES, SUITES

MTU_BYTES: Final = 1200  #: of a datagram, so that no path has to fragment it
CERTIFICATE_DAYS: Final = 3650  #: peers know it by its fingerprint, and a process may run for years
_EXPORTER: Final = b"EXTRACTOR-dtls_srtp"  # RFC 5764 4.2
_RECORD_HEADER_BYTES: Final = 13  # RFC 6347 4.1
_CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20"
_PROFILES: Final = {
    "AES_CM_128_HMAC_SHA1_80": b"SRTP_AES128_CM_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32": b"SRTP_AES128_CM_SHA1_32",
    "AEAD_AES_128_GCM": b"SRTP_AEAD_AES_128_GCM",
    "AEAD_AES_256_GCM": b"SRTP_AEAD_AES_256_GCM",
}
_DIGESTS: Final = {name: name.replace("-", "") for name in HASHES}  # as OpenSSL spells them


class Keys(NamedTuple):
    """What a handshake agreed on."""

    send: SrtpKey
    receive: SrtpKey


class Identity:
    """A self-signed certificate with its key, made anew for each process."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "siprec-src")])
        now = dt.datetime.now(dt.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=CERTIFICATE_DAYS))
            .sign(self._key, hashes.SHA256())
        )
        self._contexts: dict[tuple[str, ...], SSL.Context] = {}
        own = crypto.X509.from_cryptography(self.certificate)
        self.fingerprint = _fingerprint(own, "sha-256")  #: as ``a=fingerprint`` has it

    def context(self, suites: tuple[str, ...]) -> SSL.Context:
        """For associations that may agree on one of ``suites``.

        Raises:
            ValueError: none is given, one twice, or one without an SRTP profile.
        """
        context = self._contexts.get(suites)
        if context is None:
            if not suites or len(_PROFILES.keys() & suites) != len(suites):
                raise ValueError("no list of suites that have an SRTP profile")
            context = SSL.Context(SSL.DTLS_METHOD)
            # A certificate there must be; whose it is, its fingerprint says after the handshake.
            required = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
            context.set_verify(required, lambda *_: True)
            context.use_certificate(self.certificate)
            context.use_privatekey(self._key)
            context.set_cipher_list(_CIPHERS)
            context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
            context.set_tlsext_use_srtp(b":".join(_PROFILES[suite] for suite in suites))
            self._contexts[suites] = context
        return context


class Association:
    """One end of one association. ``keys`` are there when the handshake has ended well, else ``failure``."""

    def __init__(self, identity: Identity, peer: DtlsPeer) -> None:
        self.keys: Keys | None = None
        self.failure = ""
        self._peer = peer
        self._connection = SSL.Connection(identity.context(peer.suites))
        self._connection.set_ciphertext_mtu(MTU_BYTES)
        if peer.active:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()

    @property
    def timeout_s(self) -> float | None:
        """When `retransmit` may have something to do, from now."""
        if self.keys is not None or self.failure:
            return None
        timeout_s = self._connection.DTLSv1_get_timeout()
        return None if timeout_s is None else float(timeout_s)

    def begin(self) -> list[bytes]:
        """The datagrams that begin the handshake; none where the peer begins it."""
        return self._proceed()

    def receive(self, datagram: bytes) -> list[bytes]:
        """Take a datagram of the peer. After the end it may still want our last flight again."""
        if self.failure or not datagram:
            return []
        self._connection.bio_write(datagram)
        return self._proceed()

    def retransmit(self) -> list[bytes]:
        """Send again what was not answered in time (RFC 6347 4.2.4)."""
        if self.failure:
            return []
        with contextlib.suppress(SSL.Error):
            self._connection.DTLSv1_handle_timeout()
        return self._outgoing()

    def _proceed(self) -> list[bytes]:
        try:
            if self.keys is None:
                self._connection.do_handshake()
                self._agree()
            else:
                self._connection.recv(MTU_BYTES)  # nothing but records of the handshake is of use
        except (SSL.WantReadError, SSL.ZeroReturnError):
            pass
        except SSL.Error as error:
            if self.keys is None:
                self.failure = f"handshake: {_words(error)}"
        return self._outgoing()

    def _agree(self) -> None:
        """Who it was, and what protects the media (RFC 5763 5.1, RFC 5764 4.2)."""
        certificate = self._connection.get_peer_certificate()
        shown = {_fingerprint(certificate, name) for name in HASHES} if certificate is not None else set()
        profile = self._connection.get_selected_srtp_profile()
        suite = next((suite for suite in self._peer.suites if _PROFILES[suite] == profile), None)
        if shown.isdisjoint(self._peer.fingerprints):
            self.failure = "the certificate is not that of the fingerprint"
        elif suite is None:
            self.failure = "no SRTP profile was agreed on"
        else:
            self.keys = self._export(suite)

    def _export(self, suite: str) -> Keys:
        key_bytes, salt_bytes = SUITES[suite]
        material = self._connection.export_keying_material(_EXPORTER, 2 * (key_bytes + salt_bytes))
        salts = material[2 * key_bytes :]
        client = SrtpKey(suite, material[:key_bytes] + salts[:salt_bytes])
        server = SrtpKey(suite, material[key_bytes : 2 * key_bytes] + salts[salt_bytes:])
        return Keys(server, client) if self._peer.active else Keys(client, server)

    def _outgoing(self) -> list[bytes]:
        """Whole records, as many in a datagram as it may hold."""
        octets = b""
        with contextlib.suppress(SSL.WantReadError):
            while True:
                octets += self._connection.bio_read(65536)
        datagrams: list[bytes] = []
        while octets:
            bytes_ = _RECORD_HEADER_BYTES + int.from_bytes(octets[11:13], "big")
            record, octets = octets[:bytes_], octets[bytes_:]
            if datagrams and len(datagrams[-1]) + len(record) <= MTU_BYTES:
                datagrams[-1] += record
            else:
                datagrams.append(record)
        return datagrams


def _fingerprint(certificate: crypto.X509, name: str) -> str:
    return f"{name} {certificate.digest(_DIGESTS[name]).decode('ascii')}"


def _words(error: SSL.Error) -> str:
    """What OpenSSL says of it."""
    stack = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return str(stack[-1][-1]) if stack else type(error).__name__
