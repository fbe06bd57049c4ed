"""One RTP/RTCP socket pair of the bundled SRS (RFC 3550 11)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final

from siprec_src.errors import NoRoom
from siprec_src.net.sockets import BindError, bind_udp
from siprec_src.sdp.model import Rtcp
from siprec_src.sip.flow import Address

RECEIVE_BUFFER_BYTES: Final = 4 << 20
BATCH: Final = 256  #: datagrams read for one readiness
MAX_INBOX: Final = 20_000  #: datagrams that wait for the writer
MAX_DATAGRAM_BYTES: Final = 2048


OnDtls = Callable[[bytes, bool], None]  #: a datagram, and whether it came to the RTCP socket


class TrackPort:
    """Receives RTP into an inbox, RTCP and DTLS into callbacks (RFC 5761 4, RFC 5764 5.1.2)."""

    def __init__(
        self, rtp: socket.socket, rtcp: socket.socket, on_rtcp: Callable[[bytes], None], on_dtls: OnDtls
    ) -> None:
        self.port: int = rtp.getsockname()[1]
        self.foreign = 0
        self.overrun = 0
        self._rtp = rtp
        self._rtcp = rtcp
        self._on_rtcp = on_rtcp
        self._on_dtls = on_dtls
        self._inbox: list[tuple[float, bytes]] = []
        self._source: object = None
        self._loop = asyncio.get_running_loop()
        rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._loop.add_reader(rtp, self._read_rtp)
        self._loop.add_reader(rtcp, self._read_rtcp)

    @property
    def waiting(self) -> bool:
        """Whether anything was received since the last `take`."""
        return bool(self._inbox)

    def take(self) -> list[tuple[float, bytes]]:
        """Everything received since the last call, with arrival times of the loop's clock."""
        inbox, self._inbox = self._inbox, []
        return inbox

    def forget_source(self) -> None:
        """The sender may have moved: whoever sends next is the source."""
        self._source = None

    def send(self, data: bytes, to: Rtcp, *, rtcp: bool) -> None:
        """Send without waiting; what cannot be sent is left out, for all of it repeats."""
        with contextlib.suppress(OSError):
            (self._rtcp if rtcp else self._rtp).sendto(data, (to.host, to.port))

    def drain_and_close(self) -> list[tuple[float, bytes]]:
        """Read what the sockets still hold, then close them."""
        self._read_rtp()
        for sock in (self._rtp, self._rtcp):
            self._loop.remove_reader(sock)
            sock.close()
        return self.take()

    def _read_rtp(self) -> None:
        arrival = self._loop.time()
        receive, inbox = self._rtp.recvfrom, self._inbox
        for _ in range(BATCH):
            try:
                data, source = receive(MAX_DATAGRAM_BYTES)
            except OSError:
                return
            if _is_dtls(data):
                self._on_dtls(data, False)
                continue
            if _is_rtcp(data):
                self._on_rtcp(data)
                continue
            if source != self._source:
                if self._source is not None:
                    self.foreign += 1
                    continue
                self._source = source
            if len(inbox) < MAX_INBOX:
                inbox.append((arrival, data))
            else:
                self.overrun += 1

    def _read_rtcp(self) -> None:
        with contextlib.suppress(OSError):
            data = self._rtcp.recv(MAX_DATAGRAM_BYTES)
            if _is_dtls(data):
                self._on_dtls(data, True)
            else:
                self._on_rtcp(data)


def _is_dtls(data: bytes) -> bool:
    return len(data) > 0 and 20 <= data[0] <= 63


def _is_rtcp(data: bytes) -> bool:
    return len(data) > 1 and data[0] >= 128 and 192 <= data[1] <= 223


def open_port(
    host: str, low: int, high: int, start: int, on_rtcp: Callable[[bytes], None], on_dtls: OnDtls
) -> TrackPort:
    """Bind the first free pair at or after ``start``, round the range, RTP on an even port.

    Raises:
        NoRoom: there is none.
    """
    evens = range(low + low % 2, high, 2)
    offset = max(0, (start - evens.start) // 2) % len(evens)
    for step in range(len(evens)):
        port = evens[(offset + step) % len(evens)]
        with contextlib.suppress(BindError):
            rtp = bind_udp(Address(host, port))
            try:
                return TrackPort(rtp, bind_udp(Address(host, port + 1)), on_rtcp, on_dtls)
            except BindError:
                rtp.close()
    msg = "no free RTP port"
    raise NoRoom(msg)
