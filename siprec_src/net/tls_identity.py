"""Whether a certificate speaks for a SIP domain (RFC 5922 7.1 to 7.3, RFC 5924).

Its names are the ``sip`` URIs without a user part of subjectAltName; where there are none, the DNS names;
and the common name only where there is no subjectAltName at all. Names are compared whole.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.target import IpAddress, numeric
from siprec_src.sip.uri import parse_uri

SIP_DOMAIN: Final = ObjectIdentifier("1.3.6.1.5.5.7.3.20")  # id-kp-sipDomain, RFC 5924 4
UNREADABLE: Final = (
    ValueError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)  #: what `cryptography` raises on octets that it cannot take for a certificate
# serverAuth too: no public CA issues id-kp-sipDomain, and RFC 5924 5 leaves the choice to local policy.
_USAGES: Final = frozenset(
    {SIP_DOMAIN, ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
)


def mismatch(der: bytes, domain: str, *, wildcards: bool = False) -> str:
    """Why a certificate does not speak for ``domain``; empty when it does.

    Args:
        der: the certificate; its chain has been verified.
        domain: host of the URI as it was configured, before any resolution; a name or an address.
        wildcards: let ``*.example.com`` stand for one label (RFC 5922 7.2 forbids it, public clouds use it).
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        if not _usable(certificate):
            return "its extended key usage is not that of a SIP domain or TLS server"
        names = names_of(certificate)
    except UNREADABLE:
        return "it cannot be read"
    if any(_same(name, domain, wildcards=wildcards) for name in names):
        return ""
    return f"it is not of {domain} but of {', '.join(sorted(names)[:8]) or 'nobody'}"


def names_of(certificate: x509.Certificate) -> set[str]:
    """Every identity, as RFC 5922 7.1 lists them."""
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return {str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
    uris = san.get_values_for_type(x509.UniformResourceIdentifier)
    sip = {host for host in map(_host, uris) if host}
    addresses = {str(address) for address in san.get_values_for_type(x509.IPAddress)}
    return (sip or set(san.get_values_for_type(x509.DNSName))) | addresses


def _usable(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return True
    return not _USAGES.isdisjoint(usage.value)


def _host(uri: str) -> str:
    """The host of a ``sip`` URI that names a domain and no user, else nothing."""
    try:
        parsed = parse_uri(uri)
    except RemoteProtocolError:
        return ""
    return parsed.host if parsed.scheme == "sip" and not parsed.user else ""


def _same(name: str, domain: str, *, wildcards: bool) -> bool:
    address: IpAddress | None = numeric(domain)
    if address is not None:
        try:
            return ipaddress.ip_address(name.strip("[]")) == address
        except ValueError:
            return False
    name, domain = name.lower().rstrip("."), domain.lower().rstrip(".")
    if wildcards and name.startswith("*."):
        return "." in name[2:] and domain.partition(".")[2] == name[2:]
    return name == domain
