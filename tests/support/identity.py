"""Ids that count instead of being random, so a whole call can be compared with a golden ladder."""

from __future__ import annotations


class CountingIdentity:
    """Implements `siprec_src.identity.Identity`: each kind counts from 1, marked with ``mark``.

    Two parties in one test get different marks, so their ids differ and the ladder tells whose they are.
    """

    def __init__(self, mark: str = "") -> None:
        self._mark = mark
        self._counts: dict[str, int] = {}

    def number(self) -> int:
        return self._next("number")

    def branch(self) -> str:
        return f"z9hG4bK-{self._mark}{self._next('branch')}"

    def tag(self) -> str:
        return f"{self._mark}t{self._next('tag')}"

    def call_id(self) -> str:
        return f"{self._mark}c{self._next('call_id')}"

    def uuid(self) -> bytes:
        """Version and variant bits are set as RFC 9562 5.4 asks; the count is in the last octets."""
        count = self._next("uuid").to_bytes(6, "big")
        return bytes.fromhex("00000000000040008000") + count

    def boundary(self) -> str:
        return f"boundary-{self._mark}{self._next('boundary')}"

    def ssrc(self) -> int:
        return 0x1000 + self._next("ssrc")

    def sequence(self) -> int:
        return 100 * self._next("sequence") % 0x8000

    def timestamp(self) -> int:
        return 16000 * self._next("timestamp") % 2**32

    def cname(self) -> str:
        return f"{self._mark}cname{self._next('cname')}"

    def secret(self, octets: int) -> bytes:
        mark = self._mark.encode()
        return mark + self._next("secret").to_bytes(octets - len(mark), "big")

    def session_number(self) -> int:
        return self._next("session_number")

    def uniform(self, low: float, high: float) -> float:
        """The middle: always the same and always inside."""
        return (low + high) / 2

    def _next(self, kind: str) -> int:
        self._counts[kind] = count = self._counts.get(kind, 0) + 1
        return count
