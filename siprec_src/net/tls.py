"""TLS under the stream connections of `net.tcp` (RFC 3261 26.3, RFC 5922, RFC 9325): contexts and handshakes.

Nothing of SIP is sent to a peer, nor taken from one that we called, before its certificate is verified and
names the SIP domain of the URI.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, Self

from cryptography import x509

from siprec_src.errors import ConfigurationError
from siprec_src.net.tls_identity import mismatch
from siprec_src.sip.flow import Address
from siprec_src.telemetry.log import get_logger
from siprec_src.values import immutable

EXPIRY_NOTE_DAYS: Final = 30
_UNSAID: Final = {ConnectionResetError: "the peer closes the connection", TimeoutError: "the peer is silent"}
_SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; those of 1.3 are all good (RFC 9325 4.2)


@immutable
class TlsSettings:
    """SIP over TLS, for every edge with ``tls`` among its transports; read again on SIGHUP."""

    certificate: Path | None = None  #: PEM file, with its chain; shown to peers; without one none can connect
    key: Path | None = None  #: PEM file of its private key, without a password; by default in ``certificate``
    trusted_ca: Path | None = None  #: PEM file of who may sign peers' certificates; by default the system's
    minimum_version: Literal["1.2", "1.3"] = "1.2"  #: of TLS; below it a handshake fails
    require_client_certificate: bool = False  #: who connects to us must show one that ``trusted_ca`` signed
    wildcards: bool = False  #: let a peer's ``*.example.com`` stand for one label, against RFC 5922 7.2
    handshake_timeout_s: float = 2.0  #: then the connection has failed

    def __post_init__(self) -> None:
        _require(0 < self.handshake_timeout_s <= 60, "handshake_timeout_s", "expected 0 < x <= 60")
        _require(self.key is None or self.certificate is not None, "key", "there is no certificate to it")
        both = self.certificate is not None and self.trusted_ca is not None
        _require(
            both or not self.require_client_certificate,
            "require_client_certificate",
            "needs certificate and trusted_ca",
        )


@immutable
class TlsContexts:
    """The settings with their files read."""

    settings: TlsSettings
    client: ssl.SSLContext
    server: ssl.SSLContext | None  #: None: without a certificate nobody is let in
    peers: Mapping[str, TlsContexts] = dataclasses.field(default_factory=dict)  #: those of a host's own

    @classmethod
    def load(cls, settings: TlsSettings, peers: Mapping[str, TlsSettings] | None = None) -> Self:
        """Read the files; tens of milliseconds, so never in a loop.

        Args:
            settings: what holds for every connection.
            peers: by host, what holds instead for connections that we open to it.

        Raises:
            ConfigurationError: naming the key whose file cannot be used.
        """
        client = _context(settings, ssl.PROTOCOL_TLS_CLIENT)
        own = {host: cls.load(theirs) for host, theirs in (peers or {}).items()}
        if settings.certificate is None:
            return cls(settings=settings, client=client, server=None, peers=own)
        server = _context(settings, ssl.PROTOCOL_TLS_SERVER)
        required = settings.require_client_certificate
        server.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_NONE
        return cls(settings=settings, client=client, server=server, peers=own)

    def towards(self, domain: str) -> TlsContexts:
        """What holds for a connection that we open to ``domain``."""
        return self.peers.get(domain, self)


def expiry_note(settings: TlsSettings, now: datetime.datetime) -> str:
    """What the operator should be told of the age of our certificate; ``now`` with its time zone."""
    if settings.certificate is None:
        return ""
    try:
        certificate = x509.load_pem_x509_certificate(settings.certificate.read_bytes())
    except (OSError, ValueError):
        return ""
    ends = certificate.not_valid_after_utc
    if ends <= now:
        return f"{settings.certificate}: the certificate has expired on {ends:%Y-%m-%d}"
    if ends - now <= datetime.timedelta(days=EXPIRY_NOTE_DAYS):
        return f"{settings.certificate}: the certificate expires on {ends:%Y-%m-%d}"
    return ""


class TlsRefused(ConnectionError):
    """The peer's certificate is not that of who was to be reached, or there can be no handshake with it."""


class TlsLayer:
    """Puts TLS onto connected streams, with the contexts of now."""

    def __init__(self, contexts: TlsContexts) -> None:
        self._contexts = contexts

    def renew(self, contexts: TlsContexts) -> None:
        """Use other contexts for the connections to come."""
        self._contexts = contexts

    async def connect(
        self, raw: asyncio.Transport, protocol: asyncio.BaseProtocol, remote: Address, domain: str
    ) -> asyncio.Transport:
        """The client's handshake: SNI (RFC 5922 7.8), our certificate on request, the peer's identity.

        Raises:
            OSError: the cause has been logged; nothing was sent.
        """
        contexts = self._contexts.towards(domain)
        try:
            transport = await self._upgrade(raw, protocol, contexts.client, domain)
            der = transport.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
            problem = mismatch(der, domain, wildcards=contexts.settings.wildcards)
            if problem:
                transport.abort()
                raise TlsRefused(f"certificate refused: {problem}")
        except OSError as error:
            self.tell_refused(remote, domain, error)
            raise
        return transport

    def tell_refused(self, remote: Address, domain: str, error: OSError) -> None:
        """A peer that we called and we do not agree; in TLS 1.3 it says so of our certificate afterwards."""
        get_logger("tls").warning("tls.refused", remote=str(remote), domain=domain, cause=cause(error))

    async def accept(
        self, raw: asyncio.Transport, protocol: asyncio.BaseProtocol, remote: Address
    ) -> asyncio.Transport:
        """The server's handshake.

        Raises:
            OSError: there is no certificate of ours, or the peer and we do not agree.
        """
        try:
            if self._contexts.server is None:
                raw.abort()
                raise TlsRefused("no certificate is configured")
            return await self._upgrade(raw, protocol, self._contexts.server, None)
        except OSError as error:
            # Anybody can make these; a line each would be a way to fill the log.
            get_logger("tls").debug("tls.not-accepted", remote=str(remote), cause=cause(error))
            raise

    async def _upgrade(
        self,
        raw: asyncio.Transport,
        protocol: asyncio.BaseProtocol,
        context: ssl.SSLContext,
        domain: str | None,
    ) -> asyncio.Transport:
        limit_s = self._contexts.settings.handshake_timeout_s
        try:
            transport = await asyncio.get_running_loop().start_tls(
                raw,
                protocol,
                context,
                server_side=domain is None,
                server_hostname=domain,
                ssl_handshake_timeout=limit_s,
                ssl_shutdown_timeout=limit_s,
            )
        except ssl.SSLError:
            raise  # one of its kinds is a ValueError too
        except ValueError as error:
            # A host that a peer named and that cannot stand in SNI.
            raw.abort()
            raise TlsRefused(f"{domain!r} is no name for TLS") from error
        if transport is None:
            raise TlsRefused("the connection is gone")
        return transport


def cause(error: OSError) -> str:
    """What went wrong, in OpenSSL's or the system's words; never anything of a key."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM, or not a usable handshake").replace("_", " ").lower()
    return error.strerror or str(error) or _UNSAID.get(type(error), type(error).__name__)


def _context(settings: TlsSettings, protocol: ssl._SSLMethod) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.check_hostname = False  # RFC 5922 has rules of its own: `tls_identity`
    older = settings.minimum_version == "1.2"
    context.minimum_version = ssl.TLSVersion.TLSv1_2 if older else ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(_SUITES)
    if settings.trusted_ca is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(settings.trusted_ca)
        except OSError as error:
            raise _unusable("trusted_ca", settings.trusted_ca, error) from error
    if settings.certificate is not None:
        try:
            # Without the function a key with a password would be asked for on the terminal.
            context.load_cert_chain(settings.certificate, settings.key, password=str)
        except OSError as error:
            if settings.key is not None and settings.certificate.is_file() and not settings.key.is_file():
                raise _unusable("key", settings.key, error) from error
            raise _unusable("certificate", settings.certificate, error) from error
    return context


def _unusable(key: str, file: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"{key}: {file}: {cause(error)}")


def _require(holds: bool, key: str, what: str) -> None:
    if not holds:
        raise ConfigurationError(f"{key}: {what}")
