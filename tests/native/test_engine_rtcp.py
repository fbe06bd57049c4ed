"""RTCP between the recorder's port and the SRS, read by another RTCP implementation (RFC 3550 6)."""

from __future__ import annotations

import time

import pytest
from aiortc.rtp import (
    RtcpByePacket,
    RtcpPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSrPacket,
)
from pylibsrtp import Policy, Session

from siprec_src.media.model import SrtpKey
from siprec_src.media.plane import ClosePorts, DetachReader, ReaderCollision, ReaderReport
from tests.native.engine_support import Call, read_rtp, rtp

SSRC = 0xABCDEF01
NTP_UNIX_EPOCH_S = 2_208_988_800


def receiver_report(ssrc: int = SSRC, *, lost: int = 3, jitter: int = 80, lsr: int = 0) -> bytes:
    block = RtcpReceiverInfo(
        ssrc=ssrc, fraction_lost=64, packets_lost=lost, highest_sequence=1, jitter=jitter, lsr=lsr, dlsr=0
    )
    return bytes(RtcpRrPacket(ssrc=99, reports=[block]))


@pytest.mark.req("RTP-01", "RTP-04", "RTP-24", "RTP-25", "RTP-26")
@pytest.mark.rfc("3550", "6.4.1")
def test_a_sender_report_with_cname_relates_the_copy_to_the_wall_clock(call: Call) -> None:
    reader = call.attach()
    before_s = time.time()
    call.caller.send(rtp(1), call.caller_port)
    copy = read_rtp(call.srs.receive())
    after_s = time.time()
    report, description = RtcpPacket.parse(call.srs.receive_rtcp())
    assert isinstance(report, RtcpSrPacket)
    assert (report.ssrc, report.sender_info.packet_count, report.sender_info.octet_count) == (SSRC, 1, 160)
    at_s = report.sender_info.ntp_timestamp / 2**32 - NTP_UNIX_EPOCH_S
    elapsed_s = (report.sender_info.rtp_timestamp - copy.timestamp) / 8000
    assert elapsed_s > 0.5, "half an interval comes first"
    assert before_s - 0.01 < at_s - elapsed_s < after_s + 0.01
    assert isinstance(description, RtcpSdesPacket)
    assert [(chunk.ssrc, chunk.items) for chunk in description.chunks] == [(SSRC, [(1, b"Y2FsbGVy")])]
    middle = report.sender_info.ntp_timestamp >> 16 & 0xFFFFFFFF
    call.srs.send_rtcp(receiver_report(lsr=middle), call.via)
    said = call.plane.event(ReaderReport)
    assert said.round_trip_us is not None
    assert 0 <= said.round_trip_us < (time.time() - at_s + 0.01) * 1_000_000
    assert call.plane.reader_counters(reader).rtcp_sent == 1


@pytest.mark.rfc("3264", "6.1")
@pytest.mark.rfc("6263", "5")
@pytest.mark.req("RTP-03", "RTP-28", "PER-02", "SDP-08")
@pytest.mark.parametrize("live", [True, False], ids=["silent", "inactive"])
def test_a_reader_that_sends_no_media_sends_empty_receiver_reports(call: Call, live: bool) -> None:
    call.attach(live=live)
    packet, source = call.srs.receive_rtcp_from()
    report, description = RtcpPacket.parse(packet)
    assert source == call.via.rtp_port + 1
    assert isinstance(report, RtcpRrPacket)
    assert (report.ssrc, report.reports) == (SSRC, [])
    assert isinstance(description, RtcpSdesPacket)


@pytest.mark.req("RTP-03", "RTP-32")
def test_a_receiver_report_of_the_srs_becomes_an_event(call: Call) -> None:
    reader = call.attach()
    call.srs.send_rtcp(receiver_report(), call.via)
    assert call.plane.event(ReaderReport) == ReaderReport(
        reader=reader, fraction_lost=0.25, cumulative_lost=3, jitter_us=10_000, round_trip_us=None
    )
    counters = call.plane.reader_counters(reader)
    assert (counters.rtcp_received, counters.reported_lost, counters.reported_jitter_us) == (1, 3, 10_000)


@pytest.mark.rfc("3550", "8.2")
@pytest.mark.req("RTP-22")
def test_an_srs_that_goes_by_the_ssrc_of_a_reader_becomes_an_event_once(call: Call) -> None:
    reader = call.attach()
    theirs = bytes(RtcpRrPacket(ssrc=SSRC, reports=[]))
    call.srs.send_rtcp(theirs, call.via)
    assert call.plane.event(ReaderCollision) == ReaderCollision(reader=reader)
    call.srs.send_rtcp(theirs, call.via)
    call.srs.send_rtcp(receiver_report(), call.via)
    call.plane.event(ReaderReport)
    assert not [event for event in call.plane.events if isinstance(event, ReaderCollision)]


@pytest.mark.req("RTP-27")
def test_with_rtcp_mux_reports_come_and_go_on_the_rtp_port(call: Call) -> None:
    reader = call.attach(rtcp_mux=True)
    call.caller.send(rtp(1), call.caller_port)
    call.srs.receive()
    call.srs.send(receiver_report(), call.via)
    assert call.plane.event(ReaderReport).reader == reader
    call.plane.ask(DetachReader(tag=call.plane.next_tag(), reader=reader))
    assert isinstance(RtcpPacket.parse(call.srs.receive())[-1], RtcpByePacket)


@pytest.mark.rfc("3556", "2")
@pytest.mark.req("RTP-26")
def test_an_srs_without_bandwidth_for_rtcp_is_sent_none(call: Call) -> None:
    reader = call.attach(no_rtcp=True)
    call.caller.send(rtp(1), call.caller_port)
    call.srs.receive()
    call.plane.ask(DetachReader(tag=call.plane.next_tag(), reader=reader))
    assert call.srs.is_quiet()


def test_reports_of_strangers_and_about_other_streams_change_nothing(call: Call) -> None:
    stranger, reader = call.peer(), call.attach()
    stranger.send_rtcp(receiver_report(), call.via)
    call.srs.send_rtcp(receiver_report(ssrc=4), call.via)
    call.srs.send_rtcp(b"\x80\xc9\xff\xff", call.via)
    call.plane.until(lambda: call.plane.reader_counters(reader).rtcp_received == 1)
    assert call.plane.reader_counters(reader).reported_lost == 0
    assert not [event for event in call.plane.events if isinstance(event, ReaderReport)]
    stranger.close()


@pytest.mark.req("KEY-22")
def test_srtcp_of_the_srs_is_opened_and_anything_else_refused(call: Call) -> None:
    key = SrtpKey("AES_CM_128_HMAC_SHA1_80", bytes(range(30)))
    reader = call.attach(receive_key=key)
    srs = Session(
        policy=Policy(
            key=key.material,
            ssrc_type=Policy.SSRC_ANY_OUTBOUND,
            srtp_profile=Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
        )
    )
    call.srs.send_rtcp(receiver_report(), call.via)
    call.srs.send_rtcp(srs.protect_rtcp(receiver_report(lost=5)), call.via)
    assert call.plane.event(ReaderReport).cumulative_lost == 5
    assert call.plane.reader_counters(reader).rtcp_received == 1
    assert call.plane.port_counters(call.via).dropped_auth == 1


@pytest.mark.rfc("3550", "6.6")
def test_a_reader_that_sent_says_bye_when_it_is_detached(call: Call) -> None:
    reader = call.attach()
    call.caller.send(rtp(1), call.caller_port)
    call.srs.receive()
    call.plane.ask(DetachReader(tag=call.plane.next_tag(), reader=reader))
    report, description, bye = RtcpPacket.parse(call.srs.receive_rtcp())
    assert isinstance(report, RtcpSrPacket)
    assert isinstance(description, RtcpSdesPacket)
    assert isinstance(bye, RtcpByePacket)
    assert bye.sources == [SSRC]


@pytest.mark.rfc("3550", "6.3.7")
def test_a_reader_that_never_sent_says_no_bye(call: Call) -> None:
    reader = call.attach()
    call.plane.ask(DetachReader(tag=call.plane.next_tag(), reader=reader))
    assert call.srs.is_quiet()


def test_readers_say_bye_when_the_ports_of_their_call_close(call: Call) -> None:
    call.attach()
    call.caller.send(rtp(1), call.caller_port)
    call.srs.receive()
    call.plane.ask(ClosePorts(tag=call.plane.next_tag(), ports=call.ports))
    assert isinstance(RtcpPacket.parse(call.srs.receive_rtcp())[-1], RtcpByePacket)
