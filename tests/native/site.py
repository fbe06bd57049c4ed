"""Where an engine is, and where its parties are: one suite of tests runs on every way of moving packets."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from siprec_src.media.engine import Engine
from siprec_src.media.model import MediaIo
from siprec_src.media.plane import BridgePorts, ClosePorts, ConnectPort
from tests.native.engine_support import LOW, WAIT_S, Call, Peer, Plane, rtp
from tests.support import bpffs, capabilities
from tests.support.namespaces import Wire

ENGINES = (MediaIo.SOCKETS, MediaIo.PACKET, MediaIo.BPF)
"""Every way there is. Each but sockets needs an Ethernet to show itself, for loopback is left to sockets."""

_WARM_PORTS = (20000, 20099)


class Site:
    """The near end of a wire for the engine and the far end for the parties, or loopback for all."""

    def __init__(self, io: MediaIo, wire: Wire | None = None) -> None:
        self.io = io
        self._wire = wire

    def entered(self) -> contextlib.AbstractContextManager[None]:
        """The test's thread is where the engine is; on loopback without capabilities: sockets need none."""
        return self._wire.inside() if self._wire else capabilities.dropped()

    def host(self, family: socket.AddressFamily = socket.AF_INET) -> str:
        """The engine's address."""
        if self._wire is None:
            return "127.0.0.1" if family == socket.AF_INET else "::1"
        return self._wire.near_host if family == socket.AF_INET else self._wire.near_host6

    def peer(self, family: socket.AddressFamily = socket.AF_INET) -> Peer:
        """A party of a call, or an SRS."""
        if self._wire is None:
            return Peer(family, self.host(family), self.host(family))
        far = self._wire.far_host if family == socket.AF_INET else self._wire.far_host6
        with self._wire.inside(far=True):
            return Peer(family, far, self.host(family))

    @contextlib.contextmanager
    def engine(self, **options: Any) -> Iterator[Engine]:
        """An engine that knows the way to the parties: from its first packet on it goes by its own I/O."""
        with bpffs.built():
            engine = Engine(io=self.io, **{"threads": 1, "port_rest_ms": 0, **options})
        try:
            if self.io is not MediaIo.SOCKETS:
                self._warm(engine)
            yield engine
        finally:
            engine.close()

    def plane(self, engine: Engine, low: int = LOW, high: int = LOW + 999) -> Plane:
        return Plane(engine, low, high, host=self.host())

    def call(self, plane: Plane, family: socket.AddressFamily = socket.AF_INET, *, bind: str = "") -> Call:
        """Two parties whose media is bridged, and an SRS; ``bind``: what the engine is to bind."""
        caller, callee, srs = (self.peer(family) for _ in range(3))
        a, b, via = plane.open(3, bind or self.host(family))
        call = Call(self.peer, plane, caller, callee, srs, a, b, via)
        call.connect(a, caller)
        call.connect(b, callee)
        plane.do(BridgePorts(tag=plane.next_tag(), a=a.port, b=b.port))
        return call

    def sent_by_sockets(self) -> int:
        """Datagrams that sockets on the engine's side have ever sent (RFC 4113 udpOutDatagrams)."""
        four, six = (Path("/proc/thread-self/net", name).read_text() for name in ("snmp", "snmp6"))
        table = re.search(r"^Udp: (\D+)\nUdp: (.*)$", four, re.MULTILINE)
        of_six = re.search(r"^Udp6OutDatagrams\s+(\d+)$", six, re.MULTILINE)
        assert table
        assert of_six
        values = dict(zip(table[1].split(), table[2].split(), strict=True))
        return int(values["OutDatagrams"]) + int(of_six[1])

    def _warm(self, engine: Engine) -> None:
        """Let each thread relay until no socket sends any of it."""
        plane, speaker, hearer = self.plane(engine, *_WARM_PORTS), self.peer(), self.peer()
        pairs = [plane.open(2) for _ in engine.stats()]  # each on the thread that has the fewest
        for one, other in pairs:
            for port, peer in ((one, speaker), (other, hearer)):
                plane.do(ConnectPort(tag=plane.next_tag(), port=port.port, remote=peer.endpoint))
            plane.do(BridgePorts(tag=plane.next_tag(), a=one.port, b=other.port))
        for _ in plane.rounds(WAIT_S):
            before = self.sent_by_sockets()
            for one, _other in pairs:
                speaker.send(rtp(0), one)
                hearer.receive()
            if self.sent_by_sockets() == before:
                break
        plane.ask(ClosePorts(tag=plane.next_tag(), ports=tuple(p.port for pair in pairs for p in pair)))
        engine.drain()
        speaker.close()
        hearer.close()
