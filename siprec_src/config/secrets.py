"""Where passwords and tokens come from: a file, a credential of systemd, or the environment.

Never the configuration file itself, which is read, shown and copied more freely than a secret may be.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from siprec_src.errors import ConfigurationError
from siprec_src.sip.credentials import Credentials, SecretText

MAX_SECRET_BYTES: Final = 4096  #: of a file; a password or token stays far below
_DIRECTORY: Final = "CREDENTIALS_DIRECTORY"  # systemd.exec(5), LoadCredential=


def read_secret(file: str, variable: str) -> SecretText:
    """The text in ``file``, without the line end behind it, or in the environment's ``variable``.

    A relative name is that of a credential which systemd has loaded.

    Raises:
        ConfigurationError: saying why, and never what was read.
    """
    if bool(file) == bool(variable):
        raise ConfigurationError("expected either a file or an environment variable")
    text = _content(file) if file else os.environ.get(variable, "")
    if not text:
        raise ConfigurationError(f"{file or variable!r} is not there, or empty")
    if any(sign < " " or sign == "\x7f" for sign in text):
        raise ConfigurationError(f"{file or variable!r} holds control characters, or more than one line")
    return SecretText(text)


def read_credentials(
    username: str, password_file: str, password_env: str, *, allow_md5: bool
) -> Credentials | None:
    """The credentials that four keys name; None when there are none.

    Raises:
        ConfigurationError: its text begins with the key.
    """
    if not (username or password_file or password_env):
        return None
    if not username:
        raise ConfigurationError("username: expected one beside the password")
    key = "password_env" if password_env and not password_file else "password_file"
    try:
        password = read_secret(password_file, password_env)
    except ConfigurationError as error:
        raise ConfigurationError(f"{key}: {error}") from error
    return Credentials(username=username, password=password, allow_md5=allow_md5)


def read_token(token_file: str, token_env: str) -> SecretText | None:
    """The token that two keys name; None when there is none.

    Raises:
        ConfigurationError: its text begins with the key.
    """
    if not (token_file or token_env):
        return None
    try:
        return read_secret(token_file, token_env)
    except ConfigurationError as error:
        key = "token_env" if token_env and not token_file else "token_file"
        raise ConfigurationError(f"{key}: {error}") from error


def read_headers(given: Mapping[str, str | Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    """Those header fields whose values are secrets.

    Raises:
        ConfigurationError: its text begins with ``headers``.
    """
    found = []
    for name, source in given.items():
        if isinstance(source, str):
            continue
        try:
            found.append((name, read_secret(source.get("file", ""), source.get("env", ""))))
        except ConfigurationError as error:
            raise ConfigurationError(f"headers: the value of {name!r}, {error}") from error
    return tuple(found)


def _content(file: str) -> str:
    path = Path(file)
    if not path.is_absolute():
        directory = os.environ.get(_DIRECTORY)
        if not directory:
            raise ConfigurationError(f"{file!r}: expected an absolute path, or a credential of systemd")
        path = Path(directory) / path
    try:
        with path.open("rb") as opened:
            octets = opened.read(MAX_SECRET_BYTES + 1)
        text = octets.decode("utf-8")
    except OSError as error:
        raise ConfigurationError(f"{file!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file!r} is not UTF-8 text") from None
    if len(octets) > MAX_SECRET_BYTES:
        raise ConfigurationError(f"{file!r} is longer than {MAX_SECRET_BYTES} bytes")
    return text.removesuffix("\n").removesuffix("\r")
