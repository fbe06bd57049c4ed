"""RTP and RTCP octets of the bundled SRS."""

from __future__ import annotations

import struct

import pytest
from aiortc.rtp import RtcpPacket, RtcpRrPacket, RtcpSdesPacket, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from siprec_src.srs.rtp import ReportBlock, SenderReport, parse_rtcp, parse_rtp, receiver_report


@pytest.mark.rfc("3550", "5.1")
def test_csrc_extension_and_padding_are_taken_off() -> None:
    head = struct.pack(">BBHII", 0xB1, 0x80 | 8, 5, 6, 7)
    data = head + b"csrc" + b"\xbe\xde\x00\x01\x12ext" + b"speech" + b"\0\0\0\x04"
    assert parse_rtp(data) == (8, 5, 6, 7, b"speech")
    theirs = RtpPacket.parse(data)
    assert (theirs.payload_type, theirs.payload) == (8, b"speech")


@pytest.mark.rfc("3550", "A.1")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80" * 11,
        b"\x40" + b"\0" * 20,
        b"\x9f" + b"\0" * 12,
        b"\x90" + b"\0" * 11,
        b"\xa0" + b"\0" * 10 + b"\xff",
    ],
)
def test_what_is_no_rtp_is_none(data: bytes) -> None:
    assert parse_rtp(data) is None


@pytest.mark.rfc("3550", "6.4")
def test_receiver_report_is_a_compound_packet_that_others_read() -> None:
    block = ReportBlock(7, 12, 3, 0x10005, 40, 0x11223344, 65536)
    report, description = RtcpPacket.parse(receiver_report(9, "name@host", block))
    assert isinstance(report, RtcpRrPacket)
    assert isinstance(description, RtcpSdesPacket)
    assert report.ssrc == 9
    (read,) = report.reports
    assert (read.ssrc, read.fraction_lost, read.packets_lost, read.highest_sequence) == (7, 12, 3, 0x10005)
    assert (read.jitter, read.lsr, read.dlsr) == (40, 0x11223344, 65536)
    assert description.chunks[0].items == [(1, b"name@host")]
    empty = RtcpPacket.parse(receiver_report(9, "x", None))[0]
    assert isinstance(empty, RtcpRrPacket)
    assert empty.reports == []


@pytest.mark.rfc("3550", "6.4.1")
def test_sender_report_and_goodbye_are_found_in_a_compound_packet() -> None:
    report = struct.pack(">BBHIQIII", 0x80, 200, 6, 7, 0x0102030405060708, 160, 1, 160)
    goodbye = struct.pack(">BBHI", 0x81, 203, 1, 7)
    assert parse_rtcp(report + goodbye) == (SenderReport(7, 0x0102030405060708, 160), True)
    assert parse_rtcp(report[:-1]) == (None, False)


@given(st.binary(max_size=80))
def test_no_octets_raise(data: bytes) -> None:
    parse_rtp(data)
    parse_rtcp(data)
