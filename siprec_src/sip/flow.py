"""Where SIP messages come from and go to, without sockets: transports, addresses, flows, edges."""

from __future__ import annotations

import enum

from siprec_src.values import immutable


class Transport(enum.Enum):
    """Transports of RFC 3261 18; the value is the token of the Via header."""

    UDP = "UDP"
    TCP = "TCP"
    TLS = "TLS"

    @property
    def reliable(self) -> bool:
        return self is not Transport.UDP

    @property
    def default_port(self) -> int:
        return 5061 if self is Transport.TLS else 5060


@immutable(kw_only=False)
class Address:
    """A numeric IPv4 or IPv6 address (no brackets) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@immutable(kw_only=False)
class Flow:
    """A way to a peer: the edge it leaves by, the transport, the peer, and for streams which connection.

    ``connection`` 0: any connection to `remote`, opened when there is none. Otherwise that connection
    first, and a new one to `remote` when it is gone (RFC 3261 18.2.2). ``domain``, for TLS, is the host of
    the URI before it was resolved: who the peer must prove to be (RFC 5922 7.1).
    """

    transport: Transport
    remote: Address
    edge: str
    connection: int = 0
    domain: str = ""


@immutable
class Edge:
    """One place where our SIP and media leave: what is bound and what is told to peers."""

    name: str
    sip_bind: Address
    sip_advertised: Address  #: in Via and Contact
    transports: tuple[Transport, ...]
    rtp_bind: str  #: numeric address the media sockets bind
    rtp_advertised: str  #: in ``c=``
    rtp_low: int = 10000
    rtp_high: int = 20000
    tls_bind: Address | None = None  #: where TLS is accepted, when it is among `transports`
    tls_advertised: Address | None = None  #: in Via and Contact over TLS
    signalling_networks: tuple[str, ...] = ()  #: in which what is advertised for SIP is; empty: unknown
    media_networks: tuple[str, ...] = ()  #: in which `rtp_advertised` is

    def advertised(self, transport: Transport) -> Address:
        """What peers are told of us over ``transport``."""
        over_tls = self.tls_advertised if transport is Transport.TLS else None
        return over_tls or self.sip_advertised
