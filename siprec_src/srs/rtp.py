"""RTP and RTCP as far as a recorder needs them (RFC 3550 5.1, 6.4)."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_HEADER: Final = struct.Struct(">BBHII")
_SENDER_REPORT: Final = 200
_RECEIVER_REPORT: Final = 201
_DESCRIPTION: Final = 202
_GOODBYE: Final = 203


class RtpPacket(NamedTuple):
    """What of a packet is used."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


class SenderReport(NamedTuple):
    """The clocks of a sender (RFC 3550 6.4.1)."""

    ssrc: int
    ntp: int  #: 64 bits
    timestamp: int


def parse_rtp(data: bytes) -> RtpPacket | None:
    """One packet; None when it is none."""
    if len(data) < 12 or data[0] >> 6 != 2:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    start = 12 + 4 * (first & 0x0F)
    if first & 0x10:
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    end = len(data) - (data[-1] if first & 0x20 else 0)
    if start > end:
        return None
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, data[start:end])


def parse_rtcp(data: bytes) -> tuple[SenderReport | None, bool]:
    """The sender report of a compound packet, if any, and whether it says goodbye."""
    report: SenderReport | None = None
    goodbye = False
    at = 0
    while at + 4 <= len(data) and data[at] >> 6 == 2:
        end = at + 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data):
            break
        if data[at + 1] == _SENDER_REPORT and end - at >= 28:
            ssrc, ntp, timestamp = struct.unpack_from(">IQI", data, at + 4)
            report = SenderReport(ssrc, ntp, timestamp)
        goodbye = goodbye or data[at + 1] == _GOODBYE
        at = end
    return report, goodbye


class ReportBlock(NamedTuple):
    """One reception report (RFC 3550 6.4.1)."""

    ssrc: int
    fraction_lost: int  #: 1/256
    lost: int
    highest_sequence: int
    jitter: int  #: timestamp units
    last_report: int  #: middle 32 bits of the last sender report's NTP time, 0: none
    delay: int  #: since then, 1/65536 s


def receiver_report(ssrc: int, cname: str, block: ReportBlock | None) -> bytes:
    """A compound packet: RR and SDES with our CNAME (RFC 3550 6.1)."""
    blocks = b""
    if block is not None:
        lost = min(block.lost, 0x7FFFFF)
        blocks = struct.pack(
            ">IIIIII",
            block.ssrc,
            block.fraction_lost << 24 | lost,
            block.highest_sequence,
            block.jitter & 0xFFFFFFFF,
            block.last_report,
            block.delay & 0xFFFFFFFF,
        )
    report = struct.pack(">BBHI", 0x80 | (block is not None), _RECEIVER_REPORT, 1 + len(blocks) // 4, ssrc)
    name = cname.encode()[:255]
    item = struct.pack(">IBB", ssrc, 1, len(name)) + name
    item += b"\0" * (4 - len(item) % 4)
    return report + blocks + struct.pack(">BBH", 0x81, _DESCRIPTION, len(item) // 4) + item
