"""HTTPS: a context whose certificate is renewed while it serves."""

from __future__ import annotations

import ssl
from pathlib import Path

from siprec_src.errors import ConfigurationError


class RenewedContext:
    """The context that a server is given once; each handshake uses what was read last.

    Raises:
        ConfigurationError: a file cannot be used; the text begins with its key.
    """

    def __init__(self, certificate: Path, key: Path | None) -> None:
        self._files = (certificate, key)
        self.context = self._read()
        self._newest = self.context
        self.context.sni_callback = self._chosen

    def renew(self) -> None:
        """Read the files again; what was there stays when they cannot be used. Blocks on the disk."""
        self._newest = self._read()

    def _chosen(self, handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        handshake.context = self._newest

    def _read(self) -> ssl.SSLContext:
        certificate, key = self._files
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(certificate, key, password=_none)
        except ssl.SSLError as error:
            why = error.reason or "is no PEM file"
            raise ConfigurationError(f"tls_certificate: {certificate} with its key: {why}") from error
        except OSError as error:
            raise ConfigurationError(f"tls_certificate: {certificate}: {error.strerror}") from error
        except _Locked:
            raise ConfigurationError("tls_key: expected a key without a password") from None
        return context


class _Locked(Exception):
    """A key asks for a password, which nobody is there to give."""


def _none() -> str:
    raise _Locked
