"""One party of the probe's call: it speaks RTP into the engine's port, 50 packets a second."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
from typing import Final

from siprec_src.identity import Identity
from siprec_src.media.model import Endpoint
from siprec_src.probe.speech import PACKET, speech

PACKET_S: Final = 0.02
LOOP_S: Final = 6.0  #: of speech; then it begins anew
PAYLOAD_TYPES: Final = {"PCMU": 0, "PCMA": 8}
_HEADER: Final = struct.Struct(">BBHII")


class Talker:
    """A voice with a socket of its own."""

    def __init__(self, voice: int, host: str, identity: Identity) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._sock = socket.socket(family, socket.SOCK_DGRAM)
        self._sock.bind((host, 0))
        self._sock.setblocking(False)
        self._voice = voice
        self._ssrc = identity.ssrc()
        self._sequence = identity.sequence()
        self._timestamp = identity.timestamp()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.endpoint: Final = Endpoint(host, self._sock.getsockname()[1])
        self.sent = 0

    def start(self, port: int, encoding: str) -> None:
        """Speak to ``port`` of the same host from now on."""
        payloads = itertools.cycle(speech(self._voice, LOOP_S, encoding))
        self._speak(payloads, (self.endpoint.host, port), PAYLOAD_TYPES[encoding], self._loop.time())

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        self.stop()
        self._sock.close()

    def _speak(
        self, payloads: itertools.cycle[bytes], to: tuple[str, int], payload_type: int, due: float
    ) -> None:
        marker = 0x80 if not self.sent else 0
        header = _HEADER.pack(
            0x80, marker | payload_type, self._sequence & 0xFFFF, self._timestamp & 0xFFFFFFFF, self._ssrc
        )
        with contextlib.suppress(OSError):
            self._sock.sendto(header + next(payloads), to)
        self.sent += 1
        self._sequence += 1
        self._timestamp += PACKET
        due += PACKET_S
        self._timer = self._loop.call_at(due, self._speak, payloads, to, payload_type, due)
