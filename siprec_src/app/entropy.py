"""`Identity` of the daemon: the operating system's generator, read ahead for speed."""

from __future__ import annotations

import base64
import itertools
import os
from typing import Final

READ_AHEAD_BYTES: Final = 4096  #: of random octets, one system call for some hundred ids


class SystemIdentity:
    """Ids and keys that cannot be guessed, nor tell anything about this host."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._pool = b""
        self._used = 0

    def number(self) -> int:
        return next(self._numbers)

    def branch(self) -> str:
        return f"z9hG4bK{self._take(12).hex()}"

    def tag(self) -> str:
        return self._take(8).hex()

    def call_id(self) -> str:
        return self._take(16).hex()

    def uuid(self) -> bytes:
        octets = bytearray(self._take(16))
        octets[6] = octets[6] & 0x0F | 0x40  # RFC 9562 5.4: version 4
        octets[8] = octets[8] & 0x3F | 0x80  # and the variant of RFC 9562 4.1
        return bytes(octets)

    def boundary(self) -> str:
        return self._take(16).hex()

    def ssrc(self) -> int:
        return self._integer(4)

    def sequence(self) -> int:
        return self._integer(2) & 0x7FFF

    def timestamp(self) -> int:
        return self._integer(4)

    def cname(self) -> str:
        return base64.b64encode(self._take(12)).decode("ascii")

    def secret(self, octets: int) -> bytes:
        # Straight from the system: key material is not kept in a pool that outlives its use.
        return os.urandom(octets)

    def session_number(self) -> int:
        return self._integer(8) >> 1

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * (self._integer(7) / (2**56 - 1))

    def _integer(self, octets: int) -> int:
        return int.from_bytes(self._take(octets), "big")

    def _take(self, octets: int) -> bytes:
        if self._used + octets > len(self._pool):
            self._pool = os.urandom(READ_AHEAD_BYTES)
            self._used = 0
        taken = self._pool[self._used : self._used + octets]
        self._used += octets
        return taken
