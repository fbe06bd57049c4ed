"""The SIP transport layer (RFC 3261 18): every socket of every edge behind one door.

Bytes come in, whole messages go to `on_received`, broken ones to `on_malformed`; `send` takes what the user
agent wants on the wire and reports certain failures by key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from siprec_src.net.counters import TransportCounters
from siprec_src.net.sockets import BindError, bind_udp, bound_address
from siprec_src.net.tcp import StreamItem, StreamLimits, StreamPool
from siprec_src.net.tls import TlsLayer
from siprec_src.net.udp import UdpEndpoint
from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.limits import SipLimits
from siprec_src.sip.parser import Malformed, parse_datagram
from siprec_src.sip.vocabulary import FlowFailed, KeepFlow, Received, Transmit, TransmitFailed

BIND_TRIES: Final = 16  #: when the port is left to the system, until UDP and TCP share one


class SipTransport:
    """All SIP sockets of a process."""

    def __init__(
        self,
        edges: Mapping[str, Edge],
        *,
        on_received: Callable[[Received], None],
        on_malformed: Callable[[Malformed, Flow], None],
        on_failed: Callable[[TransmitFailed | FlowFailed], None],
        parser_limits: SipLimits | None = None,
        stream_limits: StreamLimits | None = None,
        tls: TlsLayer | None = None,
    ) -> None:
        """``tls`` is needed where an edge has TLS among its transports."""
        self.counters: Final = TransportCounters()
        self._edges = dict(edges)
        self._on_received = on_received
        self._on_malformed = on_malformed
        self._on_failed = on_failed
        self._parser_limits = parser_limits or SipLimits()
        self._stream_limits = stream_limits or StreamLimits()
        self._tls = tls
        self._udp: dict[str, UdpEndpoint] = {}
        self._streams: dict[tuple[str, Transport], StreamPool] = {}

    def bind(self) -> dict[str, Edge]:
        """Take every address; all or nothing. Nothing is received before `start`.

        Returns the edges with the ports that the system gave where the configuration says 0.

        Raises:
            BindError: an address is in use, not ours or not permitted; nothing stays bound.
        """
        try:
            for name, edge in self._edges.items():
                self._edges[name] = self._bind(edge)
        except BindError:
            self._close_endpoints()
            raise
        return dict(self._edges)

    async def start(self) -> None:
        """Begin to receive on everything that `bind` took."""
        for endpoint in self._udp.values():
            endpoint.start()
        for pool in self._streams.values():
            await pool.start()

    def send(self, transmit: Transmit) -> None:
        """Put the octets on the wire or into a connection's bounded buffer; never waits."""
        flow = transmit.flow
        if flow.transport is Transport.UDP:
            endpoint = self._udp.get(flow.edge)
            if endpoint is not None:
                endpoint.send(transmit.data, flow.remote, transmit.key)
                return
        else:
            pool = self._streams.get((flow.edge, flow.transport))
            if pool is not None:
                pool.send(flow, transmit.data, transmit.key)
                return
        self.counters.dropped["no-such-transport"] += 1
        self._failed(transmit.key)

    def keep(self, wanted: KeepFlow) -> None:
        """Begin or cease to ping the connection of a flow; `FlowFailed` follows when it is gone."""
        pool = self._streams.get((wanted.flow.edge, wanted.flow.transport))
        if pool is not None:
            pool.keep(wanted.flow, wanted.interval_s)

    @property
    def overrun(self) -> int:
        """Datagrams that came faster than they were read, on all sockets."""
        return sum(endpoint.overrun for endpoint in self._udp.values())

    async def close(self) -> None:
        """Close every socket; what is buffered on streams is flushed by the system as far as it goes."""
        for pool in self._streams.values():
            await pool.close()
        self._close_endpoints()

    def _close_endpoints(self) -> None:
        for endpoint in self._udp.values():
            endpoint.close_socket()
        for pool in self._streams.values():
            pool.close_socket()
        self._udp.clear()
        self._streams.clear()

    def _bind(self, edge: Edge) -> Edge:
        tries = BIND_TRIES if edge.sip_bind.port == 0 and len(edge.transports) > 1 else 1
        for left in reversed(range(tries)):
            try:
                return self._bind_once(edge)
            except BindError:
                if not left:
                    raise
        raise AssertionError(tries)

    def _bind_once(self, edge: Edge) -> Edge:
        bind = edge.sip_bind
        sock = None
        tls_bind = edge.tls_bind
        if Transport.UDP in edge.transports:
            sock = bind_udp(bind)
            bind = bound_address(sock)
        try:
            for transport in edge.transports:
                if transport is Transport.TCP:
                    bind = self._listener(edge.name, bind, transport)
                elif transport is Transport.TLS:
                    tls_bind = tls_bind or Address(bind.host, transport.default_port)
                    tls_bind = self._listener(edge.name, tls_bind, transport)
        except BindError:
            if sock is not None:
                sock.close()
            for key in [key for key in self._streams if key[0] == edge.name]:
                self._streams.pop(key).close_socket()
            raise
        if sock is not None:
            self._udp[edge.name] = UdpEndpoint(
                sock,
                on_datagram=lambda data, remote: self._datagram(edge.name, data, remote),
                on_failed=self._failed,
                counters=self.counters,
            )
        advertised = edge.sip_advertised
        if not advertised.port:
            advertised = Address(advertised.host, bind.port)
        over_tls = edge.tls_advertised
        if tls_bind is not None and (over_tls is None or not over_tls.port):
            over_tls = Address(advertised.host, tls_bind.port)
        return dataclasses.replace(
            edge, sip_bind=bind, sip_advertised=advertised, tls_bind=tls_bind, tls_advertised=over_tls
        )

    def _listener(self, edge: str, bind: Address, transport: Transport) -> Address:
        """A pool of connections; the address it has got."""
        pool = StreamPool(
            edge=edge,
            bind=bind,
            parser_limits=self._parser_limits,
            limits=self._stream_limits,
            on_item=self._item,
            on_failed=self._failed,
            on_lost=lambda flow: self._on_failed(FlowFailed(flow=flow)),
            counters=self.counters,
            transport=transport,
            tls=self._tls if transport is Transport.TLS else None,
        )
        self._streams[edge, transport] = pool
        return pool.bound

    def _datagram(self, edge: str, data: bytes, remote: Address) -> None:
        item = parse_datagram(data, self._parser_limits)
        if item is None:
            self.counters.dropped["not-sip"] += 1
            return
        self._item(item, Flow(Transport.UDP, remote, edge))

    def _item(self, item: StreamItem, flow: Flow) -> None:
        if isinstance(item, Malformed):
            self.counters.malformed += 1
            self._on_malformed(item, flow)
        else:
            self.counters.received += 1
            self._on_received(Received(flow=flow, message=item))

    def _failed(self, key: str) -> None:
        if key:
            self._on_failed(TransmitFailed(key=key))
