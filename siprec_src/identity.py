"""Where ids and keys come from: the only door through which randomness enters a machine.

The daemon passes a source backed by the operating system's generator, tests pass a counting one, so
a whole call can be compared with a golden ladder.
"""

from __future__ import annotations

from typing import Protocol


class Identity(Protocol):
    """Source of everything that must be unique or unguessable."""

    def number(self) -> int:
        """A small integer never given before by this source; for handles inside the process."""

    def branch(self) -> str:
        """A Via branch with the magic cookie ``z9hG4bK`` (RFC 3261 8.1.1.7)."""

    def tag(self) -> str:
        """A From or To tag with at least 32 random bits (RFC 3261 19.3)."""

    def call_id(self) -> str:
        """A globally unique Call-ID that tells nothing about this host (RFC 3261 8.1.1.4)."""

    def uuid(self) -> bytes:
        """The 16 octets of a version 4 UUID (RFC 7865 6.10)."""

    def boundary(self) -> str:
        """A multipart boundary, random for each message (RFC 2046 5.1.1)."""

    def ssrc(self) -> int:
        """A random 32-bit SSRC (RFC 3550 8)."""

    def sequence(self) -> int:
        """A first RTP sequence number, 0..32767 (RFC 4568 6.4)."""

    def timestamp(self) -> int:
        """A first RTP timestamp, 32 random bits (RFC 3550 5.1)."""

    def cname(self) -> str:
        """An RTCP CNAME of 96 random bits in base64 (RFC 7022 5)."""

    def secret(self, octets: int) -> bytes:
        """Key material of ``octets`` octets."""

    def session_number(self) -> int:
        """An SDP session id that fits 63 bits (RFC 3264 5)."""

    def uniform(self, low: float, high: float) -> float:
        """A random number in [low, high]; for back-off and the 491 wait (RFC 3261 14.1)."""
