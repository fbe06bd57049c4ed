"""One end of a conversation: sends speech as G.711, 20 ms a packet, and keeps every packet it hears."""

from __future__ import annotations

import dataclasses
import selectors
import socket
import struct
import threading
import time

from tests.support.daemon import free_port, patient

PACKET_OCTETS = 160
PACKET_S = 0.020


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """One RTP packet as it arrived."""

    sequence: int
    timestamp: int
    payload_type: int
    ssrc: int
    payload: bytes
    source: tuple[str, int]


class Voice:
    """A UDP socket on an even port, served by a thread until `stop`."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        *,
        ssrc: int = 0x0BADCAFE,
        first_sequence: int = 65530,
        payload_type: int = 0,
    ) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.port = free_port()
        self._socket.bind((host, self.port))
        self._socket.setblocking(False)
        self.heard: list[Heard] = []
        self.sent = 0
        self._ssrc = ssrc
        self._sequence = first_sequence
        self._payload_type = payload_type
        self._speech: list[bytes] = []
        self._to: tuple[str, int] | None = None
        self._lock = threading.Lock()  #: of the speech that there is, and how much of it was sent
        self._stop = threading.Event()
        self._spoken = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def speak(self, speech: bytes, to: tuple[str, int]) -> None:
        """Start sending ``speech`` (G.711 octets, a multiple of 160) to ``to``."""
        self._speech = [speech[i : i + PACKET_OCTETS] for i in range(0, len(speech), PACKET_OCTETS)]
        self._to = to

    def send_now(self, data: bytes, to: tuple[str, int]) -> None:
        """Send any octets from this voice's own port, between its packets."""
        self._socket.sendto(data, to)

    def wait_spoken(self, timeout_s: float) -> bool:
        """True when everything has been sent."""
        return self._spoken.wait(patient(timeout_s))

    def wind_up(self, packets: int) -> bytes:
        """Say so many packets in all, unless it has been more already; all that will have been said then."""
        with self._lock:
            self._speech = self._speech[: max(self.sent, packets)]
            return b"".join(self._speech)

    def heard_audio(self) -> bytes:
        """The payloads of the voice's own payload type in the order in which they arrived."""
        return b"".join(packet.payload for packet in self.heard if packet.payload_type == self._payload_type)

    def sealed(self, packet: bytes) -> bytes:
        """The packet as it goes out; a voice with keys protects it."""
        return packet

    def opened(self, packet: bytes) -> bytes:
        """The packet as it was before its sender protected it."""
        return packet

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            due = time.monotonic()
            while not self._stop.is_set():
                if selector.select(max(0.0, min(due - time.monotonic(), PACKET_S))):
                    self._receive()
                if time.monotonic() >= due:
                    due += PACKET_S
                    self._send()
            self._receive()  # what has come before it was stopped

    def _receive(self) -> None:
        while True:
            try:
                data, source = self._socket.recvfrom(2048)
            except BlockingIOError:
                return
            data = self.opened(data)
            _, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
            self.heard.append(Heard(sequence, timestamp, second & 0x7F, ssrc, data[12:], source[:2]))

    def _send(self) -> None:
        with self._lock:
            self._send_next()

    def _send_next(self) -> None:
        if self._to is None or self.sent == len(self._speech):
            return
        header = struct.pack(
            "!BBHII",
            0x80,
            self._payload_type | (0x80 if self.sent == 0 else 0),
            (self._sequence + self.sent) & 0xFFFF,
            (self.sent * PACKET_OCTETS) & 0xFFFFFFFF,
            self._ssrc,
        )
        self._socket.sendto(self.sealed(header + self._speech[self.sent]), self._to)
        self.sent += 1
        if self.sent == len(self._speech):
            self._spoken.set()
