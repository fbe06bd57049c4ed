"""DTLS datagrams between the engine and whoever performs the handshakes in its process (RFC 5764 5.1).

They never reach the control process, so they are no words of `media.plane`.
"""

from __future__ import annotations

from siprec_src.media.model import Endpoint, PortId
from siprec_src.values import immutable


@immutable
class SendDtls:
    """A command to the engine: send this from a port opened with ``dtls``. Answered with `Done`."""

    tag: int
    port: PortId
    rtcp: bool  #: from the RTCP socket
    to: Endpoint
    data: bytes


@immutable
class DtlsReceived:
    """An event of the engine: this came to a port opened with ``dtls``, from anybody."""

    port: PortId
    rtcp: bool
    source: Endpoint
    data: bytes
