"""SIP over UDP (RFC 3261 18.1.1, 18.2.1): one unconnected socket for each edge.

Sends never wait: a full socket buffer drops the datagram, which the transaction repeats. ICMP errors come
back through the socket's error queue and are told as failures of the transaction that sent last to that
address (RFC 3261 18.4).
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from siprec_src.net.counters import TransportCounters
from siprec_src.net.sockets import address_of
from siprec_src.sip.flow import Address

MAX_DATAGRAM_BYTES: Final = 65_535
BATCH: Final = 64  #: datagrams read for one readiness, so that timers are not starved
REMEMBERED_KEYS: Final = 4096  #: peers whose last transaction can be told of an ICMP error

_IP_RECVERR: Final = 11  # linux/in.h; not in the socket module of every supported Python
_IPV6_RECVERR: Final = 25
_SO_MEMINFO: Final = 55  # asm-generic/socket.h
_MEMINFO: Final = struct.Struct("=9I")  # linux/sock_diag.h: the last one is SK_MEMINFO_DROPS
_SO_EE: Final = struct.Struct("=IBBBx")  # struct sock_extended_err: errno, origin, type, code
_ORIGIN_ICMP: Final = 2
_ORIGIN_ICMP6: Final = 3
_TYPE_UNREACHABLE: Final = {_ORIGIN_ICMP: 3, _ORIGIN_ICMP6: 1}
_TRANSIENT: Final = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM})


class UdpEndpoint:
    """One bound UDP socket in the loop."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        on_datagram: Callable[[bytes, Address], None],
        on_failed: Callable[[str], None],
        counters: TransportCounters,
    ) -> None:
        self._sock = sock
        self._on_datagram = on_datagram
        self._on_failed = on_failed
        self._counters = counters
        self._keys: OrderedDict[Address, str] = OrderedDict()
        if sock.family is socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Begin to receive."""
        self._loop.add_reader(self._sock, self._readable)

    def send(self, data: bytes, remote: Address, key: str) -> None:
        """Send one datagram; ``key`` is told when that is known to have failed."""
        if key:
            self._remember(remote, key)
        # A pending ICMP error of an earlier datagram is reported by the next call on the socket, whoever it
        # is for; it is taken from the queue and the send made again.
        error = self._try_send(data, remote)
        if error is not None and error not in _TRANSIENT:
            self._read_errors()
            error = self._try_send(data, remote)
        if error is None:
            self._counters.sent += 1
        elif error in _TRANSIENT:
            self._counters.dropped["udp-buffer-full"] += 1
        else:
            self._counters.send_failed += 1
            if key:
                self._loop.call_soon(self._on_failed, key)

    @property
    def overrun(self) -> int:
        """Datagrams that the system dropped because they came faster than they were read."""
        try:
            return int(
                _MEMINFO.unpack(self._sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))[-1]
            )
        except (OSError, struct.error):
            # A kernel before 4.12, or a socket that is closed.
            return 0

    def close_socket(self) -> None:
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _try_send(self, data: bytes, remote: Address) -> int | None:
        try:
            self._sock.sendto(data, (remote.host, remote.port))
        except OSError as error:
            return error.errno or errno.EIO
        except OverflowError:
            # A port that is none; whoever made the flow took it from a peer.
            return errno.EINVAL
        return None

    def _readable(self) -> None:
        for _ in range(BATCH):
            try:
                data, name = self._sock.recvfrom(MAX_DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except OSError:
                self._read_errors()
                return
            self._on_datagram(data, address_of(name))

    def _read_errors(self) -> None:
        for _ in range(BATCH):
            try:
                _, ancillary, _, name = self._sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            if name and any(_is_unreachable(data) for _, _, data in ancillary):
                self._unreachable(address_of(name))

    def _unreachable(self, remote: Address) -> None:
        key = self._keys.pop(remote, None)
        if key is not None:
            self._counters.send_failed += 1
            self._loop.call_soon(self._on_failed, key)

    def _remember(self, remote: Address, key: str) -> None:
        self._keys[remote] = key
        self._keys.move_to_end(remote)
        if len(self._keys) > REMEMBERED_KEYS:
            self._keys.popitem(last=False)


def _is_unreachable(data: bytes) -> bool:
    """Whether an extended error is an ICMP "destination unreachable" other than "message too big"."""
    if len(data) < _SO_EE.size:
        return False
    code, origin, kind, _ = _SO_EE.unpack_from(data)
    return kind == _TYPE_UNREACHABLE.get(origin, -1) and bool(code != errno.EMSGSIZE)
