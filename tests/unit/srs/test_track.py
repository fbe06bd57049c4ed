"""One received track: order, loss, duplicates, restarts, and the place of every octet in time."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siprec_src.communication import Format
from siprec_src.srs.track import REORDER_S, Chunk, Track, join

PCMU = Format(payload_type=0, encoding="PCMU", clock_rate=8000)
PCMA = Format(payload_type=8, encoding="PCMA", clock_rate=8000)
EVENT = Format(payload_type=101, encoding="telephone-event", clock_rate=8000)


def packet(n: int, *, first: int = 65534, ssrc: int = 7, pt: int = 0, size: int = 160) -> bytes:
    """The n-th packet of a source; its payload is the octet n."""
    header = struct.pack(">BBHII", 0x80, pt, (first + n) & 0xFFFF, 0xFFFFFF00 + 160 * n & 0xFFFFFFFF, ssrc)
    return header + bytes([n & 0xFF]) * size


def track() -> Track:
    return Track((PCMU, PCMA, EVENT), started=100.0)


def payload(chunks: list[Chunk]) -> bytes:
    return b"".join(b"\xee" * chunk.hole + chunk.payload for chunk in chunks)


def run(order: list[int]) -> tuple[Track, bytes]:
    """Packets arriving in this order, 20 ms apart."""
    received = track()
    chunks = received.take(
        [(100 + 0.02 * i, packet(n)) for i, n in enumerate(order)], 100 + 0.02 * len(order)
    )
    return received, payload(chunks + received.finish(200.0))


def expected(numbers: list[int]) -> bytes:
    return b"".join(bytes([n]) * 160 for n in numbers)


@pytest.mark.rfc("3550", "A.1")
def test_payload_comes_out_in_order_across_the_wrap_of_sequence_and_time() -> None:
    received, data = run(list(range(10)))
    assert data == expected(list(range(10)))
    assert (received.books.received, received.books.lost, received.highest_sequence) == (10, 0, 65536 * 2 + 7)


@pytest.mark.rfc("3550", "A.1")
def test_reordered_packets_are_put_right_and_duplicates_dropped() -> None:
    received, data = run([0, 2, 1, 1, 3, 5, 4, 2])
    assert data == expected([0, 1, 2, 3, 4, 5])
    books = received.books
    assert (books.received, books.lost, books.duplicates, books.reordered) == (6, 0, 2, 2)


@pytest.mark.rfc("3550", "A.3")
def test_lost_packets_leave_a_hole_of_their_length_and_are_counted() -> None:
    received, data = run([0, 1, 4, 5])
    assert data == expected([0, 1]) + b"\xee" * 320 + expected([4, 5])
    assert received.books.lost == 2
    assert received.fraction_lost() == 2 * 256 // 6
    assert received.fraction_lost() == 0


def test_a_gap_waits_for_its_packets_only_so_long() -> None:
    received = track()
    assert len(received.take([(100.0, packet(0)), (100.02, packet(2))], 100.02)) == 1
    assert received.waiting
    assert received.take([], 100.02 + REORDER_S - 0.01) == []
    chunks = received.take([], 100.03 + REORDER_S)
    assert (chunks[0].hole, chunks[0].payload[:1], chunks[0].position) == (160, b"\x02", 320)
    assert received.take([(100.5, packet(1))], 100.5) == []
    assert (received.books.late, received.books.lost) == (1, 0)


def test_first_packet_stands_where_it_arrived_and_the_rest_where_its_timestamp_says() -> None:
    received = track()
    late = [(101.0, packet(0)), (101.09, packet(1)), (101.1, packet(2))]
    assert [chunk.position for chunk in received.take(late, 101.1)] == [8000, 8160, 8320]


def test_a_pause_is_a_gap_in_time_but_no_loss() -> None:
    received = track()
    second = struct.pack(">BBHII", 0x80, 0, 65535, (0xFFFFFF00 + 8000) & 0xFFFFFFFF, 7) + b"x" * 160
    first, resumed = received.take([(100.0, packet(0)), (101.0, second)], 101.0)
    assert (first.position, resumed.position, resumed.hole, received.books.lost) == (0, 8000, 0, 0)


def test_a_timestamp_that_jumps_is_not_believed() -> None:
    received = track()
    wild = struct.pack(">BBHII", 0x80, 0, 65535, 0x60000000, 7) + b"x" * 160
    chunks = received.take([(100.0, packet(0)), (100.02, wild)], 100.02)
    assert chunks[1].position == 160


@pytest.mark.rfc("3550", "8")
def test_a_new_ssrc_is_a_new_source_on_the_same_timeline() -> None:
    received = track()
    chunks = received.take(
        [(100.0, packet(0)), (100.5, packet(9, ssrc=8)), (100.52, packet(10, ssrc=8))], 100.6
    )
    assert [chunk.position for chunk in chunks] == [0, 4000, 4160]
    assert received.books.sources == [7, 8]
    assert (received.ssrc, received.books.lost, received.books.received) == (8, 0, 3)


@pytest.mark.rfc("3550", "A.1")
def test_two_packets_in_sequence_far_away_are_a_restart_one_is_a_stray() -> None:
    received = track()
    received.take([(100.0, packet(0)), (100.1, packet(20000)), (100.12, packet(1))], 100.2)
    assert received.books.received == 2
    received.take([(100.3, packet(30000)), (100.32, packet(30001)), (100.34, packet(30002))], 100.4)
    assert (received.books.received, received.books.lost) == (4, 0)


def test_events_and_other_formats_are_counted_not_written() -> None:
    received = track()
    arrivals = [
        (100.0, packet(0)),
        (100.0, packet(1, pt=101, size=4)),
        (100.0, packet(2, pt=99)),
        (100.1, packet(2)),
    ]
    data = payload(received.take(arrivals, 100.1))
    assert data == expected([0, 2])
    assert (received.books.events, received.books.other_format, received.books.lost) == (1, 1, 0)


def test_codec_follows_the_payload_type() -> None:
    chunks = track().take([(100.0, packet(0)), (100.0, packet(1, pt=8)), (100.0, packet(2, pt=8))], 100.1)
    assert [(chunk.encoding, len(chunk.payload)) for chunk in join(chunks)] == [("PCMU", 160), ("PCMA", 320)]


def test_what_fails_authentication_is_counted() -> None:
    received = track()

    def refuse(_: bytes) -> bytes:
        raise ValueError

    received.unprotect = refuse
    assert received.take([(100.0, packet(0))], 100.0) == []
    assert received.books.auth_failed == 1


@given(st.lists(st.binary(max_size=40) | st.integers(0, 300).map(packet), max_size=60))
def test_any_datagrams_keep_the_books_and_the_memory_bounded(datagrams: list[bytes]) -> None:
    received = track()
    chunks = received.take([(100.0 + i / 50, data) for i, data in enumerate(datagrams)], 110.0)
    chunks += received.finish(120.0)
    books = received.books
    total = books.received + books.duplicates + books.malformed + books.other_format
    assert total <= len(datagrams)
    assert not received.waiting
    assert all(chunk.position >= 0 for chunk in chunks)


@given(st.permutations(range(1, 12)))
def test_any_order_within_the_window_gives_the_same_octets(order: list[int]) -> None:
    received = track()
    arrivals = [(100.0, packet(0)), *((100.0 + i / 1000, packet(n)) for i, n in enumerate(order))]
    data = payload(received.take(arrivals, 100.1) + received.finish(101.0))
    assert data == expected(list(range(12)))
    assert received.books.lost == 0
