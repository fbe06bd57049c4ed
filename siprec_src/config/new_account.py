"""New accounts and API keys, as tables for the configuration file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from siprec_src.api.hashes import hash_of
from siprec_src.api.sids import sid
from siprec_src.config.example import assignment


def write_token(file: Path) -> None:
    """Write a new token. Raises OSError, also when the file is there already."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as opened:  # noqa: PTH123 it is open already
        opened.write(f"{secrets.token_hex(16)}\n")


def account_table(name: str, token_file: Path) -> str:
    """The table of a new account."""
    keys = {"sid": sid("AC", secrets.token_bytes(16)), "name": name, "auth_token_file": str(token_file)}
    return _table("[[account]]", keys)


def key_table() -> tuple[str, str]:
    """The secret of a new API key, and its table."""
    secret = secrets.token_urlsafe(24)
    keys = {"sid": sid("SK", secrets.token_bytes(16)), "secret_hash": hash_of(secret)}
    return secret, _table("[[account.key]]", keys)


def _table(head: str, keys: dict[str, str]) -> str:
    return "\n".join([head, *(assignment(key, value) for key, value in keys.items()), ""])
