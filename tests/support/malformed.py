"""RTP that breaks RFC 3550 5.1, wherever it comes from."""

from __future__ import annotations

MALFORMED_RTP = (
    b"\x80",  # shorter than a header
    b"\x80\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00",
    b"\x8f\x00" + bytes(10),  # 15 contributing sources announced, none there
    b"\x90\x00" + bytes(10) + b"\xbe\xde\xff\xff",  # an extension longer than the packet
    b"\xa0\x00" + bytes(10) + b"\x00\xff",  # more padding than packet
    b"\xa0\x00" + bytes(10) + b"\x00\x00",  # padding of no octets
    b"\x40\x00" + bytes(30),  # version 1
    b"\xc0\x00" + bytes(30),  # version 3
)
