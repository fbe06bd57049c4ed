"""What can be configured of the HTTP server and of who may use it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, ClassVar

from siprec_src.api.hashes import usable
from siprec_src.api.sids import is_sid
from siprec_src.errors import ConfigurationError
from siprec_src.values import immutable


@immutable
class HttpSettings:
    """``/metrics``, ``/healthz``, ``/readyz``, and the API below ``/v1`` and ``/2010-04-01``."""

    listen: str = "127.0.0.1:8080"  #: address and port; empty: no HTTP at all
    token_file: str = ""  #: who operates all calls shows the token in this file, or credential of systemd
    token_env: str = ""  #: or in this environment variable; without a token only loopback operates them
    tls_certificate: Path | None = None  #: PEM file, its chain behind it; with it HTTPS is spoken, HTTP not
    tls_key: Path | None = None  #: its private key; by default in ``tls_certificate``
    max_connections: int = 256  #: clients at a time; a newcomer above it is closed without an answer

    def __post_init__(self) -> None:
        if not 1 <= self.max_connections <= 65536:
            raise ConfigurationError("max_connections: expected 1 to 65536")
        if self.tls_key is not None and self.tls_certificate is None:
            raise ConfigurationError("tls_key: expected tls_certificate beside it")


@immutable
class KeySettings:
    """One API key of an account."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    sid: str  #: SK…, its user name
    secret_hash: str  #: as `siprec-src account key` prints it

    def __post_init__(self) -> None:
        if not is_sid(self.sid, "SK"):
            raise ConfigurationError(f"the key {self.sid!r}: expected SK and 32 hexadecimal digits")
        if not usable(self.secret_hash):
            raise ConfigurationError(f"the hash of {self.sid}: expected what `siprec-src account key` prints")


@immutable
class AccountSettings:
    """Who may use the API for calls of its own; `siprec-src account new` makes one."""

    sid: str  #: AC…, its user name
    name: str = ""  #: by which a trunk may name it
    auth_token_file: str = ""  #: where its token stands: an absolute path, or a credential of systemd
    auth_token_env: str = ""  #: or the environment variable that holds it
    keys: tuple[KeySettings, ...] = dataclasses.field(
        default=(), metadata={"key": "key"}
    )  #: API keys, each a table with ``sid`` and ``secret_hash``; `siprec-src account key` makes one
    application_key: str = ""  #: who signs Manage Call requests for this account; empty: nobody may
    application_secret_file: str = ""  #: where its secret stands, in base64: as ``auth_token_file``
    application_secret_env: str = ""  #: or the environment variable that holds it

    def __post_init__(self) -> None:
        if not is_sid(self.sid, "AC"):
            raise ConfigurationError("sid: expected AC and 32 hexadecimal digits")
        if not re.fullmatch(r"[A-Za-z0-9_.-]{0,64}", self.application_key):
            raise ConfigurationError("application_key: expected letters, digits, . - and _, at most 64")
        if bool(self.application_key) != bool(self.application_secret_file or self.application_secret_env):
            raise ConfigurationError(
                "application_key: expected beside it application_secret_file or _env, or none of them"
            )
