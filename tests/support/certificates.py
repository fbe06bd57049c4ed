"""Certificates made for a test: an authority, and what it signs."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID, ObjectIdentifier

NOW = datetime.datetime.now(datetime.UTC)


@dataclasses.dataclass(frozen=True, slots=True)
class Files:
    """Where one certificate and its key are."""

    certificate: Path
    key: Path


class Authority:
    """A certification authority in a directory."""

    def __init__(self, directory: Path, name: str = "Test CA") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        builder = _builder(self._name, self._name, self._key, days=3650)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file = directory / "ca.pem"
        self.file.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))

    def sign(
        self,
        sans: Iterable[str] | None = (),
        *,
        common_name: str = "peer",
        usages: Iterable[str] = (),
        days: int = 90,
    ) -> x509.Certificate:
        """A certificate of ``sans``, such as ``DNS:a.example``; None: without subjectAltName."""
        return self._make(sans, common_name, usages, days)[0]

    def issue(self, name: str, *sans: str, days: int = 90) -> Files:
        """A certificate and its key as files called ``name``."""
        certificate, key = self._make(sans, name, (), days)
        files = Files(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        files.certificate.write_bytes(_pem(certificate))
        files.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files

    def _make(
        self, sans: Iterable[str] | None, common_name: str, usages: Iterable[str], days: int
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(common_name), self._name, key, days)
        if sans is not None and (names := list(sans)):
            builder = builder.add_extension(_alternative(names), critical=False)
        if oids := [ObjectIdentifier(usage) for usage in usages]:
            builder = builder.add_extension(x509.ExtendedKeyUsage(oids), critical=False)
        return builder.sign(self._key, hashes.SHA256()), key


def _alternative(names: list[str]) -> x509.ExtensionType:
    """``RAW:`` and the hex digits of one name stand for themselves, readable or not."""
    kind, _, digits = names[0].partition(":")
    if kind != "RAW":
        return x509.SubjectAlternativeName([_general(text) for text in names])
    name = bytes.fromhex(digits)
    return x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, bytes((0x30, len(name))) + name)


def _general(text: str) -> x509.GeneralName:
    kind, _, value = text.partition(":")
    match kind:
        case "URI":
            return x509.UniformResourceIdentifier(value)
        case "IP":
            return x509.IPAddress(ipaddress.ip_address(value))
        case _:
            return x509.DNSName(value)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    """``days``: until it expires; negative, it has."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=365))
        .not_valid_after(NOW + datetime.timedelta(days=days))
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
