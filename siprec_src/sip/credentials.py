"""Who we are to a server that asks (RFC 3261 22.1)."""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from siprec_src.errors import ConfigurationError
from siprec_src.values import immutable


@immutable
class Credentials:
    """A user name and its password, for Digest alone (RFC 7616). Basic is never spoken (RFC 8760 2.6)."""

    username: str
    password: str = dataclasses.field(repr=False)
    allow_md5: bool = False  #: also answer challenges that ask for MD5

    def __post_init__(self) -> None:
        if not _USERNAME.fullmatch(self.username):
            raise ConfigurationError(
                "username: expected 1 to 256 characters, no colon, quote, backslash or control"
            )
        if not _PASSWORD.fullmatch(self.password):
            raise ConfigurationError("password: expected 1 to 1024 characters, no control characters")


_USERNAME: Final = re.compile(r'[^\x00-\x1f\x7f:"\\\ud800-\udfff]{1,256}')  # a colon parts the hash's text
_PASSWORD: Final = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,1024}")
