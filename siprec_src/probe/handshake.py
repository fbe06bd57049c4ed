"""One TLS handshake, looked at: version, suite, whom the certificate proves, whether ours is asked for.

The rules are the transport's own (`net.tls`, `net.tls_identity`); only what was seen is kept here. Where the
certificate is refused a second handshake without any check shows whose it is; nothing is ever sent in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import ssl
from typing import Any, Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from siprec_src.net.tls import TlsContexts, cause
from siprec_src.net.tls_identity import UNREADABLE, mismatch, names_of
from siprec_src.sip.flow import Address
from siprec_src.values import immutable

_CERTIFICATE_REQUEST: Final = 13  # RFC 8446 4, RFC 5246 7.4
_CLIENT_ALERT_S: Final = 0.7  #: in TLS 1.3 a peer refuses our certificate after the handshake


@immutable
class Handshake:
    """What came of it."""

    problem: str = ""  #: why there can be no connection; "" when there can
    version: str = ""
    suite: str = ""
    names: tuple[str, ...] = ()  #: whom the certificate proves
    issuer: str = ""
    ends: str = ""  #: the last day of the certificate
    days_left: int | None = None
    chain: int = 0  #: certificates up to the trusted one
    asks_certificate: bool = False

    @property
    def who(self) -> str:
        of = ", ".join(self.names[:4]) or "nobody"
        chain = f", a chain of {self.chain}" if self.chain else ""
        return f"proves {of}, signed by {self.issuer}{chain}, valid until {self.ends}"

    def facts(self) -> dict[str, object]:
        return {key: value for key, value in dataclasses.asdict(self).items() if key != "problem" and value}


async def shake(remote: Address, domain: str, contexts: TlsContexts) -> Handshake:
    """The handshake that a call would make, with the connection closed afterwards."""
    contexts = contexts.towards(domain)
    patience_s = contexts.settings.handshake_timeout_s
    asked: list[bool] = []
    context = contexts.client
    _watch(context, asked)
    try:
        found = await _look(remote, domain, context, patience_s)
    except OSError as error:
        seen = await _unchecked(remote, domain, patience_s)
        asks = bool(asked) or seen.asks_certificate
        return dataclasses.replace(seen, problem=cause(error), asks_certificate=asks)
    finally:
        _watch(context, None)
    der, facts = found
    problem = mismatch(der, domain, wildcards=contexts.settings.wildcards)
    told = f"certificate refused: {problem}" if problem else ""
    return dataclasses.replace(facts, problem=facts.problem or told, asks_certificate=bool(asked))


async def _unchecked(remote: Address, domain: str, patience_s: float) -> Handshake:
    """Who is there, whoever it is; nothing when there is no handshake at all."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    asked: list[bool] = []
    _watch(context, asked)
    try:
        _, facts = await _look(remote, domain, context, patience_s)
    except OSError:
        return Handshake(asks_certificate=bool(asked))
    return dataclasses.replace(facts, problem="", asks_certificate=bool(asked))


async def _look(
    remote: Address, domain: str, context: ssl.SSLContext, patience_s: float
) -> tuple[bytes, Handshake]:
    async with asyncio.timeout(patience_s + 1):
        reader, writer = await asyncio.open_connection(
            remote.host,
            remote.port,
            ssl=context,
            server_hostname=domain,
            ssl_handshake_timeout=patience_s,
        )
    problem = ""
    try:
        async with asyncio.timeout(_CLIENT_ALERT_S):
            if not await reader.read(1):
                problem = "it closes the connection as soon as it has our side of the handshake"
    except TimeoutError:
        pass  # it waits for us: all is well
    except OSError as error:
        problem = cause(error)
    secured = writer.get_extra_info("ssl_object")
    der = secured.getpeercert(binary_form=True) or b""
    facts = _facts(der, secured)
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return der, dataclasses.replace(facts, problem=problem)


def _facts(der: bytes, secured: ssl.SSLObject) -> Handshake:
    suite = secured.cipher()
    known = Handshake(version=secured.version() or "", suite=suite[0] if suite else "", chain=_chain(secured))
    try:
        certificate = x509.load_der_x509_certificate(der)
        ends = certificate.not_valid_after_utc
        return dataclasses.replace(
            known,
            names=tuple(sorted(names_of(certificate))),
            issuer=_common_name(certificate.issuer),
            ends=f"{ends:%Y-%m-%d}",
            days_left=(ends - dt.datetime.now(dt.UTC)).days,
        )
    except UNREADABLE:
        return known


def _common_name(name: x509.Name) -> str:
    return next((str(n.value) for n in name.get_attributes_for_oid(NameOID.COMMON_NAME)), "an unnamed CA")


def _chain(secured: ssl.SSLObject) -> int:
    """How many certificates; 0 where this Python does not tell (it does officially since 3.13)."""
    inner: Any = getattr(secured, "_sslobj", secured)
    try:
        return len(inner.get_verified_chain() or ())
    except (AttributeError, ValueError):
        return 0


def _watch(context: ssl.SSLContext, asked: list[bool] | None) -> None:
    """Note a CertificateRequest. Python has no other door to it than this one, which it has since 3.8."""

    def seen(
        _connection: object, direction: str, _version: object, _content: object, kind: object, _data: object
    ) -> None:
        if (
            asked is not None
            and direction == "read"
            and int(getattr(kind, "value", -1)) == _CERTIFICATE_REQUEST
        ):
            asked.append(True)

    context._msg_callback = None if asked is None else seen  # type: ignore[attr-defined] # noqa: SLF001
