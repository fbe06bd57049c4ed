"""The engine as control sees it: calls are relayed, tracks are copied, the books balance."""

from __future__ import annotations

import dataclasses
import errno
import operator
import os
import resource
import select
import socket
import struct

import pytest

from siprec_src.media.engine import Engine
from siprec_src.media.model import Endpoint, PayloadKind, PortId, ReaderCounters, ReaderId, SourcePolicy
from siprec_src.media.plane import (
    BridgePorts,
    ClosePorts,
    Command,
    ConnectPort,
    DetachReader,
    DtmfReceived,
    FirstPacket,
    OpenPorts,
    PortsClosed,
    ReadCounters,
    ReaderAttached,
    ReaderDetached,
    ReaderUnreachable,
    Refused,
    SetReaderLive,
    SilenceChanged,
    UpdateReader,
)
from tests.native.engine_support import HOST, LOW, WAIT_S, Call, Plane, read_rtp, rtp
from tests.native.site import Site

RECEIVER_REPORT = struct.pack("!BBHI", 0x80, 201, 1, 0x11223344)
SENT, RECEIVED = operator.attrgetter("packets_sent"), operator.attrgetter("packets_received")
STUN_BINDING = struct.pack("!HHI12s", 0x0001, 0, 0x2112A442, b"transaction!")


def balance(counters: ReaderCounters) -> bool:
    named: list[int] = [
        value
        for name, value in dataclasses.asdict(counters).items()
        if name.startswith(("skipped_", "dropped_"))
    ]
    return sum(named) == counters.offered - counters.delivered


def dtmf(code: int, duration: int, *, end: bool) -> bytes:
    return struct.pack("!BBH", code, (0x80 if end else 0) | 10, duration)


# relay


@pytest.mark.rfc("7866", "8.2")
def test_rtp_is_relayed_bit_for_bit_both_ways_from_the_advertised_port(call: Call) -> None:
    extended = bytes.fromhex("b1800001 000000a0 11223344 0badcafe bede0001 10ff0000") + b"x" * 20 + b"\x01"
    call.caller.send(extended, call.caller_port)
    assert call.callee.receive_from() == (extended, call.callee_port.rtp_port)
    call.callee.send(rtp(7, 8, ssrc=9), call.callee_port)
    assert call.caller.receive_from() == (rtp(7, 8, ssrc=9), call.caller_port.rtp_port)


def test_a_call_is_relayed_over_ipv6(site: Site, plane: Plane) -> None:
    call = site.call(plane, socket.AF_INET6)
    call.caller.send(rtp(1), call.caller_port)
    assert call.callee.receive() == rtp(1)
    call.close()


@pytest.mark.rfc("3550", "11")
def test_rtcp_is_relayed_to_the_other_partys_rtcp_port(call: Call) -> None:
    call.caller.send_rtcp(RECEIVER_REPORT, call.caller_port)
    assert call.callee.receive_rtcp() == RECEIVER_REPORT
    counters = call.plane.port_counters(call.caller_port)
    assert (counters.rtcp_received, counters.rtcp_relayed, counters.received) == (1, 1, 0)


@pytest.mark.rfc("5506", "3.2")
def test_reduced_size_rtcp_is_relayed_too(call: Call) -> None:
    picture_loss = struct.pack("!BBHII", 0x81, 206, 2, 1, 2)
    call.caller.send_rtcp(picture_loss, call.caller_port)
    assert call.callee.receive_rtcp() == picture_loss


@pytest.mark.rfc("5761", "4")
def test_multiplexed_rtcp_goes_to_the_rtcp_port_of_a_party_that_does_not_multiplex(call: Call) -> None:
    call.connect(call.caller_port, call.caller, rtcp_mux=True)
    call.caller.send(RECEIVER_REPORT, call.caller_port)
    assert call.callee.receive_rtcp() == RECEIVER_REPORT
    call.callee.send_rtcp(RECEIVER_REPORT, call.callee_port)
    assert call.caller.receive() == RECEIVER_REPORT


def test_stun_is_passed_on_and_never_recorded(call: Call) -> None:
    reader = call.attach()
    call.caller.send(STUN_BINDING, call.caller_port)
    assert call.callee.receive() == STUN_BINDING
    assert call.plane.port_counters(call.caller_port).raw_relayed == 1
    assert call.plane.reader_counters(reader).offered == 0


def test_a_raw_port_relays_any_datagram(call: Call) -> None:
    for port, peer in ((call.caller_port, call.caller), (call.callee_port, call.callee)):
        call.connect(port, peer, kind=PayloadKind.RAW)
    call.caller.send(b"\x00", call.caller_port)
    assert call.callee.receive() == b"\x00"
    call.callee.send(rtp(1), call.callee_port)
    assert call.caller.receive() == rtp(1)
    assert call.plane.port_counters(call.caller_port).raw_relayed == 1


def test_a_datagram_that_is_nothing_is_dropped_and_counted(call: Call) -> None:
    for garbage in (b"", b"\x80", b"\x80\x00\x00", b"\xff" * 40, rtp(1)[:11], b"\x80\x00" * 1100):
        call.caller.send(garbage, call.caller_port)
    call.plane.until(lambda: call.plane.port_counters(call.caller_port).dropped_malformed == 6)
    assert call.callee.is_quiet()


def test_a_strict_port_takes_only_the_signalled_address_and_port(call: Call) -> None:
    stranger = call.peer()
    stranger.send(rtp(1), call.caller_port)
    stranger.send_rtcp(RECEIVER_REPORT, call.caller_port)
    call.plane.until(lambda: call.plane.port_counters(call.caller_port).dropped_foreign == 2)
    assert call.callee.is_quiet()
    stranger.close()


def test_a_learning_port_keeps_the_first_source_and_answers_it(call: Call) -> None:
    behind_nat, stranger = call.peer(), call.peer()
    call.connect(call.caller_port, call.caller, source=SourcePolicy.LEARN)
    stranger.send(b"\x80" + b"\x00" * 5, call.caller_port)
    behind_nat.send(rtp(1), call.caller_port)
    assert call.callee.receive() == rtp(1)
    stranger.send(rtp(2), call.caller_port)
    call.callee.send(rtp(3), call.callee_port)
    assert behind_nat.receive() == rtp(3)
    call.plane.until(lambda: call.plane.port_counters(call.caller_port).dropped_foreign == 2)
    assert call.callee.is_quiet()
    behind_nat.close()
    stranger.close()


def test_what_nobody_can_take_is_counted(call: Call) -> None:
    call.connect(call.callee_port, call.callee, remote=None)
    call.caller.send(rtp(1), call.caller_port)
    counters = call.plane.until_received(call.caller_port, 1)
    assert (counters.relayed, counters.dropped_unbridged) == (0, 1)


# events


def test_the_first_packet_silence_and_its_end_are_said(call: Call) -> None:
    call.caller.send(rtp(1, payload_type=8), call.caller_port)
    assert call.plane.event(FirstPacket) == FirstPacket(
        port=call.caller_port.port, payload_type=8, ssrc=0x11223344, source=call.caller.endpoint
    )
    assert call.plane.event(SilenceChanged) == SilenceChanged(port=call.caller_port.port, silent=True)
    call.caller.send(rtp(2), call.caller_port)
    assert call.plane.event(SilenceChanged) == SilenceChanged(port=call.caller_port.port, silent=False)
    assert not [event for event in call.plane.events if isinstance(event, FirstPacket)]


@pytest.mark.rfc("4733", "2.5")
def test_a_key_press_is_said_once_and_withheld_from_the_srs(call: Call) -> None:
    call.connect(call.caller_port, call.caller, event_payload_types=(101,))
    reader = call.attach()
    call.caller.send(rtp(1, 0), call.caller_port)
    for n in range(3):
        end = dtmf(11, 800, end=True)
        call.caller.send(rtp(2 + n, 160, payload_type=101, payload=end), call.caller_port)
    call.caller.send(rtp(5, 960), call.caller_port)
    assert call.plane.event(DtmfReceived) == DtmfReceived(
        port=call.caller_port.port, digit="#", duration_ms=100
    )
    assert [read_rtp(call.srs.receive()).sequence for _ in range(2)] == [500, 501]
    assert [read_rtp(call.callee.receive()).sequence for _ in range(5)] == [1, 2, 3, 4, 5]
    counters = call.plane.reader_counters(reader)
    assert (counters.offered, counters.delivered, counters.skipped_event) == (5, 2, 3)
    assert not [event for event in call.plane.events if isinstance(event, DtmfReceived)]


# copies


@pytest.mark.req("RTP-02", "RTP-04", "RTP-11", "RTP-33")
@pytest.mark.rfc("7866", "8.2.3")
def test_a_copy_has_the_readers_header_and_the_sources_payload(call: Call) -> None:
    reader = call.attach(payload_types=((0, 96),))
    payloads = [bytes([n]) * 160 for n in range(3)]
    for n, sequence in enumerate((65534, 65535, 1)):
        call.caller.send(rtp(sequence, 0xFFFFFF00 + 160 * n, payload=payloads[n]), call.caller_port)
    copies = []
    for n in range(3):
        packet, source = call.srs.receive_from()
        assert source == call.via.rtp_port
        copies.append(read_rtp(packet))
        assert copies[n].payload == payloads[n]
    assert [copy.sequence for copy in copies] == [500, 501, 503], "the gap of the source stays"
    assert [copy.timestamp for copy in copies] == [90000, 90160, 90320]
    assert [copy.marker for copy in copies] == [True, False, False]
    assert {(copy.ssrc, copy.payload_type) for copy in copies} == {(0xABCDEF01, 96)}
    counters = call.plane.reader_counters(reader)
    assert (counters.delivered, counters.delivered_octets) == (3, 480)
    assert balance(counters)


def test_two_readers_copy_the_same_track_with_their_own_headers(call: Call) -> None:
    other = call.peer()
    near = call.plane.open_near(call.caller_port)
    call.attach()
    call.attach(via=near.port, remote=other.endpoint, ssrc=5, first_sequence=9, payload_types=((0, 8),))
    call.caller.send(rtp(1), call.caller_port)
    one, two = read_rtp(call.srs.receive()), read_rtp(other.receive())
    assert (one.ssrc, one.sequence, two.ssrc, two.sequence) == (0xABCDEF01, 500, 5, 9)
    other.close()


@pytest.mark.req("SDP-08")
def test_no_packet_is_copied_before_a_reader_is_live(call: Call) -> None:
    reader = call.attach(live=False)
    call.caller.send(rtp(1), call.caller_port)
    assert call.callee.receive() == rtp(1)
    counters = call.plane.reader_counters(reader)
    assert (counters.offered, counters.skipped_paused) == (1, 1)
    call.plane.ask(DetachReader(tag=call.plane.next_tag(), reader=reader))
    assert call.srs.is_quiet()


@pytest.mark.req("RTP-33", "SIP-23")
def test_after_a_pause_the_sequence_goes_on_by_one_and_the_marker_is_set(call: Call) -> None:
    plane, reader = call.plane, call.attach()
    call.caller.send(rtp(10, 0), call.caller_port)
    first = read_rtp(call.srs.receive())
    plane.do(SetReaderLive(tag=plane.next_tag(), reader=reader, live=False))
    for n in range(1, 4):
        call.caller.send(rtp(10 + n, 160 * n), call.caller_port)
    plane.until_received(call.caller_port, 4)
    plane.do(SetReaderLive(tag=plane.next_tag(), reader=reader, live=True))
    call.caller.send(rtp(14, 640), call.caller_port)
    second = read_rtp(call.srs.receive())
    assert (second.sequence, second.marker) == (first.sequence + 1, True)
    assert 0 < second.timestamp - first.timestamp < 8000 * 5
    counters = plane.reader_counters(reader)
    assert (counters.offered, counters.delivered, counters.skipped_paused) == (5, 2, 3)


@pytest.mark.req("RTP-21")
def test_a_new_source_goes_on_under_the_readers_ssrc(call: Call) -> None:
    call.attach()
    call.caller.send(rtp(1000, 5, ssrc=1), call.caller_port)
    call.caller.send(rtp(40000, 77777, ssrc=2), call.caller_port)
    first, second = (read_rtp(call.srs.receive()) for _ in range(2))
    assert (first.sequence, second.sequence) == (500, 501)
    assert (first.ssrc, second.ssrc) == (0xABCDEF01, 0xABCDEF01)
    assert second.marker


def test_duplicates_are_relayed_but_copied_once(call: Call) -> None:
    reader = call.attach()
    for sequence in (1, 1, 2):
        call.caller.send(rtp(sequence), call.caller_port)
    assert [read_rtp(call.callee.receive()).sequence for _ in range(3)] == [1, 1, 2]
    assert [read_rtp(call.srs.receive()).sequence for _ in range(2)] == [500, 501]
    counters = call.plane.reader_counters(reader)
    assert (counters.offered, counters.delivered, counters.dropped_stale) == (3, 2, 1)
    assert call.plane.port_counters(call.caller_port).duplicate == 1


def test_a_format_that_the_srs_did_not_accept_is_skipped_by_name(call: Call) -> None:
    reader = call.attach()
    call.caller.send(rtp(1, payload_type=18), call.caller_port)
    call.plane.until_received(call.caller_port, 1)
    counters = call.plane.reader_counters(reader)
    assert (counters.offered, counters.skipped_format) == (1, 1)


@pytest.mark.rfc("3389", "4")
def test_comfort_noise_that_the_srs_did_not_accept_has_its_own_name(call: Call) -> None:
    reader = call.attach()
    call.caller.send(rtp(1, payload_type=13), call.caller_port)
    call.plane.until_received(call.caller_port, 1)
    counters = call.plane.reader_counters(reader)
    assert (counters.offered, counters.skipped_comfort_noise, counters.skipped_format) == (1, 1, 0)


def test_an_updated_reader_sends_to_the_new_place_and_goes_on_counting(call: Call) -> None:
    elsewhere, reader = call.peer(), call.attach()
    call.caller.send(rtp(1), call.caller_port)
    assert read_rtp(call.srs.receive()).sequence == 500
    call.plane.do(
        UpdateReader(
            tag=call.plane.next_tag(), reader=reader, remote=elsewhere.endpoint, payload_types=((0, 8),)
        )
    )
    call.caller.send(rtp(2), call.caller_port)
    moved = read_rtp(elsewhere.receive())
    assert (moved.sequence, moved.payload_type, moved.ssrc) == (501, 8, 0xABCDEF01)
    assert call.srs.is_quiet()
    elsewhere.close()


@pytest.mark.req("RTP-36")
def test_a_closed_port_of_the_srs_is_said(call: Call) -> None:
    reader = call.attach()
    call.srs.close()
    call.caller.send(rtp(1), call.caller_port)
    assert call.plane.event(ReaderUnreachable) == ReaderUnreachable(reader=reader)


@pytest.mark.req("RTP-35")
def test_rtp_from_the_srs_is_dropped_and_counted(call: Call) -> None:
    call.attach()
    call.srs.send(rtp(1), call.via)
    call.plane.until(lambda: call.plane.port_counters(call.via).dropped_foreign == 1)


# ports and ids


@pytest.mark.rfc("3550", "11")
def test_ports_are_even_within_the_range_and_rotate(site: Site, engine: Engine) -> None:
    plane = site.plane(engine, LOW + 1001, LOW + 1010)
    ports = [port.rtp_port for port in plane.open(3)]
    assert ports == [LOW + 1002, LOW + 1004, LOW + 1006]
    (again,) = plane.open(1)
    assert again.rtp_port == LOW + 1008


def test_when_the_range_is_exhausted_none_is_bound(site: Site, engine: Engine) -> None:
    plane = site.plane(engine, LOW + 1100, LOW + 1105)
    refused = plane.ask(
        OpenPorts(tag=plane.next_tag(), host=plane.host, low=LOW + 1100, high=LOW + 1105, count=4)
    )
    assert isinstance(refused, Refused)
    assert refused.reason == "ports-exhausted"
    assert len(plane.open(3)) == 3


def test_ports_of_other_processes_are_passed_over(site: Site, engine: Engine) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as foreign:
        foreign.bind((site.host(), LOW + 1203))
        (port,) = site.plane(engine, LOW + 1202, LOW + 1205).open(1)
    assert port.rtp_port == LOW + 1204


def test_a_closed_pair_rests_before_it_is_used_again(site: Site) -> None:
    with site.engine(port_rest_ms=60_000) as engine:
        plane = site.plane(engine, LOW + 1300, LOW + 1301)
        (port,) = plane.open(1)
        plane.ask(ClosePorts(tag=plane.next_tag(), ports=(port.port,)))
        command = OpenPorts(tag=plane.next_tag(), host=plane.host, low=LOW + 1300, high=LOW + 1301, count=1)
        refused = plane.ask(command)
    assert isinstance(refused, Refused)
    assert refused.reason == "ports-exhausted"


def test_closing_ports_gives_their_books_and_makes_all_ids_stale(call: Call) -> None:
    plane, reader = call.plane, call.attach()
    call.caller.send(rtp(1), call.caller_port)
    call.srs.receive()
    closed = plane.ask(ClosePorts(tag=plane.next_tag(), ports=call.ports))
    assert isinstance(closed, PortsClosed)
    assert dict(closed.counters)[call.caller_port.port].relayed == 1
    stale: list[Command] = [
        ConnectPort(tag=plane.next_tag(), port=call.caller_port.port),
        BridgePorts(tag=plane.next_tag(), a=call.caller_port.port, b=call.callee_port.port),
        ReadCounters(tag=plane.next_tag(), ports=(call.via.port,)),
        ReadCounters(tag=plane.next_tag(), readers=(reader,)),
        SetReaderLive(tag=plane.next_tag(), reader=reader, live=True),
        call.reader_command(),
        SetReaderLive(tag=plane.next_tag(), reader=ReaderId(2**53 - 1), live=True),
        ConnectPort(tag=plane.next_tag(), port=PortId(reader)),
    ]
    for command in stale:
        refused = plane.ask(command)
        assert isinstance(refused, Refused)
        assert refused.reason == "gone", command


def test_a_slot_used_again_does_not_answer_to_its_old_id(plane: Plane) -> None:
    (old,) = plane.open(1)
    plane.ask(ClosePorts(tag=plane.next_tag(), ports=(old.port,)))
    plane.open(4)
    refused = plane.ask(ConnectPort(tag=plane.next_tag(), port=old.port))
    assert isinstance(refused, Refused)
    assert refused.reason == "gone"


def test_ports_of_several_threads_close_together_or_not_at_all(plane: Plane) -> None:
    first, second = plane.open(1) + plane.open(1)
    gone = PortId(first.port + 100)
    refused = plane.ask(ClosePorts(tag=plane.next_tag(), ports=(second.port, gone, first.port)))
    assert isinstance(refused, Refused)
    closed = plane.ask(ClosePorts(tag=plane.next_tag(), ports=(first.port, second.port)))
    assert isinstance(closed, PortsClosed)
    assert len(closed.counters) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"remote": Endpoint("sip.example.org", 5004)},
        {"remote": Endpoint(HOST, 0)},
        {"event_payload_types": (128,)},
        {"event_payload_types": tuple(range(9))},
        {"clock_rate": 0},
        {"clock_rate": -1},
    ],
)
def test_an_argument_out_of_range_is_refused(call: Call, change: dict[str, object]) -> None:
    command = ConnectPort(tag=call.plane.next_tag(), port=call.caller_port.port)
    refused = call.plane.ask(dataclasses.replace(command, **change))  # type: ignore[arg-type]
    assert isinstance(refused, Refused)
    assert refused.reason == "bad-argument"


@pytest.mark.parametrize("host", ["not-an-address", "203.0.113.1", "", "1" * 80])
def test_a_host_that_cannot_be_bound_is_refused(plane: Plane, host: str) -> None:
    refused = plane.ask(OpenPorts(tag=plane.next_tag(), host=host, low=LOW + 1400, high=LOW + 1500, count=1))
    assert isinstance(refused, Refused)
    assert refused.reason == "bad-argument"


def test_a_range_from_port_zero_is_refused(plane: Plane) -> None:
    refused = plane.ask(OpenPorts(tag=plane.next_tag(), host=plane.host, low=0, high=LOW + 1500, count=1))
    assert isinstance(refused, Refused)
    assert refused.reason == "bad-argument"


def test_without_descriptors_ports_are_refused_by_name_and_open_ones_work_on(site: Site, call: Call) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, before[1]))
    try:
        refused = call.plane.ask(
            OpenPorts(tag=call.plane.next_tag(), host=site.host(), low=LOW + 1400, high=LOW + 1499, count=20)
        )
        call.caller.send(rtp(1), call.caller_port)
        assert call.callee.receive() == rtp(1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.detail) == ("no-room", os.strerror(errno.EMFILE))
    assert len(site.plane(call.plane.engine, LOW + 1400, LOW + 1439).open(20)) == 20


def test_a_flooded_port_does_not_hold_up_another(site: Site) -> None:
    with site.engine() as engine:
        flooded, quiet = (site.call(site.plane(engine, low, low + 49)) for low in (LOW + 1500, LOW + 1550))
        for sequence in range(2000):
            flooded.callee.send(rtp(sequence), flooded.caller_port)
        quiet.caller.send(rtp(1), quiet.caller_port)
        assert quiet.callee.receive() == rtp(1)
        for call in (flooded, quiet):
            call.close()


def test_a_thousand_commands_at_once_are_all_answered(plane: Plane, engine: Engine) -> None:
    (port,) = plane.open(1)
    tags = set(range(10_000, 13_000))
    for tag in tags:
        engine.submit(ReadCounters(tag=tag, ports=(port.port,)))
    answered: set[int] = set()
    while answered != tags:
        assert select.select([engine], [], [], WAIT_S)[0]
        answered |= {message.tag for message in engine.drain() if not isinstance(message, FirstPacket)}  # type: ignore[union-attr]


def test_a_closed_engine_says_so(engine: Engine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(ValueError, match="closed"):
        engine.drain()


def test_threads_tell_what_they_did(call: Call, engine: Engine) -> None:
    sent, received = (sum(map(of, engine.stats())) for of in (SENT, RECEIVED))
    call.caller.send(rtp(1), call.caller_port)
    call.callee.receive()
    call.plane.until(lambda: sum(map(SENT, engine.stats())) == sent + 1)
    assert sum(map(RECEIVED, engine.stats())) == received + 1
    assert not any(stats.notices_lost for stats in engine.stats())
    call.plane.until(lambda: all(stats.cpu_ns > 0 for stats in engine.stats()))  # the idle ones may yet begin


def test_the_books_of_a_reader_balance_at_its_end(call: Call) -> None:
    plane = call.plane
    for sequence in (8, 9):
        call.caller.send(rtp(sequence, ssrc=9), call.caller_port)
        call.callee.receive()
    reader = call.attach()
    for sequence in (1, 2, 2, 5, 4, 3, 4000, 4001, 4002, 70):
        call.caller.send(rtp(sequence, 160 * sequence), call.caller_port)
    for sequence in range(10):
        call.caller.send(rtp(sequence, ssrc=4, payload_type=sequence % 2), call.caller_port)
    for _ in range(20):
        call.callee.receive()
    detached = plane.ask(DetachReader(tag=plane.next_tag(), reader=reader))
    assert isinstance(detached, ReaderDetached)
    books = plane.port_counters(call.caller_port)
    assert detached.counters.before_attach == 2
    assert detached.counters.offered == books.appended == books.received - 2 == 20
    assert balance(detached.counters)
    sent = [read_rtp(call.srs.receive()) for _ in range(detached.counters.delivered)]
    assert call.srs.rtp not in select.select([call.srs.rtp], [], [], 0.05)[0]
    assert len({packet.sequence for packet in sent}) == len(sent)


def test_a_reader_sends_only_from_a_port_of_its_streams_thread(call: Call) -> None:
    strangers = [call.plane.open(1)[0] for _ in range(4)]
    via = call.plane.open_near(call.caller_port)
    answers = [call.plane.ask(call.reader_command(via=port.port)) for port in strangers]
    assert {type(answer) for answer in answers} <= {ReaderAttached, Refused}
    assert any(isinstance(answer, Refused) for answer in answers)
    assert isinstance(call.plane.ask(call.reader_command(via=via.port)), ReaderAttached)
