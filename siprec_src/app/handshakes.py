"""DTLS-SRTP handshakes with SRSs, between the engine and the control process (RFC 5763, RFC 5764).

Control attaches a reader and says who its SRS must be; the engine gets that command only with the keys that
the handshake has made, which never leave this process. Commands and messages in, commands and answers out;
what it costs is bounded by the engine, which hands over so much DTLS and no more.
"""

from __future__ import annotations

import dataclasses
import heapq
import ipaddress
from collections import deque
from collections.abc import Iterable
from typing import Final

from siprec_src.app.dtls import Association, Identity, Keys
from siprec_src.media import plane
from siprec_src.media.handshake import DtlsReceived, SendDtls
from siprec_src.media.model import Endpoint, PortId, SrtpKey

HANDSHAKE_S: Final = 10.0  #: three retransmissions (RFC 6347 4.2.4.1), then it has failed
LINGER_S: Final = 15.0  #: for a peer that has not got our last flight and asks for it again
MAX_EARLY: Final = 4  #: datagrams of a port that wait for the SRS's answer (RFC 5763 5)

Effect = plane.Command | SendDtls | plane.Answer
_Place = tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]


@dataclasses.dataclass(slots=True)
class _Flow:
    """One association, of RTP or of RTCP (RFC 5764 3)."""

    association: Association
    remote: Endpoint
    place: _Place  #: the same, however it is spelled


@dataclasses.dataclass(slots=True)
class _Port:
    """A port towards an SRS that speaks DTLS."""

    agreed: tuple[object, Keys] | None = None  #: by which association the keys were made
    early: deque[DtlsReceived] = dataclasses.field(default_factory=lambda: deque(maxlen=MAX_EARLY))
    flows: dict[bool, _Flow] = dataclasses.field(default_factory=dict)  #: by whether it is that of RTCP
    pending: plane.AttachReader | None = None  #: waits for its keys
    until: float = 0.0  #: when the handshake has failed, or nobody will ask for its last flight again
    due: float = 0.0  #: when something is to be done next; older dates count no more


class Handshakes:
    """The handshakes of one media process.

    Those of a process before, and the certificate that its SRSs know, have died with it: where keys would be
    made on a port of its time, the SRS has to be offered a new session.
    """

    def __init__(self, left: Iterable[PortId] = ()) -> None:
        """``left``: the ports that a process before has opened."""
        self._left = frozenset(left)
        self._identity: Identity | None = None
        self._opening: set[int] = set()
        self._ports: dict[PortId, _Port] = {}
        self._due: list[tuple[float, PortId]] = []

    @property
    def deadline(self) -> float | None:
        return self._due[0][0] if self._due else None

    def command(self, command: plane.Command, now: float) -> list[Effect]:
        """What becomes of a command of control."""
        match command:
            case plane.OpenPorts(dtls=True, tag=tag):
                self._opening.add(tag)
            case plane.AttachReader(dtls=peer) if peer is not None:
                return self._begin(command, now)
            case plane.ClosePorts(ports=ports):
                return [*self._forget(ports), command]
            case _:
                pass
        return [command]

    def answer(self, answer: plane.Answer) -> plane.Answer:
        """Add to the answer for new ports by which certificate we are known there."""
        if answer.tag not in self._opening:
            return answer
        self._opening.discard(answer.tag)
        if not isinstance(answer, plane.PortsOpen):
            return answer
        self._ports.update((port.port, _Port()) for port in answer.ports)
        return dataclasses.replace(answer, fingerprint=self._known_as.fingerprint)

    def received(self, datagram: DtlsReceived, now: float) -> list[Effect]:
        """Take a datagram; what comes before the SRS's answer waits for it (RFC 5763 5)."""
        port = self._ports.get(datagram.port)
        if port is None:
            return []
        if not port.flows:
            port.early.append(datagram)
            return []
        flow = port.flows.get(datagram.rtcp)
        if flow is None or flow.place != _place(datagram.source):
            return []
        replies = flow.association.receive(datagram.data)
        return [*_sends(datagram.port, datagram.rtcp, flow, replies), *self._look(datagram.port, port, now)]

    def wake(self, now: float) -> list[Effect]:
        """Send again what is due, and give up what has lasted too long."""
        effects: list[Effect] = []
        while self._due and self._due[0][0] <= now:
            due, port_id = heapq.heappop(self._due)
            port = self._ports.get(port_id)
            if port is None or port.due != due:
                continue
            if now >= port.until:
                effects += self._fail(port, "no answer to the handshake")
                port.flows.clear()
                continue
            for rtcp, flow in port.flows.items():
                effects += _sends(port_id, rtcp, flow, flow.association.retransmit())
            effects += self._look(port_id, port, now)
        return effects

    @property
    def _known_as(self) -> Identity:
        if self._identity is None:
            self._identity = Identity()
        return self._identity

    def _begin(self, command: plane.AttachReader, now: float) -> list[Effect]:
        port = self._ports.get(command.via)
        if port is None and command.via in self._left:
            return [plane.Refused(tag=command.tag, reason="dtls-lost")]
        if port is None or command.dtls is None:
            return [plane.Refused(tag=command.tag, reason="gone")]
        if port.agreed is not None and port.agreed[0] == _association(command):
            return [_keyed(command, port.agreed[1])]
        try:
            port.flows = {
                rtcp: _Flow(Association(self._known_as, command.dtls), remote, _place(remote))
                for rtcp, remote in _remotes(command).items()
            }
        except ValueError as error:
            return [plane.Refused(tag=command.tag, reason="bad-argument", detail=str(error))]
        effects = self._fail(port, "another reader takes its place")
        port.pending = command
        port.until = now + HANDSHAKE_S
        for rtcp, flow in port.flows.items():
            effects += _sends(command.via, rtcp, flow, flow.association.begin())
        early, port.early = port.early, deque(maxlen=MAX_EARLY)
        for datagram in early:
            effects += self.received(datagram, now)
        return effects + self._look(command.via, port, now)

    def _look(self, port_id: PortId, port: _Port, now: float) -> list[Effect]:
        """Go on with the reader that waits, once all its handshakes have ended, and see what is due next."""
        associations = [flow.association for flow in port.flows.values()]
        failure = next((one.failure for one in associations if one.failure), "")
        effects: list[Effect] = []
        if port.pending is not None and failure:
            effects += self._fail(port, failure)
        elif port.pending is not None and all(one.keys is not None for one in associations):
            effects += self._attach(port)
            port.until = now + LINGER_S
        timeouts = [one.timeout_s for one in associations]
        port.due = min([port.until, *(now + timeout_s for timeout_s in timeouts if timeout_s is not None)])
        heapq.heappush(self._due, (port.due, port_id))
        return effects

    def _attach(self, port: _Port) -> list[Effect]:
        command, port.pending = port.pending, None
        rtp = port.flows[False].association.keys
        rtcp = port.flows[True].association.keys if True in port.flows else rtp
        if command is None or rtp is None or rtcp is None:
            return []
        if rtp.send.suite != rtcp.send.suite:
            return [_refused(command, "RTP and RTCP agreed on different SRTP profiles")]
        apart = True in port.flows
        keys = Keys(_joined(rtp.send, rtcp.send), _joined(rtp.receive, rtcp.receive)) if apart else rtp
        port.agreed = (_association(command), keys)
        return [_keyed(command, keys)]

    def _fail(self, port: _Port, why: str) -> list[Effect]:
        command, port.pending = port.pending, None
        return [] if command is None else [_refused(command, why)]

    def _forget(self, ports: Iterable[PortId]) -> list[Effect]:
        """The ports close, and what waits on them is not attached any more."""
        gone = [port for port_id in ports if (port := self._ports.pop(port_id, None)) is not None]
        return [effect for port in gone for effect in self._fail(port, "the port was closed")]


def _remotes(command: plane.AttachReader) -> dict[bool, Endpoint]:
    """The other ends of the 5-tuples, each with an association of its own, by whether it is RTCP's."""
    if command.rtcp_mux:
        return {False: command.remote}
    next_port = Endpoint(command.remote.host, command.remote.port + 1)
    return {False: command.remote, True: command.remote_rtcp or next_port}


def _place(endpoint: Endpoint) -> _Place:
    return ipaddress.ip_address(endpoint.host), endpoint.port


def _association(command: plane.AttachReader) -> object:
    return _remotes(command), command.dtls.association if command.dtls is not None else ""


def _keyed(command: plane.AttachReader, keys: Keys) -> plane.AttachReader:
    return dataclasses.replace(command, dtls=None, send_key=keys.send, receive_key=keys.receive)


def _joined(rtp: SrtpKey, rtcp: SrtpKey) -> SrtpKey:
    return dataclasses.replace(rtp, rtcp_material=rtcp.material)


def _refused(command: plane.AttachReader, why: str) -> plane.Refused:
    return plane.Refused(tag=command.tag, reason="dtls-failed", detail=why)


def _sends(port: PortId, rtcp: bool, flow: _Flow, datagrams: Iterable[bytes]) -> list[Effect]:
    return [SendDtls(tag=0, port=port, rtcp=rtcp, to=flow.remote, data=data) for data in datagrams]
