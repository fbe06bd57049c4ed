"""Where passwords and tokens come from: a file, a credential of systemd, or the environment.

Never the configuration file itself, which is read, shown and copied more freely than a secret may be.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from siprec_src.api.settings import AccountSettings, HttpSettings
from siprec_src.config.lines import KeyPath
from siprec_src.config.settings import ConnectorSettings, TrunkSettings
from siprec_src.config.sources import Problems
from siprec_src.errors import ConfigurationError
from siprec_src.recording.srs import SrsConfig
from siprec_src.sip.credentials import Credentials
from siprec_src.values import SecretText

MAX_SECRET_BYTES: Final = 4096  #: of a file; a password or token stays far below
_DIRECTORY: Final = "CREDENTIALS_DIRECTORY"  # systemd.exec(5), LoadCredential=


def credentials_of(entry: SrsConfig | TrunkSettings, path: KeyPath, problems: Problems) -> Credentials | None:
    """The credentials that four keys of an entry name; None when there are none, or they cannot be read."""
    if not (entry.username or entry.password_file or entry.password_env):
        return None
    if not entry.username:
        problems.add((*path, "username"), "expected one beside the password")
        return None
    password = _secret(entry.password_file, entry.password_env, path, "password", problems)
    if password is None:
        return None
    try:
        return Credentials(username=entry.username, password=password, allow_md5=entry.allow_md5)
    except ConfigurationError as error:
        problems.blame(path, error)
        return None


def token_of(http: HttpSettings, problems: Problems) -> SecretText | None:
    """The token that commands by HTTP must show; None when there is none, or it cannot be read."""
    if not (http.token_file or http.token_env):
        return None
    return _secret(http.token_file, http.token_env, ("http",), "token", problems)


def auth_token_of(account: AccountSettings, path: KeyPath, problems: Problems) -> SecretText | None:
    """The token of an account; None when it cannot be read."""
    return _secret(account.auth_token_file, account.auth_token_env, path, "auth_token", problems)


def application_secret_of(account: AccountSettings, path: KeyPath, problems: Problems) -> SecretText | None:
    """The secret of an account's application; None when it cannot be read, or signs nothing."""
    file, variable = account.application_secret_file, account.application_secret_env
    secret = _secret(file, variable, path, "application_secret", problems)
    try:
        if secret is None or base64.b64decode(secret, validate=True):
            return secret
    except binascii.Error:
        pass
    wrong = "application_secret_env" if variable and not file else "application_secret_file"
    problems.add((*path, wrong), "expected base64")
    return None


def headers_of(
    given: Mapping[str, str | Mapping[str, str]], path: KeyPath, problems: Problems
) -> tuple[tuple[str, str], ...]:
    """Those header fields of an SRS whose values are secrets."""
    found = []
    for name, source in given.items():
        if isinstance(source, str):
            continue
        try:
            found.append((name, _read(source.get("file", ""), source.get("env", ""))))
        except ConfigurationError as error:
            problems.add((*path, "headers"), f"the value of {name!r}, {error}")
    return tuple(found)


def field_of(connector: ConnectorSettings, path: KeyPath, problems: Problems) -> tuple[tuple[str, str], ...]:
    """The header field that shows a connector's credentials; none when none can be read."""
    if not connector.credentials_header:
        return ()
    file, variable = connector.credentials_file, connector.credentials_env
    value = _secret(file, variable, path, "credentials", problems)
    return () if value is None else ((connector.credentials_header, value),)


def _secret(file: str, variable: str, path: KeyPath, key: str, problems: Problems) -> SecretText | None:
    """The secret that ``key`` with ``_file`` or with ``_env`` names."""
    try:
        return _read(file, variable)
    except ConfigurationError as error:
        wrong = f"{key}_env" if variable and not file else f"{key}_file"
        problems.add((*path, wrong), str(error))
        return None


def _read(file: str, variable: str) -> SecretText:
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
