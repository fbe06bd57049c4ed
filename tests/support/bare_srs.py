"""An SRS of a few lines, over TCP: what came to it, from where, as it was on the wire."""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import threading
from collections.abc import Iterator

from tests.support.bad_srs import answered, description
from tests.support.daemon import LOOPBACK, free_port


class BareSrs(socketserver.ThreadingTCPServer):
    """Takes whatever comes over TCP; two ports for media, with those of RTCP, are all its sessions'."""

    daemon_threads = True

    def __init__(self) -> None:
        self.invites: list[tuple[str, str, str]] = []  #: address they came from, head, body
        self._media = [free_port() for _ in range(2)]
        self._ears = [_ear(port + rtcp) for port in self._media for rtcp in (0, 1)]
        super().__init__((LOOPBACK, free_port()), _Connection)

    @property
    def place(self) -> str:
        return f"{LOOPBACK}:{self.server_address[1]}"

    @property
    def uri(self) -> str:
        return f"sip:srs@{self.place};transport=tcp"

    def answer(self, source: str, head: str, body: str) -> str:
        method = head.partition(" ")[0]
        if method == "ACK":
            return ""
        if method != "INVITE":
            return answered(head, "200 OK")
        self.invites.append((source, head, body))
        fields = (f"Contact: <{self.uri}>;+sip.srs", "Allow: UPDATE", "Content-Type: application/sdp")
        return answered(head, "200 OK", *fields, body=description(*self._media[: body.count("m=audio")]))

    def heard(self) -> Iterator[tuple[str, int]]:
        """Address and port of every packet of RTP or RTCP so far."""
        for ear in self._ears:
            with contextlib.suppress(BlockingIOError):
                while True:
                    yield ear.recvfrom(2048)[1]

    def server_close(self) -> None:
        super().server_close()
        for ear in self._ears:
            ear.close()


class _Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, BareSrs)
        with contextlib.suppress(OSError):
            while head := self._head():
                length = re.search(r"(?im)^content-length:\s*(\d+)", head)
                body = self.rfile.read(int(length[1]) if length else 0).decode()
                self.wfile.write(self.server.answer(self.client_address[0], head, body).encode())

    def _head(self) -> str:
        lines: list[bytes] = []
        while (line := self.rfile.readline()).strip():
            lines.append(line)
        return b"".join(lines).decode()


def _ear(port: int) -> socket.socket:
    ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    ear.bind((LOOPBACK, port))
    ear.setblocking(False)
    return ear


@contextlib.contextmanager
def bare_srs() -> Iterator[BareSrs]:
    with BareSrs() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
