"""A recorded call over a wire, which is heard or not as the wire is."""

from __future__ import annotations

import socket
import time

from siprec_src.media.model import MediaIo, ReaderId
from tests.native.engine_support import Plane, read_rtp, rtp
from tests.native.site import Site

PATIENCE_S = 10.0
COMES_WITHIN_S = 0.5


class Wired:
    """The caller says one packet after the other; each is to come to the callee and to the SRS."""

    def __init__(
        self, site: Site, plane: Plane, family: socket.AddressFamily = socket.AF_INET, *, bind: str = ""
    ) -> None:
        self.site = site
        self.call = site.call(plane, family, bind=bind)
        self.reader: ReaderId = self.call.attach()
        self._sequence = 0

    def speak(self, size: int = 160, *, within_s: float = PATIENCE_S) -> bool:
        """Have the caller say something; whether it came to the callee and the SRS as it was said."""
        self._sequence += 1
        packet = rtp(self._sequence, payload=self._sequence.to_bytes(4) * (size // 4))
        self.call.caller.send(packet, self.call.caller_port)
        try:
            heard = self.call.callee.receive(within_s), self.call.srs.receive(within_s)
        except AssertionError:
            return False
        return heard[0] == packet and read_rtp(heard[1]).payload == packet[12:]

    def speak_until(self, *, heard: bool) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.speak(within_s=COMES_WITHIN_S) != heard:
            assert time.monotonic() < deadline, "nothing comes through" if heard else "it comes through"
            for peer in (self.call.callee, self.call.srs):
                peer.hear_out()

    def flood(self, packets: int) -> bool:
        """Have the caller say so much at once, whether or not it comes."""
        for _ in range(packets):
            self._sequence += 1
            self.call.caller.send(rtp(self._sequence), self.call.caller_port)
        return True

    def by_sockets(self, packets: int, size: int = 160) -> int:
        """Say so much, all of which must be heard; how many datagrams sockets have sent for it."""
        before = self.site.sent_by_sockets()
        assert all(self.speak(size) for _ in range(packets))
        return self.site.sent_by_sockets() - before

    def settle(self) -> None:
        """Speak until it is heard, and no socket is needed for it where there is another way."""
        self.speak_until(heard=True)
        deadline = time.monotonic() + PATIENCE_S
        while self.by_sockets(10) > 4 and self.site.io is not MediaIo.SOCKETS:
            assert time.monotonic() < deadline, "it is still sent by sockets"

    def close(self) -> None:
        self.call.close()
