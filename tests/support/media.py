"""A media plane without media: answers every command at once, with ids that count up.

`answer` performs one command and returns its answer; `submit` is the same by the door of `MediaPlane`,
the answers wait in `answers`. What the engine would hold can be looked at in `ports` and `readers`.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import assert_never

from siprec_src.media import plane
from siprec_src.media.model import Endpoint, PortCounters, PortId, ReaderCounters, ReaderId

FINGERPRINT = "sha-256 " + ":".join(["AA"] * 32)  #: of the certificate that it would have


def attach_reader(tag: int, stream: PortId, via: PortId) -> plane.AttachReader:
    """A copy of ``stream`` as PCMU to one SRS, without protection."""
    return plane.AttachReader(
        tag=tag,
        stream=stream,
        via=via,
        remote=Endpoint("127.0.0.1", 4000),
        ssrc=1,
        cname="x",
        first_sequence=0,
        first_timestamp=0,
        payload_types=((0, 0),),
    )


@dataclasses.dataclass(slots=True, kw_only=True)
class FakePort:
    """One RTP/RTCP pair as the engine would hold it."""

    port: PortId
    host: str
    rtp_port: int
    near: PortId | None
    tone: plane.PlayTone | None = None  #: what its party hears
    connection: plane.ConnectPort | None = None  #: what was said last about its party
    bridged: PortId | None = None
    counters: PortCounters = dataclasses.field(default_factory=PortCounters)


@dataclasses.dataclass(slots=True, kw_only=True)
class FakeReader:
    """One reader as the engine would hold it."""

    reader: ReaderId
    attached: plane.AttachReader
    updated: plane.UpdateReader | None = None
    live: bool
    counters: ReaderCounters = dataclasses.field(default_factory=ReaderCounters)


class FakeMedia:
    """`MediaPlane` of the unit and flow tests."""

    def __init__(self) -> None:
        self.commands: list[plane.Command] = []  #: everything that was submitted, in order
        self.answers: deque[plane.Answer] = deque()  #: of `submit`, not yet taken
        self.ports: dict[PortId, FakePort] = {}
        self.readers: dict[ReaderId, FakeReader] = {}
        self.down = False
        self._refusals: deque[tuple[type[plane.Command], str]] = deque()
        self._last_id = 0

    @property
    def connections(self) -> list[plane.ConnectPort]:
        """What was said last of each port's party, in the order of the ports."""
        return [port.connection for port in self.ports.values() if port.connection is not None]

    def refuse(self, command: type[plane.Command], reason: str) -> None:
        """Refuse the next command of that class with ``reason``; may be called more than once."""
        self._refusals.append((command, reason))

    def lose(self) -> plane.MediaDown:
        """The media process dies: every id is void and every command is refused. Returns what is told."""
        self.down = True
        self.ports.clear()
        self.readers.clear()
        return plane.MediaDown()

    def serve(self) -> plane.MediaUp:
        """A new media process serves. Returns what is told."""
        self.down = False
        return plane.MediaUp()

    def submit(self, command: plane.Command) -> None:
        self.answers.append(self.answer(command))

    def drain(self) -> list[plane.Answer]:
        """Take every answer that waits."""
        taken = list(self.answers)
        self.answers.clear()
        return taken

    def answer(self, command: plane.Command) -> plane.Answer:
        """Perform ``command`` and return its answer."""
        self.commands.append(command)
        if self.down:
            return plane.Refused(tag=command.tag, reason="media-down")
        for index, (kind, reason) in enumerate(self._refusals):
            if isinstance(command, kind):
                del self._refusals[index]
                return plane.Refused(tag=command.tag, reason=reason)
        return self._perform(command)

    def _perform(self, command: plane.Command) -> plane.Answer:
        match command:
            case plane.OpenPorts():
                return self._open(command)
            case plane.ConnectPort():
                return self._connect(command)
            case plane.BridgePorts():
                return self._bridge(command)
            case plane.PlayTone():
                return self._tone(command)
            case plane.Announce():
                return plane.Done(tag=command.tag) if command.port in self.ports else _gone(command.tag)
            case plane.ClosePorts():
                return self._close(command)
            case plane.ResumePorts():
                there = self.ports.keys() >= set(command.ports) and self.readers.keys() >= set(
                    command.readers
                )
                return plane.Done(tag=command.tag) if there else _gone(command.tag)
            case plane.AttachReader():
                return self._attach(command)
            case plane.UpdateReader() | plane.SetReaderLive():
                return self._change(command)
            case plane.DetachReader():
                return self._detach(command)
            case plane.ReadCounters():
                return self._read(command)
            case _:
                assert_never(command)

    def _open(self, command: plane.OpenPorts) -> plane.Answer:
        if command.near is not None and command.near not in self.ports:
            return _gone(command.tag)
        taken = {(port.host, port.rtp_port) for port in self.ports.values()}
        first = command.low + command.low % 2
        free = [p for p in range(first, command.high, 2) if (command.host, p) not in taken][: command.count]
        if len(free) < command.count:
            return plane.Refused(tag=command.tag, reason="ports-exhausted")
        opened = tuple(plane.OpenPort(port=PortId(self._next()), rtp_port=number) for number in free)
        for new in opened:
            self.ports[new.port] = FakePort(
                port=new.port, host=command.host, rtp_port=new.rtp_port, near=command.near
            )
        fingerprint = FINGERPRINT if command.dtls else ""
        return plane.PortsOpen(tag=command.tag, ports=opened, fingerprint=fingerprint)

    def _connect(self, command: plane.ConnectPort) -> plane.Answer:
        if command.port not in self.ports:
            return _gone(command.tag)
        self.ports[command.port].connection = command
        return plane.Done(tag=command.tag)

    def _tone(self, command: plane.PlayTone) -> plane.Answer:
        if command.port not in self.ports:
            return _gone(command.tag)
        self.ports[command.port].tone = None if command.tone is None else command
        return plane.Done(tag=command.tag)

    def _bridge(self, command: plane.BridgePorts) -> plane.Answer:
        if command.a not in self.ports or command.b not in self.ports:
            return _gone(command.tag)
        self.ports[command.a].bridged = command.b
        self.ports[command.b].bridged = command.a
        return plane.Done(tag=command.tag)

    def _close(self, command: plane.ClosePorts) -> plane.Answer:
        closed = [self.ports.pop(port) for port in command.ports if port in self.ports]
        gone = {port.port for port in closed}
        for port in self.ports.values():
            if port.bridged in gone:
                port.bridged = None
        for reader in list(self.readers.values()):
            if reader.attached.stream in gone or reader.attached.via in gone:
                del self.readers[reader.reader]
        return plane.PortsClosed(tag=command.tag, counters=tuple((p.port, p.counters) for p in closed))

    def _attach(self, command: plane.AttachReader) -> plane.Answer:
        if command.stream not in self.ports or command.via not in self.ports:
            return _gone(command.tag)
        reader = FakeReader(reader=ReaderId(self._next()), attached=command, live=command.live)
        self.readers[reader.reader] = reader
        return plane.ReaderAttached(tag=command.tag, reader=reader.reader)

    def _change(self, command: plane.UpdateReader | plane.SetReaderLive) -> plane.Answer:
        reader = self.readers.get(command.reader)
        if reader is None:
            return _gone(command.tag)
        if isinstance(command, plane.UpdateReader):
            reader.updated = command
        else:
            reader.live = command.live
        return plane.Done(tag=command.tag)

    def _detach(self, command: plane.DetachReader) -> plane.Answer:
        reader = self.readers.pop(command.reader, None)
        if reader is None:
            return _gone(command.tag)
        return plane.ReaderDetached(tag=command.tag, reader=reader.reader, counters=reader.counters)

    def _read(self, command: plane.ReadCounters) -> plane.Answer:
        return plane.Counters(
            tag=command.tag,
            ports=tuple((p, self.ports[p].counters) for p in command.ports if p in self.ports),
            readers=tuple((r, self.readers[r].counters) for r in command.readers if r in self.readers),
        )

    def _next(self) -> int:
        self._last_id += 1
        return self._last_id


def _gone(tag: int) -> plane.Refused:
    return plane.Refused(tag=tag, reason="gone")
