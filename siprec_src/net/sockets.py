"""Making sockets: one family each, bound before any loop knows them, so that a busy port is told at start."""

from __future__ import annotations

import ipaddress
import socket

from siprec_src.errors import LocalError
from siprec_src.sip.flow import Address

UDP_BUFFER_BYTES = 4 * 1024 * 1024  #: asked of the kernel, which may give less (net.core.rmem_max)


class BindError(LocalError):
    """An address cannot be bound: in use, not ours, or not permitted."""

    reason = "bind-failed"


def family_of(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def bind_udp(address: Address) -> socket.socket:
    """A non-blocking datagram socket on ``address`` that also tells of ICMP errors (RFC 3261 18.4)."""
    sock = _bind(address, socket.SOCK_DGRAM)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, UDP_BUFFER_BYTES)
    return sock


def bind_tcp(address: Address) -> socket.socket:
    """A non-blocking stream socket bound to ``address``, not yet listening."""
    return _bind(address, socket.SOCK_STREAM)


def bound_address(sock: socket.socket) -> Address:
    host, port = sock.getsockname()[:2]
    return Address(host, port)


def is_loopback(host: str) -> bool:
    """Whether it is an address that only this machine reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address_of(name: tuple[str, int] | tuple[str, int, int, int]) -> Address:
    """A socket name as an `Address`; a zone index belongs to this host and is left out."""
    return Address(name[0].partition("%")[0], name[1])


def default_route_address(unspecified: str) -> str:
    """The address from which this host would reach the rest of the world; loopback when it cannot.

    Nothing is sent: connecting a datagram socket only asks the routing table.
    """
    family = family_of(unspecified)
    far, near = ("2001:db8::1", "::1") if family is socket.AF_INET6 else ("192.0.2.1", "127.0.0.1")
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((far, 9))
        except OSError:
            return near
        return bound_address(sock).host


def watch_peer(sock: socket.socket, silence_s: float, unacknowledged_s: float) -> None:
    """Let the system find out that the peer's host is gone: nobody else would for a quarter of an hour.

    It asks after ``silence_s``, and gives up what has not been acknowledged for ``unacknowledged_s``.
    """
    idle_s = max(1, int(silence_s))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, idle_s // 6))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(unacknowledged_s * 1000))


def _bind(address: Address, kind: socket.SocketKind) -> socket.socket:
    family = family_of(address.host)
    # Named, since asyncio turns Nagle's algorithm off only then: a second write would wait 40 ms.
    protocol = socket.IPPROTO_TCP if kind is socket.SOCK_STREAM else socket.IPPROTO_UDP
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        if family is socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind is socket.SOCK_STREAM:
            # Only lets a restart pass connections in TIME_WAIT; a live listener is still refused.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address.host, address.port))
    except OSError as error:
        sock.close()
        name = "UDP" if kind is socket.SOCK_DGRAM else "TCP"
        msg = f"cannot listen on {name} {address}: {error.strerror or error}"
        raise BindError(msg) from error
    return sock
