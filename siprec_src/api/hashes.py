"""Hashes of API secrets (RFC 7914): what a configuration holds of a secret that is never replayed."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final

_N, _R, _P = 2**14, 8, 1  # 16 MiB and some 40 ms each
_SALT_BYTES: Final = 16
_KEY_BYTES: Final = 32
_MAX_MEMORY_BYTES: Final = 64 * 1024 * 1024
_FORM: Final = re.compile(r"scrypt:([0-9]{1,7}):([0-9]{1,2}):([0-9]{1,2}):[0-9a-f]{32}:[0-9a-f]{64}")

#: Of nothing anybody knows, for whom there is no hash: an unknown user takes as long as a known one.
NOBODY: Final = f"scrypt:{_N}:{_R}:{_P}:{'00' * _SALT_BYTES}:{'00' * _KEY_BYTES}"


def hash_of(secret: str) -> str:
    """A hash of ``secret`` with a salt of its own. Takes tens of milliseconds."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"scrypt:{_N}:{_R}:{_P}:{salt.hex()}:{_key(secret, salt, _N, _R, _P).hex()}"


def fits(secret: str, text: str) -> bool:
    """Whether ``text`` is a hash of ``secret``. Takes tens of milliseconds, whatever the answer."""
    _, n, r, p, salt, key = text.split(":")
    found = _key(secret, bytes.fromhex(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, bytes.fromhex(key))


def usable(text: str) -> bool:
    """Whether it has the form of a hash, with numbers that take neither too long nor too little."""
    if (form := _FORM.fullmatch(text)) is None:
        return False
    n, r, p = (int(number) for number in form.groups())
    return (
        2**10 <= n <= 2**17 and n & (n - 1) == 0 and r > 0 and 0 < p <= 4 and 256 * n * r <= _MAX_MEMORY_BYTES
    )


def _key(secret: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        secret.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=n,
        r=r,
        p=p,
        maxmem=_MAX_MEMORY_BYTES,
        dklen=_KEY_BYTES,
    )
