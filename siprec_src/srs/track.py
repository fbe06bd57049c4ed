"""One received track: packets in any order become octets in order, with their place in time.

Sequence numbers as in RFC 3550 A.1, books as in A.3, jitter as in A.8. A packet waits a short while for
those before it; what never comes is counted as lost and leaves a hole of silence. No I/O, no clock.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from siprec_src.communication import Format
from siprec_src.srs.rtp import RtpPacket, parse_rtp
from siprec_src.values import immutable

REORDER_S: Final = 0.2  #: how long a gap may fill itself
MAX_DROPOUT: Final = 3000  #: sequence numbers ahead that are still the same source (RFC 3550 A.1)
MAX_DRIFT_S: Final = 2.0  #: between RTP time and arrival, else the timeline is set anew
REMEMBERED: Final = 1024  #: sequence numbers known as received, to tell duplicates from late ones
RATE_HZ: Final = 8000  #: of the timeline


@dataclasses.dataclass(slots=True)
class TrackBooks:
    """What became of every datagram of one track; packets unless the name says otherwise."""

    received: int = 0  #: RTP packets, duplicates not counted
    octets: int = 0  #: of their payloads
    lost: int = 0
    duplicates: int = 0
    late: int = 0  #: came after their place had been filled
    reordered: int = 0
    events: int = 0  #: RFC 4733 events and comfort noise, which are not written
    other_format: int = 0  #: payload types that were not answered
    malformed: int = 0
    auth_failed: int = 0
    foreign: int = 0  #: from another address than the first
    overrun: int = 0  #: came faster than they could be written
    jitter_ms: float = 0.0
    sources: list[int] = dataclasses.field(default_factory=list)  #: SSRCs in order of appearance


@immutable(kw_only=False)
class Chunk:
    """Octets of one codec, contiguous in time."""

    encoding: str
    position: int  #: on the recording's timeline, samples
    hole: int  #: octets lost just before it
    payload: bytes


@dataclasses.dataclass(slots=True)
class _Source:
    """The state of one SSRC."""

    ssrc: int
    base: int  #: extended sequence number of its first packet
    highest: int
    received: int = 0
    next: int = 0  #: extended sequence number to be written next
    pending: list[tuple[int, float, RtpPacket]] = dataclasses.field(default_factory=list)
    known: OrderedDict[int, None] = dataclasses.field(default_factory=OrderedDict)
    transit: float | None = None
    time: tuple[int, int] | None = None  #: RTP timestamp and position written next
    octets: int = 0  #: payload of the last packet written
    stray: int = -1  #: sequence number that would confirm a restart (RFC 3550 A.1)


class Track:
    """Receives one m-line. Not thread-safe: one caller at a time."""

    def __init__(self, formats: Iterable[Format], *, started: float) -> None:
        self.books = TrackBooks()
        self.unprotect: Callable[[bytes], bytes] | None = None  #: raises ValueError for what it refuses
        self._formats: Mapping[int, str] = {f.payload_type: f.encoding.upper() for f in formats}
        self._started = started
        self._source: _Source | None = None
        self._finished_lost = 0
        self._reported = (0, 0)

    @property
    def ssrc(self) -> int | None:
        return self._source.ssrc if self._source else None

    @property
    def waiting(self) -> bool:
        """Whether packets wait for those before them."""
        return self._source is not None and bool(self._source.pending)

    @property
    def highest_sequence(self) -> int:
        """Extended highest sequence number received (RFC 3550 6.4.1)."""
        return self._source.highest & 0xFFFFFFFF if self._source else 0

    def retarget(self, formats: Iterable[Format]) -> None:
        """The payload types of a new answer."""
        self._formats = {f.payload_type: f.encoding.upper() for f in formats}

    def take(self, datagrams: Iterable[tuple[float, bytes]], now: float) -> list[Chunk]:
        """Add what arrived, each with its time; return what is in order by now."""
        chunks: list[Chunk] = []
        for arrival, data in datagrams:
            packet = self._open(data)
            if packet is not None:
                self._accept(packet, arrival, chunks)
        if self._source is not None:
            self._emit(self._source, now, chunks)
        return chunks

    def finish(self, now: float) -> list[Chunk]:
        """Nothing more will come: everything that waits is written."""
        chunks: list[Chunk] = []
        if self._source is not None:
            self._emit(self._source, now + 2 * REORDER_S, chunks)
        return chunks

    def fraction_lost(self) -> int:
        """Loss since the last call in 1/256 (RFC 3550 6.4.1)."""
        source = self._source
        if source is None:
            return 0
        expected, received = source.highest - source.base + 1, source.received
        before_expected, before_received = self._reported
        self._reported = (expected, received)
        interval = expected - before_expected
        missing = interval - (received - before_received)
        return 0 if interval <= 0 or missing <= 0 else min(255, (missing << 8) // interval)

    def _open(self, data: bytes) -> RtpPacket | None:
        if self.unprotect is not None:
            try:
                data = self.unprotect(data)
            except ValueError:
                self.books.auth_failed += 1
                return None
        packet = parse_rtp(data)
        if packet is None:
            self.books.malformed += 1
        return packet

    def _accept(self, packet: RtpPacket, arrival: float, chunks: list[Chunk]) -> None:
        if packet.payload_type not in self._formats:
            self.books.other_format += 1
            return
        source = self._source
        if source is None or source.ssrc != packet.ssrc:
            source = self._new_source(packet, arrival, chunks)
        extended = _extend(source, packet.sequence)
        if extended is None:
            if source.stray != packet.sequence:
                source.stray = (packet.sequence + 1) & 0xFFFF
                return
            source = self._new_source(packet, arrival, chunks)
            extended = source.base
        if not self._is_new(source, extended):
            return
        self._count(source, packet, extended, arrival)
        if extended < source.next:
            self.books.late += 1
        else:
            heapq.heappush(source.pending, (extended, arrival, packet))
            if extended == source.next:
                self._emit(source, arrival, chunks)

    def _new_source(self, packet: RtpPacket, arrival: float, chunks: list[Chunk]) -> _Source:
        if self._source is not None:
            self._emit(self._source, arrival + 2 * REORDER_S, chunks)
            self._finished_lost = self.books.lost
        first = packet.sequence + 0x10000
        self._source = _Source(packet.ssrc, base=first, highest=first, next=first)
        self._reported = (0, 0)
        if packet.ssrc not in self.books.sources:
            self.books.sources.append(packet.ssrc)
        return self._source

    def _is_new(self, source: _Source, extended: int) -> bool:
        if extended in source.known:
            self.books.duplicates += 1
            return False
        source.known[extended] = None
        if len(source.known) > REMEMBERED:
            source.known.popitem(last=False)
        return True

    def _count(self, source: _Source, packet: RtpPacket, extended: int, arrival: float) -> None:
        books = self.books
        if extended < source.highest:
            books.reordered += 1
            source.base = min(source.base, extended)
        source.highest = max(source.highest, extended)
        source.received += 1
        books.received += 1
        books.octets += len(packet.payload)
        books.lost = self._finished_lost + max(0, source.highest - source.base + 1 - source.received)
        transit = arrival * RATE_HZ - packet.timestamp
        if source.transit is not None:
            difference = abs(transit - source.transit) % 2**32
            change_ms = min(difference, 2**32 - difference) * 1000 / RATE_HZ
            books.jitter_ms += (change_ms - books.jitter_ms) / 16
        source.transit = transit

    def _emit(self, source: _Source, now: float, chunks: list[Chunk]) -> None:
        """Write what follows on, and what waited too long for its predecessors."""
        while source.pending:
            extended, arrival, packet = source.pending[0]
            if extended > source.next and now - arrival < REORDER_S:
                return
            heapq.heappop(source.pending)
            self._write(source, packet, extended - source.next, arrival, chunks)
            source.next = extended + 1

    def _write(
        self, source: _Source, packet: RtpPacket, missing: int, arrival: float, chunks: list[Chunk]
    ) -> None:
        encoding = self._formats.get(packet.payload_type, "")
        if encoding not in ("PCMU", "PCMA") or not packet.payload:
            self.books.events += 1
            return
        by_arrival = max(0, round((arrival - self._started) * RATE_HZ))
        if source.time is None:
            position, hole = by_arrival, 0
        else:
            step = _signed(packet.timestamp - source.time[0])
            position = source.time[1] + step
            hole = max(0, min(step, missing * source.octets))
            if abs(position - by_arrival) > MAX_DRIFT_S * RATE_HZ:
                position = max(source.time[1], by_arrival)
        length = len(packet.payload)
        source.time = ((packet.timestamp + length) & 0xFFFFFFFF, position + length)
        source.octets = length
        chunks.append(Chunk(encoding, position, hole, packet.payload))


def join(chunks: Iterable[Chunk]) -> list[Chunk]:
    """Neighbours in time and codec as one, so that files are written in few pieces."""
    joined: list[tuple[Chunk, list[bytes], int]] = []
    for chunk in chunks:
        if joined:
            first, payloads, end = joined[-1]
            if chunk.encoding == first.encoding and chunk.position == end and not chunk.hole:
                payloads.append(chunk.payload)
                joined[-1] = (first, payloads, end + len(chunk.payload))
                continue
        joined.append((chunk, [chunk.payload], chunk.position + len(chunk.payload)))
    return [dataclasses.replace(first, payload=b"".join(payloads)) for first, payloads, _ in joined]


def _extend(source: _Source, sequence: int) -> int | None:
    """The extended sequence number, or None when it is too far off to belong to this source."""
    ahead = (sequence - source.highest) & 0xFFFF
    if ahead < MAX_DROPOUT:
        return source.highest + ahead
    behind = 0x10000 - ahead
    return source.highest - behind if behind < MAX_DROPOUT else None


def _signed(difference: int) -> int:
    return (difference + 0x80000000) % 0x100000000 - 0x80000000
