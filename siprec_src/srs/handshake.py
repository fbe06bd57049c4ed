"""The DTLS handshakes of one received m-line, of RTP and where it has its own port of RTCP (RFC 5764 3)."""

from __future__ import annotations

from collections.abc import Callable

from siprec_src.app.dtls import Association, Identity, Keys
from siprec_src.media.model import DtlsPeer
from siprec_src.sdp.model import Rtcp

Send = Callable[[bytes, Rtcp, bool], None]  #: a datagram, where it goes, and whether from the RTCP socket


class Handshake:
    """Runs until both ends have keys; then it answers only a peer that missed our last flight."""

    def __init__(self, identity: Identity, peer: DtlsPeer, remotes: dict[bool, Rtcp], send: Send) -> None:
        self.peer = peer
        self._remotes = remotes
        self._send = send
        self._ends = {rtcp: Association(identity, peer) for rtcp in remotes}

    @property
    def keys(self) -> tuple[Keys, Keys] | None:
        """Those of RTP and of RTCP, when all is done."""
        rtp = self._ends[False].keys
        rtcp = self._ends[True].keys if True in self._ends else rtp
        return None if rtp is None or rtcp is None else (rtp, rtcp)

    @property
    def failure(self) -> str:
        return next((end.failure for end in self._ends.values() if end.failure), "")

    def begin(self) -> None:
        """Send the ClientHello, where it is ours to send."""
        for rtcp, end in self._ends.items():
            self._say(end.begin(), rtcp)

    def receive(self, datagram: bytes, *, rtcp: bool) -> None:
        if (end := self._ends.get(rtcp)) is not None:
            self._say(end.receive(datagram), rtcp)

    def tick(self) -> None:
        """Send again what is due."""
        for rtcp, end in self._ends.items():
            if end.timeout_s == 0:
                self._say(end.retransmit(), rtcp)

    def _say(self, datagrams: list[bytes], rtcp: bool) -> None:
        for datagram in datagrams:
            self._send(datagram, self._remotes[rtcp], rtcp)
