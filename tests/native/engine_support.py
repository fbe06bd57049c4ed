"""An engine in this process, with parties and SRSs that are plain sockets. Waits are bounded, none sleeps."""

from __future__ import annotations

import dataclasses
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from siprec_src.media.engine import Engine
from siprec_src.media.handshake import DtlsReceived, SendDtls
from siprec_src.media.model import Endpoint, PortCounters, PortId, ReaderCounters, ReaderId
from siprec_src.media.plane import (
    Answer,
    AttachReader,
    Command,
    ConnectPort,
    Counters,
    Done,
    Event,
    OpenPort,
    OpenPorts,
    PortsOpen,
    ReadCounters,
    ReaderAttached,
)
from tests.support.ports import media_ports

HOST = "127.0.0.1"
LOW = media_ports()[0]  #: of the ports that are this process's, on whatever host
WAIT_S = 30.0
QUIET_S = 0.05  #: long enough for loopback to bring what was sent

_T = TypeVar("_T")


def rtp(
    sequence: int,
    timestamp: int = 0,
    *,
    ssrc: int = 0x11223344,
    payload_type: int = 0,
    marker: bool = False,
    payload: bytes = b"\xd5" * 160,
) -> bytes:
    """One RTP packet without CSRC, extension or padding (RFC 3550 5.1)."""
    second = payload_type | (0x80 if marker else 0)
    return struct.pack("!BBHII", 0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


@dataclasses.dataclass(frozen=True, slots=True)
class Header:
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def read_rtp(packet: bytes) -> Header:
    first, second, sequence, timestamp, ssrc = struct.unpack("!BBHII", packet[:12])
    assert first == 0x80
    return Header(second & 0x7F, bool(second & 0x80), sequence, timestamp, ssrc, packet[12:])


class Peer:
    """An RTP socket and an RTCP socket on the next port: a party of a call, or an SRS."""

    def __init__(self, family: socket.AddressFamily, host: str, engine_host: str) -> None:
        self.host = host
        self._engine_host = engine_host
        for _ in range(100):
            self.rtp = socket.socket(family, socket.SOCK_DGRAM)
            self.rtcp = socket.socket(family, socket.SOCK_DGRAM)
            self.rtp.bind((self.host, 0))
            try:
                self.rtcp.bind((self.host, self.rtp.getsockname()[1] + 1))
            except (OSError, OverflowError):
                self.close()
                continue
            return
        raise AssertionError("no pair of free ports")

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.host, self.rtp.getsockname()[1])

    def send(self, packet: bytes, port: OpenPort) -> None:
        self.rtp.sendto(packet, (self._engine_host, port.rtp_port))

    def send_rtcp(self, packet: bytes, port: OpenPort) -> None:
        self.rtcp.sendto(packet, (self._engine_host, port.rtp_port + 1))

    def receive(self, wait_s: float = WAIT_S) -> bytes:
        return _receive(self.rtp, wait_s)[0]

    def receive_from(self) -> tuple[bytes, int]:
        return _receive(self.rtp, WAIT_S)

    def receive_rtcp(self, wait_s: float = WAIT_S) -> bytes:
        return self.receive_rtcp_from(wait_s)[0]

    def receive_rtcp_from(self, wait_s: float = WAIT_S) -> tuple[bytes, int]:
        return _receive(self.rtcp, wait_s)

    def is_quiet(self) -> bool:
        return not select.select([self.rtp, self.rtcp], [], [], QUIET_S)[0]

    def hear_out(self) -> None:
        """Until nothing more comes."""
        while not self.is_quiet():
            for sock in select.select([self.rtp, self.rtcp], [], [], 0)[0]:
                sock.recv(4096)

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


def _receive(sock: socket.socket, wait_s: float) -> tuple[bytes, int]:
    if not select.select([sock], [], [], wait_s)[0]:
        raise AssertionError(f"nothing was received within {wait_s} s")
    data, source = sock.recvfrom(4096)
    return data, source[1]


class Plane:
    """Commands with their answers, and the events that came meanwhile."""

    def __init__(self, engine: Engine, low: int = LOW, high: int = LOW + 999, *, host: str = HOST) -> None:
        self.engine = engine
        self.host = host
        self.events: list[Event | DtlsReceived] = []
        self._answers: dict[int, Answer] = {}
        self._tag = 0
        self._range = (low, high)

    def next_tag(self) -> int:
        self._tag += 1
        return self._tag

    def ask(self, command: Command | SendDtls) -> Answer:
        self.engine.submit(command)
        self._until(lambda: command.tag in self._answers)
        return self._answers.pop(command.tag)

    def do(self, command: Command | SendDtls) -> None:
        assert self.ask(command) == Done(tag=command.tag)

    def event(self, kind: type[_T], wait_s: float = WAIT_S) -> _T:
        """Take the oldest event of this kind, waiting for it."""
        self._until(lambda: any(isinstance(event, kind) for event in self.events), wait_s)
        found = next(event for event in self.events if isinstance(event, kind))
        self.events.remove(found)
        return found

    def open(self, count: int, host: str = "", *, dtls: bool = False) -> tuple[OpenPort, ...]:
        low, high = self._range
        host = host or self.host
        answer = self.ask(
            OpenPorts(tag=self.next_tag(), host=host, low=low, high=high, count=count, dtls=dtls)
        )
        assert isinstance(answer, PortsOpen)
        return answer.ports

    def open_near(self, near: OpenPort) -> OpenPort:
        """A port that the same thread serves."""
        low, high = self._range
        host, tag = self.host, self.next_tag()
        answer = self.ask(OpenPorts(tag=tag, host=host, low=low, high=high, count=1, near=near.port))
        assert isinstance(answer, PortsOpen)
        return answer.ports[0]

    def port_counters(self, port: OpenPort) -> PortCounters:
        answer = self.ask(ReadCounters(tag=self.next_tag(), ports=(port.port,)))
        assert isinstance(answer, Counters)
        return dict(answer.ports)[port.port]

    def reader_counters(self, reader: ReaderId) -> ReaderCounters:
        answer = self.ask(ReadCounters(tag=self.next_tag(), readers=(reader,)))
        assert isinstance(answer, Counters)
        return dict(answer.readers)[reader]

    def until_received(self, port: OpenPort, count: int) -> PortCounters:
        """The port's books once ``count`` RTP packets are in them."""
        for _ in self.rounds(WAIT_S):
            counters = self.port_counters(port)
            if counters.received >= count:
                return counters
        raise AssertionError(f"{count} packets were not received")

    def until(self, truth: Callable[[], bool]) -> None:
        """Ask again and again until something is true."""
        for _ in self.rounds(WAIT_S):
            if truth():
                return
        raise AssertionError("it did not become true")

    def _until(self, truth: Callable[[], bool], wait_s: float = WAIT_S) -> None:
        for _ in self.rounds(wait_s):
            if truth():
                return
            select.select([self.engine], [], [], 0.1)
            self._drain()
        raise AssertionError(f"the engine said nothing of it within {wait_s} s")

    @staticmethod
    def rounds(wait_s: float) -> Iterator[None]:
        """Again and again until the time is over."""
        deadline_s = time.monotonic() + wait_s
        while time.monotonic() < deadline_s:
            yield

    def _drain(self) -> None:
        for message in self.engine.drain():
            tag: int | None = getattr(message, "tag", None)
            if tag is None:
                self.events.append(message)  # type: ignore[arg-type]
            else:
                assert tag not in self._answers, "answered twice"
                self._answers[tag] = message  # type: ignore[assignment]


@dataclasses.dataclass(slots=True)
class Call:
    """Two parties whose media is bridged, and an SRS with a port to reach it from."""

    peer: Callable[[], Peer]  #: one more, where these are
    plane: Plane
    caller: Peer
    callee: Peer
    srs: Peer
    caller_port: OpenPort
    callee_port: OpenPort
    via: OpenPort

    def connect(self, port: OpenPort, peer: Peer, **changes: object) -> None:
        command = ConnectPort(tag=self.plane.next_tag(), port=port.port, remote=peer.endpoint)
        self.plane.do(dataclasses.replace(command, **changes))  # type: ignore[arg-type]

    def reader_command(self, **changes: object) -> AttachReader:
        command = AttachReader(
            tag=self.plane.next_tag(),
            stream=self.caller_port.port,
            via=self.via.port,
            remote=self.srs.endpoint,
            ssrc=0xABCDEF01,
            cname="Y2FsbGVy",
            first_sequence=500,
            first_timestamp=90000,
            payload_types=((0, 0),),
            live=True,
        )
        return dataclasses.replace(command, **changes)  # type: ignore[arg-type]

    def attach(self, **changes: object) -> ReaderId:
        answer = self.plane.ask(self.reader_command(**changes))
        assert isinstance(answer, ReaderAttached)
        return answer.reader

    @property
    def ports(self) -> tuple[PortId, ...]:
        return (self.caller_port.port, self.callee_port.port, self.via.port)

    def close(self) -> None:
        for peer in (self.caller, self.callee, self.srs):
            peer.close()
